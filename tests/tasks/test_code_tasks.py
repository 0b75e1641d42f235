"""Tasks of code: their problems, their settings, and which problems are set aside."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from tpt.errors import ConfigError, DataError
from tpt.judges.code.program import fenced
from tpt.judges.code.spec import Spec
from tpt.records import Problem, Sample, Status
from tpt.tasks import make
from tpt.tasks.base import Task
from tpt.tasks.code import CodeTask

needs_sandbox = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox")

SOLUTION = "print(int(input()) + {})"
NOTHING = {"input": ["1\n"], "output": [" \n"]}
CPP = "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n + 1; }"


def contest(number: int, **changed: Any) -> dict[str, Any]:
    """A row of CodeContests: print the number that is read plus `number`."""
    return {
        "name": f"problem {number}",
        "description": f"Read a number. Print it plus {number}.",
        "public_tests": {"input": ["1\n"], "output": [f"{1 + number}\n"]},
        "private_tests": {"input": ["5\n", "-3\n"], "output": [f"{5 + number}\n", f"{number - 3}\n"]},
        "generated_tests": {"input": ["9\n"], "output": [f"{9 + number}\n"]},
        "solutions": {"language": [2, 3], "solution": [CPP, SOLUTION.format(number)]},
        "incorrect_solutions": {"language": [3], "solution": ["print(0)"]},
        "time_limit": {"seconds": 1, "nanos": 500_000_000},
        "memory_limit_bytes": 2**30,
    } | changed


def call(number: int) -> dict[str, str]:
    """A row of LeetCodeDataset: add `number`."""
    return {
        "task_id": f"add-{number}",
        "problem_description": f"Add {number}.",
        "starter_code": "class Solution:\n    def add(self, x: int) -> int:\n        ",
        "prompt": "from typing import *\n",
        "entry_point": "Solution().add",
        "test": "def check(candidate):\n"
        f"    assert candidate(x=1) == {1 + number}\n    assert candidate(x=2) == {2 + number}",
        "completion": f"class Solution:\n    def add(self, x: int) -> int:\n        return x + {number}",
    }


def write(folder: Path, train: list[dict[str, Any]], test: list[dict[str, Any]]) -> Path:
    for name, rows in (("train", train), ("test", test)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def contests(path: Path, **settings: Any) -> CodeTask:
    return made({"name": "code_contests", "path": str(path), **settings})


def made(settings: dict[str, Any]) -> CodeTask:
    task = make(OmegaConf.create(settings))
    assert isinstance(task, CodeTask)
    return task


@pytest.fixture(params=["code_contests", "leetcode", "code_puzzles"])
def task(request: pytest.FixtureRequest, tmp_path: Path) -> CodeTask:
    row = {"code_contests": contest, "leetcode": call}.get(request.param)
    extra: dict[str, Any] = (
        {"path": str(write(tmp_path, [row(n) for n in range(9)], [row(n) for n in range(9, 14)]))} if row else {}
    )
    return made({"name": request.param, "train_size": 6, "test_size": 3, **extra})


def test_the_settings_are_checked(task: CodeTask) -> None:
    task.validate()
    task.sandbox = "docker"
    with pytest.raises(ConfigError, match=r"task\.sandbox=docker is not known; one of: bwrap, none"):
        task.validate()


def test_a_split_is_always_the_same_and_shares_no_question_with_the_other(task: Task) -> None:
    train, test = list(task.load("train")), list(task.load("test"))
    assert (len(train), len(test)) == (6, 3)
    assert train == list(task.load("train"))
    assert not {one.question for one in train} & {one.question for one in test}


@needs_sandbox
def test_the_human_solution_of_each_problem_is_right_and_another_program_is_not(task: CodeTask) -> None:
    problems = list(task.load("train"))
    for text, status in (
        ("", Status.CORRECT),  # the problem's own
        (fenced("print('?')", "python"), Status.WRONG),
        ("I do not know.", Status.NO_ANSWER),
    ):
        pairs = [(one, Sample(one.id, 0, [], [], text or one.solution, "stop")) for one in problems]
        assert {one.status for one in task.verdicts(pairs)} == {status}


def test_the_question_is_in_the_prompt_and_names_the_form_of_the_answer(task: CodeTask) -> None:
    problem = next(iter(task.load("train")))
    asked = task.instruct(problem.question)
    assert problem.question in asked
    assert "```python" in asked or any("```python" in shot for _, shot in task.worked_examples())


# code_contests


def test_public_tests_come_first_and_limits_are_the_problems(tmp_path: Path) -> None:
    path = write(tmp_path, [contest(1)], [contest(2, time_limit=None, memory_limit_bytes=0)])
    spec = Spec.of(next(iter(contests(path, tests=3).load("train"))))
    assert [stdin for stdin, _ in spec.tests] == ["1\n", "5\n", "-3\n"]
    assert (spec.seconds, spec.memory_mb) == (7.5, 1024)  # limits are set for compiled languages: 5 times 1.5 s
    spec = Spec.of(next(iter(contests(path).load("test"))))
    assert (spec.seconds, spec.memory_mb, len(spec.tests)) == (6.0, 512, 4)


def test_problems_with_images_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, [contest(1), contest(2, description="See <image> and add.")], [contest(3)])
    assert [one.id for one in contests(path).load("train")] == ["code_contests/train/problem 1"]
    assert sum(1 for _ in contests(path, images=True).load("train")) == 2


def test_a_contest_that_was_held_twice_keeps_both_problems(tmp_path: Path) -> None:
    path = write(tmp_path, [contest(1), contest(1, description="Again.")], [contest(3)])
    assert [one.id.rpartition("/")[2] for one in contests(path).load("train")] == ["problem 1", "problem 1#2"]


def test_a_problem_keeps_a_few_solutions_of_each_language_that_is_judged(tmp_path: Path) -> None:
    many = {"language": [1, 4, 2, 3, 3, 3, 2], "solution": ["py2", "java", "c1", "p1", "p2", "p3", "c2"]}
    path = write(tmp_path, [contest(1, solutions=many)], [contest(2)])
    spec = Spec.of(next(iter(contests(path, labelled=2).load("train"))))
    assert sorted(spec.references) == [("cpp", "c1"), ("cpp", "c2"), ("python", "p1"), ("python", "p2")]
    assert len(Spec.of(next(iter(contests(path, labelled=None).load("train")))).references) == 5


def test_parquet_as_the_hub_has_it_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split, numbers in (("train", range(3)), ("test", range(3, 5))):
        table = pa.Table.from_pylist([contest(number) for number in numbers])
        pq.write_table(table, tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    task = contests(tmp_path)
    assert len(task.files()) == 2
    lines = write(tmp_path / "data", [contest(number) for number in range(3)], [])
    assert [one.meta for one in task.load("train")] == [one.meta for one in contests(lines).load("train")]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"public_tests": None, "private_tests": {"input": ["1"], "output": []}},
            "'problem 1' is not as in CodeContests",
        ),
        ({"public_tests": {"input": "12", "output": "12"}}, "not a list: '12'"),
        ({"public_tests": "1"}, "'problem 1' is not as in CodeContests"),
        ({"public_tests": {"input": ["1"], "output": [2]}}, "not a text: 2"),
        ({"solutions": [SOLUTION]}, "'problem 1' is not as in CodeContests"),
        ({"solutions": {"language": [3], "solution": [None]}}, "not a text: None"),
        ({"description": None}, "a problem has no text as its name and description"),
    ],
)
def test_a_row_that_is_not_as_in_the_data_set_is_refused_by_name(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    path = write(tmp_path, [contest(1, **changed)], [contest(2)])
    with pytest.raises(DataError) as caught:
        list(contests(path).load("train"))
    assert message in caught.value.message


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    row = contest(1)
    del row["private_tests"]
    with pytest.raises(DataError, match="no column 'private_tests'") as caught:
        list(contests(write(tmp_path, [row], [])).load("train"))
    assert "cannot be renamed: every problem needs name, description, public_tests, private_tests" in caught.value.hint
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "one.parquet")
    with pytest.raises(DataError, match="no column private_tests"):
        list(contests(tmp_path / "one.parquet").load("train"))
    (tmp_path / "torn.parquet").write_bytes((tmp_path / "one.parquet").read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read as parquet"):
        list(contests(tmp_path / "torn.parquet").load("train"))


@needs_sandbox
def test_problems_whose_own_reference_fails_are_set_aside_with_the_reason(tmp_path: Path) -> None:
    rows = [
        contest(1),
        contest(2, solutions={"language": [3], "solution": ["print(0)"]}),
        contest(3, input_file="input.txt"),
        contest(4, public_tests=None, private_tests=None, generated_tests=None),
        contest(5, solutions={"language": [1], "solution": ["print 5"]}),
        contest(6, solutions={"language": [2], "solution": ["int main( {"]}),
        contest(7, public_tests=NOTHING, private_tests=NOTHING, generated_tests=None),
    ]
    aside: dict[str, str] = {}

    def reject(problem: Problem, reason: str) -> None:
        aside[problem.id.rpartition(" ")[2]] = reason

    task = contests(write(tmp_path, rows, []))
    kept = [one.id.rpartition(" ")[2] for one in task.screen(task.load("train"), reject)]
    assert kept == ["1", "5"]  # nothing speaks against a problem without a reference in a language of ours
    assert aside == {
        "2": "a reference fails test 1: wrong answer",
        "3": "it reads the file input.txt, not stdin",
        "4": "it has no tests",
        "6": "a reference fails test 1: compile error",
        "7": "its tests expect no output",
    }
    task.references = 0
    aside.clear()
    assert len(list(task.screen(task.load("train"), reject))) == 4
    assert sorted(aside) == ["3", "4", "7"]


@needs_sandbox
def test_no_program_is_right_or_wrong_where_the_problem_has_no_usable_tests(tmp_path: Path) -> None:
    rows = [contest(1, public_tests=None, private_tests=None, generated_tests=None), contest(2, input_file="in.txt")]
    task = contests(write(tmp_path, rows, []))
    texts = (fenced(SOLUTION.format(1), "python"), "I do not know.")
    pairs = [(one, Sample(one.id, 0, [], [], text, "stop")) for one in task.load("train") for text in texts]
    found = list(task.verdicts(pairs))
    assert {one.status for one in found} == {Status.GOLD_UNREADABLE}
    assert [one.reason for one in found] == ["it has no tests"] * 2 + ["it reads the file in.txt, not stdin"] * 2


def test_solutions_are_needed_only_where_references_are_run(tmp_path: Path) -> None:
    rows = [contest(number) for number in (1, 2)]
    for row in rows:
        del row["solutions"]
    task = contests(write(tmp_path, rows, []))
    with pytest.raises(DataError, match="'problem 1' has no column 'solutions'") as caught:
        list(task.load("train"))
    assert "task.references=0" in caught.value.hint
    task.references = 0
    assert len(list(task.load("train"))) == 2


@needs_sandbox
def test_solutions_may_be_asked_for_in_cpp(tmp_path: Path) -> None:
    task = contests(write(tmp_path, [contest(1)], [contest(2)]), language="cpp")
    [problem] = task.load("train")
    assert "```cpp" in task.instruct(problem.question)
    texts = [problem.solution, fenced(SOLUTION.format(1), "python")]
    pairs = [(problem, Sample(problem.id, index, [], [], text, "stop")) for index, text in enumerate(texts)]
    assert [one.status for one in task.verdicts(pairs)] == [Status.CORRECT, Status.NO_ANSWER]


# leetcode


def test_a_test_that_is_no_list_of_assertions_makes_its_problem_one_that_cannot_be_judged(tmp_path: Path) -> None:
    rows = [call(1), call(2) | {"test": "def check(candidate):\n    for x in range(3):\n        assert candidate(x)"}]
    aside: list[str] = []
    task = made({"name": "leetcode", "path": str(write(tmp_path, rows, [])), "references": 0})
    if not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed: make sandbox")
    kept = list(task.screen(task.load("train"), lambda _, reason: aside.append(reason)))
    assert [one.id for one in kept] == ["leetcode/train/add-1"]
    assert aside == ["its test is more than a list of assertions on `candidate`"]


def test_a_reference_that_is_no_text_is_said(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [call(1) | {"completion": None}, call(2) | {"completion": 3}]
    with pytest.raises(DataError, match="problem 2 has no text as its completion, but 3"):
        list(made({"name": "leetcode", "path": str(write(tmp_path, rows, []))}).load("train"))


def test_leetcode_is_in_python_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="LeetCode's assertions are Python"):
        made({"name": "leetcode", "path": str(tmp_path), "language": "cpp"}).validate()


# code_puzzles


def test_puzzles_have_eight_tests_that_do_not_all_have_the_same_answer() -> None:
    for problem in made({"name": "code_puzzles"}).load("train"):
        tests = Spec.of(problem).tests
        assert len({stdin for stdin, _ in tests}) == len(tests) == 8, problem.question
        assert len({answer for _, answer in tests}) > 1, problem.question


def test_the_worked_examples_are_in_neither_split() -> None:
    task = made({"name": "code_puzzles", "few_shot": 4, "train_size": 250, "test_size": 100})
    asked = {question for question, _ in task.worked_examples()}
    assert len(asked) == 4
    assert not asked & {one.question for one in [*task.load("train"), *task.load("test")]}


def test_more_puzzles_than_there_are_is_said() -> None:
    with pytest.raises(DataError, match="different train problems can be made"):
        list(made({"name": "code_puzzles", "train_size": 10**5, "max_steps": 1}).load("train"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_steps": 3}, "task.max_steps=3"),
        ({"language": "cpp"}, "code_puzzles are in Python"),
        ({"test_size": None}, "generated"),
        ({"seconds": 0}, "task.seconds=0"),
        ({"workers": 0}, "task.workers=0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made({"name": "code_puzzles", **settings}).validate()
