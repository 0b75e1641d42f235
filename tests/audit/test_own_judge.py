"""A run over a table with a judge of the user's own, whose examples come from two sources."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from honest_run import SIZES, honest_run

from tpt.audit.recorded import Recorded
from tpt.audit.trace import trace
from tpt.cli import main
from tpt.runs.folder import Run
from tpt.settings.compose import compose

Captured = pytest.CaptureFixture[str]
JUDGE = "def right(text, row):\n    return text.rstrip('.').endswith(' ' + row['answer'])\n"
STRICTER = JUDGE.replace("text.rstrip('.')", "'####' in text and text")


@pytest.fixture(scope="module")
def table_run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a CSV file, judged by a function, that trains on its own and on the data's solutions."""
    folder = tmp_path_factory.mktemp("table")
    rows = [f"What is {number} plus {number}?,{2 * number},I add.\n#### {2 * number}" for number in range(20)]
    quoted = "\n".join(",".join(f'"{cell}"' for cell in row.split(",")) for row in rows)
    (folder / "sums.csv").write_text(f"question,answer,why\n{quoted}\n")
    (folder / "judge.py").write_text(JUDGE)
    words = ["experiment=smoke", "sampler=transformers", "task=qa", f"task.path={folder / 'sums.csv'}", *SIZES]
    words += ["task.test_size=3", f"task.judge=python:{folder / 'judge.py'}:right", "task.solution=why", "rounds=1"]
    words += ["prune.source=mix", "prune.mix.self=4", "prune.mix.human=3", "prune.examples=null", "task.licence=mine"]
    return honest_run(compose([*words, f"run_root={folder / 'runs'}"]), tiny_model)


@pytest.fixture
def judge(table_run: Run) -> Callable[[str], None]:
    """Writes another judge into the file that the run names."""

    def write(text: str) -> None:
        (table_run.root.parent.parent / "judge.py").write_text(text)

    return write


def test_it_agrees_and_says_where_each_example_is_from(table_run: Run, capsys: Captured) -> None:
    assert main(["verify", str(table_run.root)]) == 0, capsys.readouterr().out
    assert "not checked: " not in capsys.readouterr().out
    ways = [trace(Recorded.open(table_run.root), 1, number) for number in range(1, 8)]
    by_source = {source: [way for way in ways if way["example"]["source"] == source] for source in ("self", "human")}
    assert (len(by_source["self"]), len(by_source["human"])) == (4, 3)
    assert by_source["human"][0]["sample"] is None
    assert "no model sampled it" in by_source["human"][0]["why"]
    problem = by_source["self"][0]["problem"]
    assert problem["source"].endswith(f"(train), row {problem['id'].rpartition('/')[2]}")
    assert problem["licence"] == "mine"


def test_another_judge_reads_the_rows_as_it_needs_them(table_run: Run, capsys: Captured) -> None:
    """The numbers 7 and 7.0 are equal to the judge of numbers; its gold answers come from the file again."""
    assert main(["rejudge", str(table_run.root), "task.judge=number"]) == 0
    said = capsys.readouterr().out
    assert "correct -> no_answer" in said, "`The answer is 8.` is not in the form that the strict reader reads"
    assert "task.judge=number" in said


def test_a_judge_whose_file_has_changed_is_left_to_rejudge(
    table_run: Run, judge: Callable[[str], None], capsys: Captured
) -> None:
    judge(STRICTER)
    try:
        assert main(["verify", str(table_run.root)]) == 0
        assert "what task.files stands for has changed since this run was made" in capsys.readouterr().out
        assert main(["rejudge", str(table_run.root)]) == 0
        assert "correct -> wrong" in capsys.readouterr().out
    finally:
        judge(JUDGE)


def test_without_the_data_a_judge_that_needs_it_says_so(table_run: Run, capsys: Captured) -> None:
    data = table_run.root.parent.parent / "sums.csv"
    shutil.move(data, data.with_suffix(".away"))
    try:
        assert main(["rejudge", str(table_run.root), "task.judge=number"]) == 1
        assert "sums.csv" in capsys.readouterr().err
    finally:
        shutil.move(data.with_suffix(".away"), data)
