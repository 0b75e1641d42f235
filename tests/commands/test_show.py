"""`tpt show`: the first problems of a task, as they will be asked."""

import json
from pathlib import Path

import pytest

from tpt.cli import main

LINES = (
    "problem,answer,why\nWhat is 1 + 1?,2,One and one is 2.\nWhat is 2 + 2?,4,Two and two is 5.\nWhat is 3 + 3?,6,\n"
)
GIVEN = (
    "task=qa",
    "task.question=problem",
    "task.gold=answer",
    "task.judge=number",
    "task.solution=why",
    "task.system=Be brief.",
)


def show(folder: Path, *extra: str) -> int:
    (folder / "train.csv").write_text(LINES)
    (folder / "test.csv").write_text("problem,answer\nWhat is 4 + 4?,8\n")
    return main(["show", f"task.path={folder}", *GIVEN, *extra])


def test_prompt_gold_and_what_the_judge_reads_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(tmp_path, "task.on_bad_row=skip", "--problems", "5") == 0
    said = capsys.readouterr()
    assert "[system]\nBe brief.\n\n[user]\nWhat is 1 + 1?\n\nSolve it" in said.out
    assert "gold: 2\nthe judge, of the data's own solution: '2' (last_number): correct to the lenient" in said.out
    assert "gold: 4\nthe judge, of the data's own solution: '5' (last_number): wrong" in said.out
    assert "1 left out" in said.err
    assert "row 3 has no solution" in said.err


def test_what_is_wrong_is_an_error_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(tmp_path, "--json") == 1
    assert "1 of 3 rows cannot be used" in json.loads(capsys.readouterr().err)["error"]
    assert main(["show", "task=word_problems", "--set", "trian"]) == 1
    assert "did you mean 'train'?" in capsys.readouterr().err


def test_other_tasks_are_shown_too_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "task=word_problems", "--problems", "1", "--set", "test", "--json"]) == 0
    [one] = json.loads(capsys.readouterr().out)["problems"]
    assert one["id"] == "word_problems/test/0"
    assert [message["role"] for message in one["messages"]] == ["user", "assistant"] * 3 + ["user"]
    assert one["verdict"]["status"] == "correct"
    assert one["read"] == f"'{one['gold']}' (hash_marks): correct"
