"""Right and wrong solutions as data sets that trainers on preferences read."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset, load_dataset
from test_export import made
from transformers import AutoTokenizer

from tpt import prompt, records
from tpt.cli import main
from tpt.records import Problem, Sample, Status, Verdict, overall
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.model import AS_IT_IS

Make = Callable[..., Config]
TRL = Path(__file__).parents[2] / "benchmarks" / ".trl" / "bin" / "python"  # as `make bench` installs it
RIGHT, WRONG, FORM = (Status.CORRECT, Status.CORRECT), (Status.WRONG, Status.WRONG), (Status.NO_ANSWER, Status.CORRECT)
BROKEN = (Status.JUDGE_ERROR, Status.JUDGE_ERROR)
# Of each problem: text of a sample, what the two readers say, why it ended.
SAMPLES = [
    [("a", RIGHT, "stop"), ("b", WRONG, "stop"), ("c", WRONG, "stop"), ("a", RIGHT, "stop")],
    [("a", RIGHT, "stop"), ("b", RIGHT, "stop"), ("c", WRONG, "stop"), ("d", FORM, "stop")],
    [("a", RIGHT, "stop"), ("b", BROKEN, "stop"), ("c", WRONG, "length"), ("d", FORM, "stop")],
    [("a", WRONG, "stop"), ("b", WRONG, "stop"), ("b", WRONG, "stop"), (" ", WRONG, "stop")],
]


def sampled(run: Run, model: Path, rounds: int = 2) -> Run:
    """Add samples and verdicts of some rounds to a finished run."""
    tokenizer: Any = AutoTokenizer.from_pretrained(model)
    problems = list(records.read(run.problems_path("train"), Problem))
    for round in range(1, rounds + 1):
        samples, verdicts = [], []
        for problem, texts in zip(problems, SAMPLES, strict=False):
            ids = prompt.render(problem, run.config.task, tokenizer, AS_IT_IS)
            for index, (text, (strict, lenient), reason) in enumerate(texts):
                said = f"{text}{round} #### 1" if text.strip() else text
                samples.append(Sample(problem.id, index, ids, [5, 2], said, reason))
                verdicts.append(Verdict(problem.id, index, overall(strict, lenient), strict, lenient))
        records.write(records.shard_path(run.folder(Stage(round, "think")), "samples", 0), Sample, samples)
        records.write(records.shard_path(run.folder(Stage(round, "judge")), "verdicts", 0), Verdict, verdicts)
    return run


@pytest.fixture
def run(tiny_config: Make, tiny_model: Path) -> Run:
    """A run of two trained rounds with samples."""
    return sampled(made(Run.create(tiny_config("rounds=2", "prune.keep_cut_off=false")), tiny_model), tiny_model)


def exported(run: Run, form: str, out: Path, *words: str) -> Dataset:
    assert main(["export", str(run.root), "--as", form, "--out", str(out), *words]) == 0
    found: Dataset = load_dataset(str(out / form), split="train", cache_dir=str(out / ".hf"))
    return found


def said(rows: Dataset, column: str) -> list[str]:
    return [one[0]["content"].partition(" ")[0] for one in rows[column]]


def test_a_pair_is_a_right_and_a_wrong_solution_of_one_problem_and_none_is_in_two(run: Run, tmp_path: Path) -> None:
    rows = exported(run, "pairs", tmp_path / "out")
    assert rows.column_names == ["prompt", "chosen", "rejected", "round", "problem_id"]
    assert said(rows, "chosen") == ["a1", "a1", "a2", "a2"]
    assert said(rows, "rejected") == ["b1", "c1", "b2", "c2"]
    assert list(rows["round"]) == [1, 1, 2, 2]
    assert [turn["role"] for turn in rows[0]["prompt"]] == ["user", "assistant"] * 3 + ["user"]
    assert {one[0]["role"] for one in [*rows["chosen"], *rows["rejected"]]} == {"assistant"}


def test_a_label_says_what_both_readers_say_and_nothing_of_what_is_in_doubt(run: Run, tmp_path: Path) -> None:
    rows = exported(run, "kto", tmp_path / "out", "--round", "1")
    by_problem = list(zip(rows["problem_id"], said(rows, "completion"), rows["label"], strict=True))
    first, second, third, fourth = dict.fromkeys(rows["problem_id"])
    assert by_problem == [
        *((first, "a1", True), (first, "b1", False), (first, "c1", False)),
        *((second, "a1", True), (second, "b1", True), (second, "c1", False)),
        (third, "a1", True),
        *((fourth, "a1", False), (fourth, "b1", False)),
    ]
    assert rows.features["label"].dtype == "bool"


def test_problems_that_pruning_drops_are_dropped_here_too(tiny_config: Make, tiny_model: Path, tmp_path: Path) -> None:
    run = made(Run.create(tiny_config("rounds=1", "prune.decontaminate=exact")), tiny_model, trained=1)
    first, *others = records.read(run.problems_path("train"), Problem)
    records.write(run.problems_path("test"), Problem, [first])
    rows = exported(sampled(run, tiny_model, 1), "kto", tmp_path / "out")
    assert first.id not in rows["problem_id"]
    assert others[0].id in rows["problem_id"]


def test_a_data_set_is_added_to_an_export_that_is_there_and_its_card_says_how_many(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["export", str(run.root), "--out", str(out)]) == 0
    before = (out / "model" / "model.safetensors").stat().st_mtime_ns
    exported(run, "pairs", out)
    exported(run, "kto", out)
    assert (out / "model" / "model.safetensors").stat().st_mtime_ns == before
    cards = {form: (out / form / "README.md").read_text() for form in ("pairs", "kto")}
    assert "4 rows from" in cards["pairs"]
    assert "DPOTrainer" in cards["pairs"]
    assert "18 rows from" in cards["kto"]
    assert str(run.root) not in "".join(cards.values())


def test_what_cannot_be_exported_is_said(
    run: Run, tiny_config: Make, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in run.folder(Stage(2, "think")).iterdir():
        path.unlink()
    assert main(["export", str(run.root), "--as", "pairs", "--round", "2"]) == 1
    assert "the samples of round 2 are gone" in capsys.readouterr().err
    path = records.shard_path(run.folder(Stage(1, "think")), "samples", 0)
    some = [one for one in records.read(path, Sample) if one.text.startswith("a")]
    of = {(one.problem_id, one.index) for one in some}
    records.write(path, Sample, some)
    judged = records.shard_path(run.folder(Stage(1, "judge")), "verdicts", 0)
    records.write(judged, Verdict, [one for one in records.read(judged, Verdict) if (one.problem_id, one.index) in of])
    assert main(["export", str(run.root), "--as", "pairs", "--round", "1"]) == 1
    assert "no problem of" in capsys.readouterr().err
    assert not (run.export_dir(1) / "pairs").exists()


@pytest.mark.slow
@pytest.mark.skipif(not TRL.exists(), reason="TRL is not installed: make bench installs it apart")
def test_trl_trains_on_both_with_the_code_of_their_cards(run: Run, tmp_path: Path) -> None:
    out, code = tmp_path / "out", ""
    for form, kind in (("pairs", "DPO"), ("kto", "KTO")):
        assert main(["export", str(run.root), "--as", form, "--out", str(out)]) == 0
        of_card = (out / form / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
        small = "output_dir='trained', max_steps=1, per_device_train_batch_size=2, use_cpu=True, report_to='none'"
        assert f"{kind}Config()" in of_card
        code += of_card.replace(f"{kind}Config()", f"{kind}Config({small}, bf16=False)")
        code += f"print('{form}', trainer.state.global_step)\n"
    done = subprocess.run([TRL, "-c", code], cwd=out, capture_output=True, text=True, check=False)
    assert "pairs 1" in done.stdout, done.stderr[-2000:]
    assert "kto 1" in done.stdout, done.stderr[-2000:]
