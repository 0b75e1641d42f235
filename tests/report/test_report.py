"""Reports are made from run folders alone and say no more than the figures do."""

import csv
import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from evaluations import finish_evaluation
from rich.console import Console

from tpt.cli import main
from tpt.errors import RunError
from tpt.evaluate import store
from tpt.report import report
from tpt.report import rows as report_rows
from tpt.report.latex import escape
from tpt.report.rows import distinguishing
from tpt.report.table import EXTRA_TITLE
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.sweep import Sweep

Make = Callable[..., Config]


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


def printed(run: list[Run], out: Path, width: int = 80) -> str:
    console = Console(width=width, record=True, file=(out / "terminal").open("w"))
    for renderable in report(run, out).renderables:
        console.print(renderable)
    return console.export_text()


def test_a_report_has_a_row_for_each_evaluated_round(run: Run, tmp_path: Path) -> None:
    report([run], tmp_path)
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["round"] for row in rows] == ["0", "1"]
    assert [float(row["strict_pass@1"]) for row in rows] == [0.25, 0.75]
    assert float(rows[1]["strict_pass@1_gain_over_baseline"]) == 0.5
    assert float(rows[1]["lenient_pass@1_gain_over_previous_low"]) > 0
    assert float(rows[1]["strict_pass@2_gain_over_baseline"]) == 0.5
    assert (rows[0]["seconds_think"], rows[1]["seconds_think"]) == ("", "2.0")
    assert rows[1]["kept"] == "9"
    markdown = (tmp_path / "table.md").read_text()
    assert "| baseline | 25.0 [" in markdown
    assert "| round 1 | +50.0 [" in markdown
    assert [markdown.count(f"Gain in pass@{k}, points, paired by problem") for k in (1, 2)] == [1, 1]


def test_the_terminal_shows_whole_figures_in_80_columns_and_ends_with_the_paths_of_page_and_figure(
    run: Run, tmp_path: Path
) -> None:
    text = printed([run], tmp_path)
    assert "75.0" in text
    assert "…" not in text
    assert "pass@1 strict rose by +50.0 [" in text
    last = f"page: {tmp_path / 'report.html'} figure: {tmp_path / 'pass_at_k.png'}"
    assert "".join(text.split()).endswith("".join(last.split()))


def test_a_change_within_the_noise_is_not_called_a_rise(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 20)
    finish_evaluation(run, 1, 20)
    assert "no change in pass@1 strict that can be told from noise" in " ".join(printed([run], tmp_path).split())


def test_a_gain_that_only_the_strict_reader_sees_is_said_to_be_maybe_one_of_format(
    tiny_config: Make, tmp_path: Path
) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 10, leniently=30)
    finish_evaluation(run, 1, 30)
    text = " ".join(printed([run], tmp_path).split())
    assert "pass@1 strict rose by +50.0" in text
    assert re.search(r"lenient \+0\.0 \[-\d\.\d, \+\d\.\d\], so the gain may be one of format alone", text)


def test_a_gain_that_both_readers_see_is_not_put_in_doubt(run: Run, tmp_path: Path) -> None:
    assert "format alone" not in printed([run], tmp_path)


