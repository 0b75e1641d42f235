"""The judge against labelled solutions of real contests: what it says and what is known of them."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tpt.judge_files import programs as file
from tpt.judges.code.judge import Judge
from tpt.judges.code.program import Language
from tpt.judges.code.spec import Kind, Result, Spec
from tpt.records import Problem
from tpt.tasks.base import Task

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "code"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.exists(), reason="the shared data is not beside this checkout"),
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox"),
]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as made:
        yield made


VERDICTS = {Kind.NONE: "AC", Kind.WRONG_ANSWER: "WA", Kind.CRASH: "RE", Kind.MEMORY: "RE", Kind.TIME: "TLE"}
Job = tuple[Spec, Language, str]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).open()]


def loaded(task: Task) -> list[Problem]:
    return list(task.load("test"))


def all_right(result: Result) -> bool:
    return result.passed == result.total > 0


def test_every_reference_of_codecontests_passes_and_every_incorrect_solution_fails(judge: Judge) -> None:
    specs = [Spec.of(one) for one in loaded(file.task("code_contests", DATA / "codecontests100.jsonl", []))]
    right = list(judge.results(((one, *source) for one in specs for source in one.references), partial=False))
    wrong = list(judge.results(((one, *source) for one in specs for source in one.incorrect), partial=False))
    assert (len(right), sum(map(all_right, right))) == (100, 100)
    assert (len(wrong), sum(map(all_right, wrong))) == (9, 0)


def test_every_kattis_submission_agrees_with_its_label_and_its_measured_verdicts(judge: Judge) -> None:
    records = {f"code_contests/test/{row['name']}": row for row in rows("kattis38.jsonl")}
    problems = loaded(file.task("code_contests", DATA / "kattis38.jsonl", ["task.tests=null"]))
    submissions = [(Spec.of(one), made) for one in problems for made in records[one.id]["submissions"]]
    jobs: Iterator[Job] = ((spec, "python", made["solution"]) for spec, made in submissions)
    results = list(judge.results(jobs, partial=True))
    assert len(results) == 181
    for (_, made), result in zip(submissions, results, strict=True):
        known = made["measured"]
        first = next((number for number, one in enumerate(known, 1) if one != "AC"), 0)
        assert (result.passed, result.total, result.first_failed) == (known.count("AC"), len(known), first), made
        assert VERDICTS[result.kind] == (known[first - 1] if first else "AC"), made
        if made["expected"] != "partially_accepted":  # such a one may pass the tests that are here
            assert all_right(result) == (made["expected"] == "accepted"), made


def test_every_completion_of_leetcode_passes_and_answers_of_a_model_get_their_measured_verdict(judge: Judge) -> None:
    records = {f"leetcode/test/{row['task_id']}": row for row in rows("leetcode54.jsonl")}
    problems = loaded(file.task("leetcode", DATA / "leetcode54.jsonl", []))
    right = judge.results(((spec, *spec.references[0]) for spec in map(Spec.of, problems)), partial=False)
    assert sum(map(all_right, right)) == len(problems) == 54
    answered = [one for one in problems if records[one.id].get("model_response_code")]
    assert answered
    jobs: Iterator[Job] = ((Spec.of(one), "python", records[one.id]["model_response_code"]) for one in answered)
    said = {one.id: all_right(result) for one, result in zip(answered, judge.results(jobs, partial=False), strict=True)}
    assert said == {one.id: records[one.id]["model_response_passes"] for one in answered}
