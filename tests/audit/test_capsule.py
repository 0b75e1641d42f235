"""`tpt export --capsule`: a run without weights that others can check and report on, and that names no machine."""

import shutil
import tarfile
from pathlib import Path

import pytest
from evaluations import finish_evaluation

from tpt import files
from tpt.artefacts import Prepared
from tpt.cli import main
from tpt.report.rows import collect
from tpt.report.table import numbers
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.compose import compose

Captured = pytest.CaptureFixture[str]
Figures = list[dict[str, object]]


def exported(run: Run, out: Path, *words: str) -> Path:
    assert main(["export", str(run.root), "--capsule", "--out", str(out), *words]) == 0
    return out


def figures(root: Path) -> Figures:
    return [{key: value for key, value in numbers(row).items() if key != "run"} for row in collect([Run.open(root)])]


@pytest.fixture(scope="module")
def capsule(honest: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capsule that came as an archive; to be read only."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    archive = exported(honest, elsewhere / "capsule.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(elsewhere, filter="data")
    return elsewhere / honest.name


def test_another_person_checks_and_reports_a_capsule(honest: Run, capsule: Path, capsys: Captured) -> None:
    assert not list(capsule.rglob("*.safetensors"))
    folder = honest.results(table.PREPARED, Prepared)["model_dir"]
    assert main(["verify", str(capsule), "--tokenizer", folder]) == 0
    said = capsys.readouterr().out
    assert "not checked: digests of round-01/train and 1 more: its weights are not in the folder" in said
    for check in ("prompts", "texts", "verdicts", "draw", "figures", "capsule"):
        assert f"not checked: {check}" not in said
    assert figures(capsule) == figures(honest.root)
    assert main(["trace", str(capsule), "--round", "2", "--example", "3"]) == 0
    assert main(["rejudge", str(capsule)]) == 0


def test_a_capsule_names_neither_this_machine_nor_its_paths(honest: Run, capsule: Path) -> None:
    manifests = [files.read_json(path) for path in capsule.glob("round-*/*/manifest.json")]
    assert {one["host"] for one in manifests} == {""}
    private = [str(honest.root.parent).encode(), str(Path.home()).encode() + b"/"]
    for path in capsule.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert not any(one in text for one in private), path


def test_without_texts_only_what_rests_on_verdicts_is_checked(honest: Run, tmp_path: Path, capsys: Captured) -> None:
    root = exported(honest, tmp_path / honest.name, "--no-texts")
    assert not [*root.rglob("samples-*"), *root.rglob("examples.parquet")]
    assert b"I try it in" not in (root / "report" / "report.html").read_bytes()
    assert main(["verify", str(root)]) == 0
    said = capsys.readouterr().out
    assert "not checked: verdicts of round-00/evaluate and 4 more" in said
    assert "from verdicts alone" in said
    assert main(["report", str(root)]) == 0
    assert figures(root) == figures(honest.root)


def test_a_changed_file_of_a_capsule_is_found(capsule: Path, tmp_path: Path, capsys: Captured) -> None:
    root = Path(shutil.copytree(capsule, tmp_path / capsule.name))
    name = "round-02/evaluate/per_problem.parquet"
    shutil.copyfile(root / "round-01/evaluate/per_problem.parquet", root / name)
    assert main(["verify", str(root)]) == 1
    assert f"DIFFERS capsule of capsule.json: {name}" in capsys.readouterr().out


def test_files_that_settings_name_are_taken_along(tmp_path: Path) -> None:
    data = tmp_path / "here" / "data"
    data.mkdir(parents=True)
    for split in ("train", "test"):
        rows = "".join(f"what is {number} plus {split}?,{number}\n" for number in range(6))
        (data / f"{split}.csv").write_text(f"question,answer\n{rows}")
    mode = tmp_path / "here" / "mode.py"
    mode.write_text("def keep(sample, verdict):\n    return True\n")
    words = ["experiment=smoke", "sampler=transformers", "task=qa", f"task.path={data}", "rounds=0"]
    words += ["task.train_size=null", "task.test_size=null", f"prune.mode=python:{mode}:keep"]
    run = Run.create(compose([*words, f"run_root={tmp_path / 'here' / 'runs'}"]))
    run.finish(Stage(0, "prepare"), {"train": 6, "test": 6, "model_dir": "/nowhere", "model": {}}, 1.0)
    finish_evaluation(run, 0, 10)
    root = exported(run, tmp_path / "there" / run.name)
    shutil.rmtree(tmp_path / "here")
    opened = Run.open(root)
    assert [one.gold for one in opened.config.task.load("test")] == [str(number) for number in range(6)]
    assert Path(opened.config.prune.mode.split(":")[1]).is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--capsule"], "is there already"),
        (["--capsule", "--round", "1"], "--capsule takes the whole run"),
        (["--no-texts"], "--no-texts has no effect"),
    ],
)
def test_what_cannot_be_is_an_error_in_words(
    words: list[str], message: str, honest: Run, capsule: Path, capsys: Captured
) -> None:
    assert main(["export", str(honest.root), *words, "--out", str(capsule)]) == 1
    assert message in capsys.readouterr().err