def test_the_gain_is_of_the_smallest_k_that_was_asked_for(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1", "evaluate.ks=[2]"))
    finish_evaluation(run, 0, 10)
    finish_evaluation(run, 1, 30)
    text = printed([run], tmp_path)
    assert "pass@2 strict rose by" in text
    assert "pass@1" not in text


def test_the_gain_is_reckoned_at_the_k_it_names(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1", "evaluate.ks=[2]"))
    finish_evaluation(run, 0, 0)
    finish_evaluation(run, 1, 20)
    folder = run.folder(Stage(1, "evaluate"))
    metrics = store.load(folder)
    metrics["per_problem"]["strict"] = [1] * 20 + [0] * 20  # one of two samples: pass@1 is 25 %, pass@2 is 50 %
    store.save(folder, metrics)
    assert "pass@2 strict rose by +50.0 [" in printed([run], tmp_path)


def test_intervals_say_how_wide_they_are_meant_to_be(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1", "evaluate.confidence=0.8"))
    finish_evaluation(run, 0, 10)
    report([run], tmp_path)
    for name in ("table.md", "pass_at_k.svg"):
        assert "80 % intervals" in (tmp_path / name).read_text()


def test_a_fall_is_called_one(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 30)
    finish_evaluation(run, 1, 10)
    assert "FELL" in printed([run], tmp_path)


def test_figures_are_a_picture_and_drawings(run: Run, tmp_path: Path) -> None:
    report([run], tmp_path)
    assert (tmp_path / "pass_at_k.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "pass_at_k.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(tmp_path / "pass_at_k.svg").getroot().tag.endswith("svg")


def test_tables_for_a_paper_hold_the_figures_of_the_others(run: Run, tmp_path: Path) -> None:
    report([run], tmp_path)
    text = (tmp_path / "table.tex").read_text()
    assert r"\caption{Shares in \%, with 95 \% intervals over problems.}" in text
    assert r"baseline & 25.0 {\scriptsize [" in text
    assert r"round 1 & +50.0 {\scriptsize [" in text
    assert "% not evaluated yet: round 2." in text.splitlines()
    for rule in ("toprule", "midrule", "bottomrule", "end{table}"):
        assert text.count(rf"\{rule}") == 4, "figures, gains at each k, costs"


def test_a_setting_is_no_command_in_latex(run: Run, tiny_config: Make, tmp_path: Path) -> None:
    other = Run.create(tiny_config("rounds=2", "evaluate.ks=[2]", f"run_root='{tmp_path / 'a_b%c&d#e'}'"))
    finish_evaluation(other, 0, 12)
    report([run, other], tmp_path)
    lines = (tmp_path / "table.tex").read_text().splitlines()
    assert r"evaluate.ks & round" in "".join(lines)
    assert any(line.startswith("{}[2] & baseline") for line in lines), "a bracket after a row's end is its height"
    assert escape(r"a_b%c&d#e{}\~^$") == (r"a\_b\%c\&d\#e\{\}\textbackslash{}\textasciitilde{}\textasciicircum{}\$")


def test_a_sweeps_folder_gets_the_report_of_its_runs(run: Run, tiny_config: Make) -> None:
    other = Run.create(tiny_config("rounds=2", "prune=ground_truth"))
    finish_evaluation(other, 0, 12)
    points = [["prune=none"], ["prune=ground_truth"]]
    sweep = Sweep.of(points, [run, other])
    sweep.write(points)
    assert main(["report", str(sweep.folder), "--html"]) == 0
    assert "2 runs" in (sweep.folder / "report.html").read_text()
    page = sweep.folder / "other.html"
    assert main(["report", str(sweep.folder), "--html", str(page)]) == 0
    assert page.exists()


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


def test_what_is_not_evaluated_yet_is_said_with_how_far_it_is(run: Run, tmp_path: Path) -> None:
    run.finish(Stage(2, "think"), {}, 1.0)
    run.finish(Stage(2, "prune"), {"examples": 7}, 1.0)
    note = "not evaluated yet: round 2 (done: think, prune; 7 examples kept)"
    assert note in printed([run], tmp_path)
    assert note in (tmp_path / "table.md").read_text()


def test_a_stage_that_is_missing_has_an_empty_cell_and_not_0_seconds(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 1, 20)  # no baseline, no other stage
    report([run], tmp_path)
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert [line for line in lines if line.startswith("| round 1")][
        -1
    ] == f"| round 1 |  |{'  |' * (len(table.ROUND) - 1)} 3 |"
    assert "Gain" not in "".join(lines)


def test_figures_that_are_gone_are_an_error_that_says_what_to_do(run: Run, tmp_path: Path) -> None:
    (run.folder(Stage(1, "evaluate")) / "metrics.json").unlink()
    with pytest.raises(RunError, match=r"metrics\.json is gone"):
        report([run], tmp_path / "out")


def test_runs_with_different_k_share_a_report(run: Run, tiny_config: Make, tmp_path: Path) -> None:
    other = Run.create(tiny_config("rounds=2", "evaluate.ks=[2]"))
    finish_evaluation(other, 0, 12)
    finish_evaluation(other, 1, 20)
    for runs in ([run, other], [other, run]):
        text = printed(runs, tmp_path, width=100)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= 100
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["strict_pass@1"] for row in rows] == ["", "", "0.25", "0.75"]
    assert [row["strict_pass@2"] for row in rows] == ["0.3", "0.5", "0.25", "0.75"]


def test_a_place_that_cannot_be_written_is_said_before_anything_is(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "pass_at_k.svg").mkdir(parents=True)
    places = (
        (["--out", "/proc/nope"], "/proc/nope/table.md cannot be written: No such file"),
        (["--out", str(tmp_path / "file")], "is a file, and a folder is needed there"),
        (["--out", str(tmp_path / "new" / ("n" * 300))], "too long for the file system"),
        (["--out", str(tmp_path / "taken")], "pass_at_k.svg is a folder"),
        (
            ["--out", str(tmp_path / "out"), "--html", str(tmp_path / "file" / "page.html")],
            "is a file, and a folder is needed there",
        ),
        (["--out", str(tmp_path / "out"), "--html", "/dev/null"], "/dev/null is not a regular file"),
        (["--out", str(tmp_path / "out"), "--html", str(tmp_path)], f"{tmp_path} is a folder"),
    )
    for place, words in places:
        assert main(["report", str(run.root), *place]) == 1
        assert words in "".join(capsys.readouterr())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "runs", "taken"]
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["pass_at_k.svg"]


def test_a_run_named_twice_counts_once(run: Run, tmp_path: Path) -> None:
    report([run, Run.open(run.root)], tmp_path)
    assert len(list(csv.DictReader((tmp_path / "table.csv").open()))) == 2


def test_runs_of_one_config_are_told_apart_by_their_folders(run: Run, tiny_config: Make, tmp_path: Path) -> None:
    again = Run.create(tiny_config("rounds=2", f"run_root={tmp_path / 'again'}"))
    finish_evaluation(again, 0, 11)
    assert again.name == run.name
    report([run, again], tmp_path)
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [row["folder"] for row in rows] == [str(run.root), str(run.root), str(again.root)]


def test_a_setting_that_only_one_task_has_tells_runs_apart(run: Run, tiny_config: Make) -> None:
    other = Run.create(tiny_config("rounds=2", "task=reasoning_gym"))
    here, there = distinguishing([run, other])
    own = {key for key, value in there.items() if key.startswith("task.") and here[key] == ""}
    assert own, "reasoning_gym has settings that word_problems has not"
    assert here.keys() == there.keys()


def test_the_same_run_folder_gives_the_same_report(run: Run, tmp_path: Path) -> None:
    first, second = (report([run], tmp_path / name).paths for name in ("one", "two"))
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_what_each_threshold_of_soft_positive_keeps_is_told(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 10)
    by_threshold = {"one": 60, "0.5": 40, "all_but_one": 20, "1.0": 1500}
    run.finish(Stage(1, "prune"), {"examples": 9, "kept": 9, "available": 80, "by_threshold": by_threshold}, 2.0)
    finish_evaluation(run, 1, 20)
    said = printed([run], tmp_path, 120)
    assert "samples that each threshold of soft-positive pruning keeps" in " ".join(said.split())
    table = (tmp_path / "table.md").read_text()
    assert "| round | at least 1 test | 0.5 of tests | all but 1 test | all tests |" in table
    assert "| round 1 | 60 | 40 | 20 | 1,500 |" in table
    assert list(csv.DictReader((tmp_path / "table.csv").open()))[1]["kept_at_all_but_one"] == "20"


def test_samples_that_could_not_be_judged_are_told_in_every_artefact(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 10)
    assert "judge errors" not in printed([run], tmp_path)
    finish_evaluation(run, 1, 20, unjudged=4)
    said = " ".join(printed([run], tmp_path, 120).split())
    note = "round 1: 8 of 80 samples could not be judged: the judge failed. They count as not correct"
    assert note in said
    assert "pass@1 strict says nothing of a gain" in said
    assert not re.search(r"pass@1 strict (rose|FELL)", said)
    table, page = ((tmp_path / name).read_text() for name in ("table.md", "report.html"))
    assert "| well formed | cut off | judge errors |" in table
    assert note in table
    assert note in page
    assert "judge errors" in page
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["judge_error"], row["well_formed"]) for row in rows] == [("0.0", "1.0"), ("0.1", "0.9")]


