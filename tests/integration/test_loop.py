"""The whole loop over the command line, with a model of 100k random parameters."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import files, records
from tpt.cli import main
from tpt.records import Example
from tpt.runs.folder import Run, find

Command = Callable[..., list[str]]


@pytest.mark.slow
def test_a_run_leaves_everything_it_promises(
    tiny_command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tiny_command("rounds=2")) == 0
    [root] = find(tmp_path / "runs")
    run = Run.open(root)
    assert not run.owed()
    for round in (1, 2):
        examples = list(records.read(root / f"round-{round:02d}/prune/examples.parquet", Example))
        assert 0 < len(examples) <= 12
        assert len({one.problem_id for one in examples}) == len(examples)
    engines = [path.relative_to(root).parent.as_posix() for path in sorted(root.rglob("engine-*.json"))]
    sampled = ["round-00/evaluate", "round-01/evaluate", "round-01/think", "round-02/evaluate", "round-02/think"]
    assert engines == sampled, "one start of an engine for each stage that samples, however many shards"
    for name in ("table.md", "table.csv", "pass_at_k.png", "pass_at_k.svg"):
        assert (root / "report" / name).stat().st_size > 0
    output = capsys.readouterr().out
    assert "baseline" in output
    assert "pass_at_k.png" in output.replace("\n", "").splitlines()[-1]
    assert main(tiny_command("rounds=2")) == 0
    assert "nothing is owed" in capsys.readouterr().err


@pytest.mark.slow
def test_a_sweep_computes_what_its_points_share_once(tiny_command: Command, tmp_path: Path) -> None:
    arguments = tiny_command("prune=none,ground_truth", "rounds=1,2", "-m")
    # A model of random weights solves nothing, so ground_truth keeps nothing: that point fails, the others do not.
    assert main(arguments) == 1
    none, truth = (
        next(root for root in find(tmp_path / "runs") if f"-{mode}-" in root.name) for mode in ("none", "ground_truth")
    )
    assert not Run.open(none).owed()
    for shared in ("round-00/evaluate", "round-01/think"):
        same = [json.loads((root / shared / "manifest.json").read_text())["finished"] for root in (none, truth)]
        assert same[0] == same[1]
    assert (truth / "round-01/think/samples-00000.parquet").exists()
    assert files.read_json(truth / "round-01/prune/error-0.json")["kind"] == "EmptyPrune"


@pytest.mark.slow
def test_data_parallel_workers_draw_what_one_would(tiny_command: Command, tmp_path: Path) -> None:
    texts = []
    for workers, name in ((1, "one"), (2, "two")):
        root = tmp_path / name
        assert main([*tiny_command("rounds=0"), f"run_root={root}", f"sampler.data_parallel={workers}"]) == 0
        shards = records.shards(find(root)[0] / "round-00" / "evaluate", "samples")
        texts.append([one.text for one in records.read(shards, records.Sample)])
    assert texts[0] == texts[1]


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    tiny_command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*tiny_command("rounds=2"), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "owed: 12 of 12 stages" in output
    assert "12 problems x 2 = 24 samples" in re.sub(r"\s+", " ", output.replace("│", " "))
    assert not (tmp_path / "runs").exists()


def test_an_unknown_model_is_refused_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "model=smolm2-135m"]) == 1
    assert "did you mean 'smollm2-135m'?" in capsys.readouterr().err


def test_status_of_a_place_without_runs_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path)]) == 1
    assert "no run folder" in capsys.readouterr().err


def test_the_config_command_prints_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "model=gemma2-9b", "task=gsm8k"]) == 0
    output = capsys.readouterr().out
    assert "google/gemma-2-9b-it" in output
    assert "samples_per_problem: 20" in output
