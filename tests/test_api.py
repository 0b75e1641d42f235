"""tpt from Python: what a call returns is what lies in the run folder, and importing it costs nothing."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tpt
from tpt import records
from tpt.records import Example, Sample, Status, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

# A script without `if __name__ == "__main__"`; the judge compares expressions in further processes.
SCRIPT = """\
import sys, tpt
run = tpt.run("tiny-random", "word_problems", sys.argv[1:])
verdict = tpt.judge(gold="x^2 + 1", completion="#### 1 + x*x")
print(run.path, run.done, run.rounds, len(run.samples(1)), len(run.examples(1)), verdict.lenient)
"""


@pytest.fixture
def made(make_run: Callable[..., Run]) -> tuple[Run, tpt.Results]:
    run = make_run(rounds=2, problems=6, samples=3)
    run.finish(Stage(0, "prepare"), {"train": 6, "test": 6, "model_dir": str(run.root)}, 1.0)
    return run, tpt.open_run(run.root)


def test_importing_tpt_imports_nothing_else() -> None:
    code = "import sys; before = {*sys.modules}; import tpt; print(sorted({*sys.modules} - before)); print(dir(tpt))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, names = done.stdout.splitlines()
    assert "'tpt'" in imported
    assert "tpt." not in imported
    assert all(f"'{name}'" in names for name in tpt.__all__)
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        getattr(tpt, "rum")  # noqa: B009  # written out, it is an error to type checkers too


def test_samples_are_those_of_the_stage_each_with_its_verdict_and_its_problem(made: tuple[Run, tpt.Results]) -> None:
    run, results = made
    for stage, judged, problems in (("think", "judge", "train"), ("evaluate", "evaluate", "test")):
        found = results.samples(2, stage)
        samples = records.read(records.shards(run.folder(Stage(2, stage)), "samples"), Sample)
        verdicts = records.read(records.shards(run.folder(Stage(2, judged)), "verdicts"), Verdict)
        golds = {row["id"]: row["gold"] for row in results.problems(problems)}
        for row, sample, verdict in zip(found, samples, verdicts, strict=True):
            assert (row["problem_id"], row["index"], row["text"]) == (sample.problem_id, sample.index, sample.text)
            assert row["completion_ids"] == sample.completion_ids
            assert (row["strict"], row["lenient_answer"]) == (verdict.strict, verdict.lenient_answer)
            assert row["gold"] == golds[sample.problem_id]


def test_examples_are_those_that_the_round_was_trained_on(made: tuple[Run, tpt.Results]) -> None:
    run, results = made
    expected = [one.text for one in records.read(run.examples_path(1), Example)]
    assert results.examples(1)["text"][:] == expected
    assert expected


def test_metrics_are_the_columns_of_the_reports_table(made: tuple[Run, tpt.Results]) -> None:
    run, results = made
    assert results.report() == run.report_dir / "report.html"
    rows = list(csv.DictReader((run.report_dir / "table.csv").open(encoding="utf-8")))
    found = results.metrics()
    assert [int(row["round"]) for row in rows] == [row["round"] for row in found] == [0, 1, 2]
    for row, record in zip(found, rows, strict=True):
        assert float(record["strict_pass@1"]) == row["strict_pass@1"]
        assert {name: "" if value is None else str(value) for name, value in row.items()} == record


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: run.samples(3), "has no stage round-03/think"),
        (lambda run: run.samples(0), "has no stage round-00/think"),
        (lambda run: run.samples(1, "train"), "round-01/train samples nothing"),
        (lambda run: run.examples(0), "has no stage round-00/train"),
        (lambda run: run.problems("dev"), "has no set of problems 'dev'"),
        (lambda run: tpt.open_run(run.path / "report"), "is not a run folder"),
    ],
)
def test_what_a_run_does_not_have_is_said(
    made: tuple[Run, tpt.Results], call: Callable[[tpt.Results], object], message: str
) -> None:
    with pytest.raises(tpt.TptError, match=message) as caught:
        call(made[1])
    assert caught.value.hint


def test_what_is_not_done_yet_is_said(made: tuple[Run, tpt.Results]) -> None:
    run, results = made
    assert results.done
    for stage in ("judge", "prune"):
        run.manifest_path(Stage(2, stage)).unlink()
    assert not results.done
    for call in (results.samples, results.examples):
        with pytest.raises(tpt.TptError, match=r"round-02/\w+ of .* is not done yet"):
            call(2)


def test_verdicts_of_other_samples_are_refused(made: tuple[Run, tpt.Results]) -> None:
    run, results = made
    first, second = records.shards(run.folder(Stage(1, "judge")), "verdicts")
    second.write_bytes(first.read_bytes())
    with pytest.raises(tpt.TptError, match="does not hold the verdicts of"):
        results.samples(1)


def test_the_judge_is_the_one_of_the_tasks() -> None:
    one = tpt.judge(gold="6", completion="The answer is 6.")
    assert (one.strict, one.lenient, one.status) == (Status.NO_ANSWER, Status.CORRECT, Status.PARTIAL)
    assert [each.strict for each in tpt.judge_all([("6", "#### 6"), ("6", "#### 7")])] == ["correct", "wrong"]


def test_errors_are_those_of_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(tpt.TptError) as caught:
        tpt.run("tiny-randon", overrides=[f"run_root={tmp_path}"])
    assert caught.value.hint == "did you mean 'tiny-random'?"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_call_is_continued_by_the_same_call(
    tiny_command: Callable[..., list[str]], warm_imports: dict[str, str], tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), *tiny_command("rounds=1")[1:]]
    environment = os.environ | warm_imports
    begun = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (thought := list((tmp_path / "runs").glob("*/round-01/think/manifest.json"))):
        assert begun.poll() is None
        time.sleep(0.05)
    begun.send_signal(signal.SIGKILL)
    begun.wait()
    written = thought[0].stat().st_mtime_ns
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [root] = find(tmp_path / "runs")
    assert done.stdout.split() == [str(root), "True", "1", "24", "12", "correct"], "nothing else on standard output"
    assert "stages owed" in done.stderr
    assert thought[0].stat().st_mtime_ns == written