def test_what_was_judged_without_a_sandbox_is_marked_in_every_artefact(tiny_config: Make, tmp_path: Path) -> None:
    run = Run.create(tiny_config("rounds=1"))
    finish_evaluation(run, 0, 10)
    assert "NOT SANDBOXED" not in printed([run], tmp_path)
    run.finish(Stage(1, "prune"), {"examples": 9, "kept": 9, "available": 80, "sandbox": "none"}, 2.0)
    finish_evaluation(run, 1, 20)
    assert "NOT SANDBOXED" in printed([run], tmp_path)
    assert "NOT SANDBOXED" in (tmp_path / "table.md").read_text()
    assert "NOT SANDBOXED" in (tmp_path / "pass_at_k.svg").read_text()
    assert [row["sandbox"] for row in csv.DictReader((tmp_path / "table.csv").open())] == ["", "none"]


def test_what_a_stage_adds_has_its_column_in_every_artefact(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = printed([run], tmp_path)
    assert EXTRA_TITLE not in " ".join(before.split())
    assert EXTRA_TITLE.capitalize() not in (tmp_path / "table.md").read_text()

    def extra(run: Run, round: int) -> dict[str, str | float]:
        return {"augment copies": 1234, "augment share": 0.25, "augment how": "a|b"} if round else {}

    monkeypatch.setattr(report_rows, "extra_columns", extra)
    said = printed([run], tmp_path)
    assert EXTRA_TITLE in " ".join(said.split())
    assert "1,234" in said and "0.25" in said
    table = (tmp_path / "table.md").read_text()
    assert "| round | augment copies | augment share | augment how |" in table
    assert "| baseline |  |  |  |\n| round 1 | 1,234 | 0.25 | a\\|b |" in table
    assert r"round 1 & 1,234 & 0.25 & a|b \\" in (tmp_path / "table.tex").read_text()
    found = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["augment copies"], row["augment share"]) for row in found] == [("", ""), ("1234", "0.25")]
    page = (tmp_path / "report.html").read_text()
    assert '<th scope="col">augment copies</th>' in page and "<td>1,234</td>" in page


def test_a_further_stage_of_a_round_has_its_time_in_the_report(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = table.ROUND.index(table.TRAIN)
    augment = dataclasses.replace(table.PRUNE, name="augment")
    monkeypatch.setattr(table, "ROUND", (*table.ROUND[:at], augment, *table.ROUND[at:]))
    monkeypatch.setitem(table.SPECS, "augment", augment)
    assert report_rows.stage_names() == ["think", "judge", "prune", "augment", "train", "evaluate"]
    report([run], tmp_path)
    assert "prune seconds | augment seconds | train seconds" in (tmp_path / "table.md").read_text()
    assert '<li class="s5">evaluate</li>' in (tmp_path / "report.html").read_text()
