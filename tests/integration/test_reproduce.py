"""`tpt reproduce`: every experiment at smoke scale to its table, and what becomes of arms that fail or must wait."""

import csv
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tpt.cli import main
from tpt.cluster import commands as cluster
from tpt.launch import local
from tpt.launch import worker as stages
from tpt.reproduce import experiment as experiments
from tpt.reproduce.arms import compose_all, plan
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config

OF_CODE = ("table4", "table5", "table7", "table8", "table9")


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[Counter[str]]:
    """Stages are done by their own functions, but in this process: starting one for each would take the most time.

    Counts how often the work of each stage, by its fingerprint, was done and not adopted from another run.
    """
    done: Counter[str] = Counter()

    def execute(run: Run, stage: Stage, watch: object) -> None:
        stages.perform(run, stage)
        done[run.fingerprint(stage)] += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "execute", execute)
        yield done


@pytest.fixture(scope="module")
def run_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all experiments, so that they share what they have in common."""
    return tmp_path_factory.mktemp("runs")


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open() as handle:
        return list(csv.DictReader(handle))


@pytest.mark.slow
@pytest.mark.parametrize("name", experiments.names())
def test_every_experiment_reaches_its_table_at_smoke_scale(
    name: str, run_root: Path, in_this_process: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    if name in OF_CODE and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed: make sandbox")
    assert main(["reproduce", name, "scale=smoke", f"run_root={run_root}"]) == 0
    folder = run_root / "experiments" / f"{name}-smoke"
    experiment = experiments.load(name)
    expected = {arm for arm, one in experiment.arms.items() if "smoke" in one.scales}
    assert {line["arm"] for line in table_of(folder)} == expected | {"baseline"}
    page = (folder / "table.md").read_text()
    assert experiment.question in page
    assert f"tpt reproduce {name} scale=smoke" in page
    assert (folder / "figure.png").stat().st_size > 5000
    if experiment.analysis:
        for arm in expected:
            assert "has nothing to say" not in (folder / arm / f"{experiment.analysis}.md").read_text()
    assert str(folder) in capsys.readouterr().out.replace("\n", "")


@pytest.mark.slow
def test_the_arms_with_an_imperfect_judge_sample_and_judge_their_first_round_once(
    run_root: Path, in_this_process: Counter[str]
) -> None:
    words = ["judge_reliability", "scale=smoke", f"run_root={run_root}"]
    assert main(["reproduce", *words]) == 0  # nothing is owed if the test above has run
    chosen = experiments.load("judge_reliability")
    arms = plan(chosen, "smoke", experiments.scale(chosen, "smoke"), words[2:])
    configs = compose_all(arms, lambda run: True)
    runs = [Run.of(configs[arm.name]) for arm in arms if arm.name in chosen.arms]
    assert len({run.root for run in runs}) == 3
    for stage in (Stage(1, "think"), Stage(1, "judge")):
        assert all(run.done(stage) for run in runs)
        [shared] = {run.fingerprint(stage) for run in runs}
        assert in_this_process[shared] == 1, f"{stage}: done once, and adopted by the other arms"
    assert len({run.fingerprint(Stage(1, "prune")) for run in runs}) == 3, "each arm prunes in its own way"


EXPERIMENT = """
title: Arms of which one fails
question: What becomes of the others?
arms:
  any: {label: any solution, overrides: [prune=none]}
  right: {label: right ones}
  after: {label: after the right ones, overrides: [prune.source=run, "prune.from_run={run:right}"]}
  last: {label: after any, overrides: [prune.source=run, "prune.from_run={run:any}"], against: any}
base: [prune=ground_truth, rounds=1]
"""
SHARED = "scales: {smoke: {overrides: [experiment=smoke, sampler=transformers]}, laptop: {}, paper: {}}"


@pytest.fixture
def arms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment of the test's own, `arms`."""
    folder = tmp_path / "experiments" / "arms"
    folder.mkdir(parents=True)
    (folder / "experiment.yaml").write_text(EXPERIMENT)
    (folder.parent / "scales.yaml").write_text(SHARED)
    monkeypatch.setattr(experiments, "experiments_dir", lambda: folder.parent)
    return tmp_path / "runs"


@pytest.mark.slow
def test_an_arm_that_fails_is_named_and_the_others_are_reported(
    arms: Path, in_this_process: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", "arms", "scale=smoke", f"run_root={arms}"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "failed right: ground_truth pruning kept none of 24 samples" in said
    assert "failed after: it needs right, which failed" in said
    assert f"the same command again: tpt reproduce arms scale=smoke run_root={arms}" in said
    folder = arms / "experiments" / "arms-smoke"
    assert [line["arm"] for line in table_of(folder)] == ["baseline", "any", "last"]
    assert "after any against any solution" in (folder / "table.md").read_text()

    before = {path: path.stat().st_mtime_ns for path in arms.glob("*/round-*/*/manifest.json")}
    assert main(["reproduce", "arms", "scale=smoke", f"run_root={arms}"]) == 1
    assert {path: path.stat().st_mtime_ns for path in arms.glob("*/round-*/*/manifest.json")} == before
    assert capsys.readouterr().err.count("nothing is owed") == 2

    damaged = next(arms.glob("*-none-*/round-01/evaluate/metrics.json"))
    damaged.write_bytes(damaged.read_bytes()[:100])
    assert main(["reproduce", "arms", "scale=smoke", f"run_root={arms}"]) == 1
    assert f"{damaged} is not valid JSON" in " ".join(capsys.readouterr().err.split()), "named"
    assert len(table_of(folder)) == 2, "the others are reported"


def test_a_plan_names_every_arm_and_writes_nothing(arms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "arms", "scale=smoke", "--dry-run", f"run_root={arms}"]) == 0
    said = capsys.readouterr().out
    assert all(label in said for label in ("any solution", "right ones", "after the right ones", "after any"))
    assert "its folder's name is known when right is done" in said
    assert not arms.exists()


def test_on_slurm_the_arms_that_need_no_other_are_submitted_and_the_rest_is_named(
    arms: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted: list[Config] = []

    def submit(settings: list[Config], points: list[list[str]], console: object) -> int:
        submitted.extend(settings)
        return 0

    monkeypatch.setattr(cluster, "submit_runs", submit)
    assert main(["reproduce", "arms", "scale=smoke", "cluster=slurm", f"run_root={arms}"]) == 0
    assert [one.prune.mode for one in submitted] == ["none", "ground_truth"]
    said = " ".join(capsys.readouterr().err.split())
    assert "waiting any: submitted" in said
    assert "waiting last: not submitted: it needs the finished run of any" in said
    assert "the same command again: tpt reproduce arms" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabel3"], "did you mean 'table"),
        (["table3", "scale=big"], "scale=big is not known"),
        (["table3", "table4"], "one experiment at a time"),
        (["table3", "prune.exmaples=4"], "unknown setting"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_runs(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *words, f"run_root={tmp_path / 'runs'}"]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_without_a_name_the_experiments_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in experiments.names())
