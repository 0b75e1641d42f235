"""Reports are made from run folders alone and say no more than the figures do."""

import csv
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from tpt import files
from tpt.cli import main
from tpt.config import Config
from tpt.errors import RunError
from tpt.evaluate.metrics import summarise
from tpt.loop import Stage
from tpt.records import Sample, Status, Verdict
from tpt.report import report
from tpt.run import Run

Make = Callable[..., Config]
PROBLEMS = 40


def finish_evaluation(run: Run, round: int, solved: int) -> None:
    """An evaluation in which the first `solved` problems are solved by both of their samples."""
    samples, verdicts = [], []
    for number in range(PROBLEMS):
        status = Status.CORRECT if number < solved else Status.WRONG
        for index in range(2):
            samples.append(Sample(f"p{number}", index, [], [1, 2], "text", "stop"))
            verdicts.append(Verdict(f"p{number}", index, status, status, status, "hash_marks", "1", "1"))
    metrics = summarise(samples, verdicts, run.config.evaluate, 0)
    stage = Stage(round, "evaluate")
    files.write_json(run.folder(stage) / "metrics.json", metrics)
    run.finish(stage, {"metrics": metrics}, 3.0)


@pytest.fixture
def run(tiny_config: Make) -> Run:
    """A run of two rounds, the second not evaluated yet."""
    run = Run.create(tiny_config("rounds=2"))
    finish_evaluation(run, 0, 10)
    run.finish(Stage(1, "think"), {"samples": 80, "tokens_per_second": 50.0}, 2.0)
    run.finish(Stage(1, "prune"), {"examples": 9, "kept": 9, "available": 80}, 2.0)
    run.finish(Stage(1, "train"), {"steps": 2, "first_loss": 1.0, "final_loss": 0.5}, 2.0)
    finish_evaluation(run, 1, 30)
    return run


def printed(run: list[Run], out: Path) -> str:
    console = Console(width=80, record=True, file=(out / "terminal").open("w"))
    for renderable in report(run, out).renderables:
        console.print(renderable)
    return console.export_text()


def test_a_report_has_a_row_for_each_evaluated_round(run: Run, tmp_path: Path) -> None:
    report([run], tmp_path)
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["round"] for row in rows] == ["0", "1"]
    assert [float(row["strict_pass@1"]) for row in rows] == [0.25, 0.75]
    assert float(rows[1]["gain_over_baseline"]) == 0.5
    assert float(rows[1]["gain_over_baseline_low"]) > 0
    assert rows[1]["kept"] == "9"
    markdown = (tmp_path / "table.md").read_text()
    assert "| baseline | 25.0 [" in markdown
    assert "| round 1 | +50.0 [" in markdown


def test_the_terminal_shows_whole_figures_in_80_columns_and_ends_with_the_figures_path(
    run: Run, tmp_path: Path
) -> None:
    text = printed([run], tmp_path)
    assert "75.0" in text
    assert "…" not in text
    assert "pass@1 strict rose by +50.0 [" in text
    assert text.replace("\n", "").rstrip().endswith(f"figure: {tmp_path / 'pass_at_k.png'}")


def test_a_change_within_the_noise_is_not_called_a_rise(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 20)
    finish_evaluation(run, 1, 20)
    assert "no change in pass@1 strict that can be told from noise" in " ".join(printed([run], tmp_path).split())


def test_a_fall_is_called_one(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 30)
    finish_evaluation(run, 1, 10)
    assert "FELL" in printed([run], tmp_path)


def test_figures_are_a_picture_and_a_drawing(run: Run, tmp_path: Path) -> None:
    report([run], tmp_path)
    assert (tmp_path / "pass_at_k.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "pass_at_k.svg").getroot().tag.endswith("svg")


def test_several_runs_are_told_apart_by_the_settings_in_which_they_differ(
    run: Run, tiny_config: Make, tmp_path: Path
) -> None:
    other = Run.create(tiny_config("rounds=2", "prune=ground_truth", "seed=3"))
    finish_evaluation(other, 0, 12)
    report([run, other], tmp_path)
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["prune.mode"], row["seed"]) for row in rows] == [("none", "0"), ("none", "0"), ("ground_truth", "3")]


def test_a_run_without_an_evaluation_has_no_report(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config())
    with pytest.raises(RunError, match="nothing is evaluated yet"):
        report([run], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_commands_report_and_status_read_a_run_folder(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run.root)]) == 0
    assert (run.report_dir / "table.md").exists()
    assert main(["status", str(run.root)]) == 0
    assert "owed" in capsys.readouterr().out
    assert main(["status", str(run.root.parent)]) == 0
    assert run.name[:20] in capsys.readouterr().out
