"""`tpt judge --task`: programs in a user's JSONL file, or the problems' own labelled ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tpt.cli import main
from tpt.errors import ConfigError, DataError, FileError
from tpt.judge_files import programs as file

pytestmark = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox")

RIGHT, HALF = "print(abs(int(input())))", "print(int(input()))"
CPP = "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << (n < 0 ? -n : n); }"
PROBLEM = {
    "name": "abs",
    "description": "Print the absolute value, see <image>.",
    "public_tests": {"input": ["3\n", "-4\n"], "output": ["3\n", "4\n"]},
    "private_tests": {"input": ["-5\n"], "output": ["5\n"]},
    "generated_tests": None,
    "solutions": {"language": [3, 2], "solution": [RIGHT, CPP]},
    "incorrect_solutions": {"language": [3] * 7, "solution": [HALF] * 7},
}


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def problems(tmp_path: Path) -> Path:
    return lines(tmp_path / "problems.jsonl", PROBLEM)


def judged(problems: Path, solutions: Path | None, *more: str) -> list[dict[str, Any]]:
    out = problems.parent / "out.jsonl"
    named = ["--solutions", str(solutions)] if solutions else []
    command = ["judge", "--task", "code_contests", "--problems", str(problems), *named, "--out", str(out), *more]
    assert main(command) == 0
    return [json.loads(line) for line in out.open()]


def test_the_verdicts_are_written_beside_the_columns(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solutions = lines(
        problems.parent / "solutions.jsonl",
        {"problem_id": "abs", "solution": RIGHT, "mine": 1},
        {"problem_id": "code_contests/test/abs", "solution": f"I take it so:\n```python\n{HALF}\n```", "mine": 2},
        {"problem_id": "abs", "solution": CPP, "language": "cpp", "mine": 3},
        {"problem_id": "abs", "solution": None, "mine": 4},
        {"problem_id": "abs", "solution": "print(1 / 0)", "mine": 5},
    )
    rows = judged(problems, solutions)
    assert [row["mine"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["status"] for row in rows] == ["correct", "partial", "correct", "no_answer", "wrong"]
    assert [(row["passed"], row["total"], row["first_failed"]) for row in rows[:3]] == [(3, 3, 0), (1, 3, 2), (3, 3, 0)]
    assert [row["kind"] for row in rows] == ["", "wrong answer", "", "no program", "crash"]
    assert "ZeroDivisionError" in rows[4]["reason"]
    assert {row["sandbox"] for row in rows} == {"bwrap"}
    said = capsys.readouterr().out
    assert "5 solutions" in said
    assert "NOT SANDBOXED" not in said
    assert said.rstrip().endswith("out.jsonl")


def test_a_line_of_the_solutions_is_named_by_its_number_in_the_file(problems: Path, tmp_path: Path) -> None:
    path, right = tmp_path / "solutions.jsonl", json.dumps({"problem_id": "abs", "solution": RIGHT})
    task = file.task("code_contests", problems, [])
    for row, words in (
        ('{"problem_id": "x", "solution": ""}', "line 3 is a solution to 'x'"),
        ('{"problem_id": ["abs"], "solution": ""}', "line 3 has a list as its 'problem_id'"),
        ('{"problem_id": "abs", "solution": ["print(1)"]}', "line 3 has a list as its 'solution'"),
    ):
        path.write_text(f"{right}\n\n{row}\n")
        with pytest.raises(DataError) as caught:
            file.judge_file(task, path, tmp_path / "out.jsonl", file.Columns(), False, Console())
        assert caught.value.message.startswith(f"{path}: {words}")
    before = problems.read_bytes()
    for taken in (path, problems):
        with pytest.raises(DataError, match=f"--out is the input file {taken}"):
            file.judge_file(task, path, taken, file.Columns(), False, Console())
    assert problems.read_bytes() == before
    with pytest.raises(FileError, match="is a folder"):
        file.judge_file(task, path, tmp_path, file.Columns(), False, Console())


def test_a_program_with_half_a_character_is_judged(problems: Path) -> None:
    rows = judged(problems, lines(problems.parent / "s.jsonl", {"problem_id": "abs", "solution": f"{RIGHT}  # \ud83d"}))
    assert [(row["status"], row["solution"]) for row in rows] == [("correct", f"{RIGHT}  # \ud83d")]


def test_all_tests_are_run_where_partial_credit_is_asked_for(problems: Path) -> None:
    source = "n = int(input())\nprint(n if n != -4 else 0)"
    solutions = lines(
        problems.parent / "solutions.jsonl", {"problem_id": "abs", "solution": source.replace("n if", "abs(n) if")}
    )
    assert judged(problems, solutions)[0]["passed"] == 1
    assert judged(problems, solutions, "--partial")[0]["passed"] == 2


def test_without_solutions_all_that_the_problems_come_with_are_judged(
    problems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = judged(problems, None)
    assert [(row["label"], row["language"]) for row in rows[:2]] == [("right", "cpp"), ("right", "python")]
    assert [row["status"] for row in rows] == ["correct"] * 2 + ["partial"] * 7
    said = capsys.readouterr().out
    assert "labelled right" in said
    assert "labelled wrong" in said


def test_columns_and_settings_can_be_named(problems: Path) -> None:
    solutions = lines(problems.parent / "solutions.jsonl", {"id": "abs", "code": "while True: pass"})
    [row] = judged(problems, solutions, "--id-column", "id", "--text-column", "code", "task.seconds=0.2")
    assert row["kind"] == "time limit"


def test_a_file_of_bare_programs_is_not_searched_for_fences(problems: Path) -> None:
    quoting = f'HELP = """\n```python\n{HALF}\n```\n"""\n{RIGHT}'
    solutions = lines(problems.parent / "solutions.jsonl", {"problem_id": "abs", "solution": quoting})
    assert judged(problems, solutions)[0]["status"] == "correct"


def test_solutions_of_ones_own_need_none_beside_the_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = {name: value for name, value in PROBLEM.items() if name not in ("solutions", "incorrect_solutions")}
    problems = lines(tmp_path / "problems.jsonl", bare)
    solutions = lines(tmp_path / "solutions.jsonl", {"problem_id": "abs", "solution": RIGHT})
    assert judged(problems, solutions)[0]["status"] == "correct"
    command = ["judge", "--task", "code_contests", "--problems", str(problems), "--out", str(tmp_path / "out.jsonl")]
    assert main(command) == 1
    assert "tpt judge --solutions FILE.jsonl" in capsys.readouterr().err


def test_problems_without_usable_tests_are_counted_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    untested = PROBLEM | {"name": "untested", "public_tests": None, "private_tests": None}
    problems = lines(tmp_path / "problems.jsonl", PROBLEM, untested)
    rows = judged(problems, None)
    assert [row["status"] for row in rows[-9:]] == ["gold_unreadable"] * 9
    assert {(row["kind"], row["reason"]) for row in rows[-9:]} == {("no usable tests", "it has no tests")}
    assert "no usable tests" in capsys.readouterr().out


def test_what_ran_without_a_sandbox_is_marked_loudly(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [first, *_] = judged(problems, None, "task.sandbox=none")
    assert first["sandbox"] == "none"
    assert "NOT SANDBOXED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"problem_id": "nobody", "solution": RIGHT},
            "line 1 is a solution to 'nobody', which is not among the problems",
        ),
        ({"problem_id": "abs"}, "no column 'solution'"),
    ],
)
def test_a_solution_that_cannot_be_judged_is_said_and_nothing_is_written(
    problems: Path, row: dict[str, str], message: str
) -> None:
    solutions, out = lines(problems.parent / "solutions.jsonl", row), problems.parent / "out.jsonl"
    with pytest.raises(DataError) as caught:
        file.judge_file(file.task("code_contests", problems, []), solutions, out, file.Columns(), False, Console())
    assert message in caught.value.message
    assert not out.exists()


def test_a_missing_column_is_said_with_what_can_be_done(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(problems.parent / "out.jsonl")
    solutions = lines(problems.parent / "solutions.jsonl", {"id": "abs", "code": RIGHT})
    command = [
        "judge",
        "--task",
        "code_contests",
        "--problems",
        str(problems),
        "--solutions",
        str(solutions),
        "--out",
        out,
    ]
    assert main(command) == 1
    assert "--id-column, --text-column" in capsys.readouterr().err
    assert main([*command, "--id-column", "id", "--text-column", "code"]) == 0
    lines(problems, {"title": "abs"})
    assert main([*command, "--id-column", "id", "--text-column", "code"]) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "cannot be renamed: every problem needs name, description, public_tests" in said


def test_the_solutions_are_not_written_over(problems: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solutions = lines(problems.parent / "solutions.jsonl", {"problem_id": "abs", "solution": RIGHT})
    command = ["judge", "--task", "code_contests", "--problems", str(problems), "--solutions", str(solutions)]
    assert main([*command, "--out", str(solutions)]) == 1
    assert "the input is never overwritten" in capsys.readouterr().err
    assert json.loads(solutions.read_text())["solution"] == RIGHT


def test_wrong_words_are_said() -> None:
    with pytest.raises(ConfigError, match="--task code_contest is not a code task") as caught:
        file.task("code_contest", None, [])
    assert "code_contests" in caught.value.hint
    with pytest.raises(ConfigError, match="cannot read 'seconds=3'"):
        file.task("code_contests", None, ["seconds=3"])
    with pytest.raises(ConfigError, match=r"no setting 'task\.secnods'"):
        file.task("code_contests", None, ["task.secnods=3"])
    with pytest.raises(DataError, match="there is no file"):
        list(file.task("code_contests", Path("/nowhere/problems.jsonl"), []).load("test"))


def test_a_command_with_neither_a_file_nor_a_task_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", "--out", str(tmp_path / "out.jsonl")]) == 1
    assert "FILE.jsonl, or --task with --problems" in capsys.readouterr().err
