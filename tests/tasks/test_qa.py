"""`task=qa`: a user's own data by settings alone; what is wrong with the data is said in the user's words."""

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from tpt import prompt
from tpt.errors import ConfigError, DataError, TptError
from tpt.records import Problem, Sample, Status, Verdict
from tpt.settings.model import AS_IT_IS
from tpt.tasks import make, rows
from tpt.tasks.base import Task
from tpt.tasks.columns import LONGEST

Row = dict[str, Any]
ROWS: list[Row] = [{"q": f"What is {i} + {i}?", "a": 2 * i, "why": f"{i} + {i} = {2 * i}"} for i in range(10, 30)]
CAPITALS: list[Row] = [
    {"q": "Capital of France?", "options": ["Rome", "Paris", "Bonn"], "a": "B"},
    {"q": "Capital of Italy?", "options": ["Rome", "Paris"], "a": "A"},
    {"q": "Capital of Japan?", "options": ["Kyoto", "Nara", "Tokyo", "Osaka"], "a": "C"},
]


def jsonl(path: Path, some: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    return path


def in_csv(path: Path, some: list[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, list(some[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(some)
    return path


def qa(path: Path | str, **extra: object) -> Task:
    task = make(OmegaConf.create({"name": "qa", "path": str(path), "question": "q", "gold": "a", **extra}))
    task.validate()
    return task


def problems(task: Task) -> list[Problem]:
    return [one for split in ("train", "test") for one in task.load(split)]


def by_question(task: Task) -> dict[str, Problem]:
    return {one.question.partition("\n")[0]: one for one in problems(task)}


def judged(task: Task, problem: Problem, text: str) -> Verdict:
    [verdict] = task.verdicts([(problem, Sample(problem.id, 0, [], [], text, "stop"))])
    return verdict


def refused(path: Path, **extra: object) -> TptError:
    with pytest.raises((DataError, ConfigError)) as caught:
        problems(qa(path, **extra))
    return caught.value


# where rows come from


WRITERS: dict[str, Callable[[Path, list[Row]], object]] = {
    "jsonl": jsonl,
    "json": lambda path, some: path.write_text(json.dumps({"version": 1, "data": some})),
    "csv": in_csv,
    "tsv": in_csv,
    "parquet": lambda path, some: pq.write_table(pa.Table.from_pylist(some), path),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_file_of_each_kind_gives_the_same_problems(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"mine.{kind}"
    WRITERS[kind](path, ROWS)
    found = problems(qa(path, solution="why"))
    assert sorted((one.question, one.gold) for one in found) == sorted((row["q"], str(row["a"])) for row in ROWS)
    first = next(one for one in found if one.question == "What is 10 + 10?")
    assert first.solution == "10 + 10 = 20\n#### 20"


def test_a_folder_has_a_file_for_each_split_and_needs_no_share(tmp_path: Path) -> None:
    in_csv(tmp_path / "train.csv", ROWS[:12])
    jsonl(tmp_path / "test.jsonl", ROWS[12:16])
    in_csv(tmp_path / "dev.csv", ROWS[16:])
    task = qa(tmp_path)
    assert task.sets == ("train", "test", "dev")
    assert [sum(1 for _ in task.load(split)) for split in task.sets] == [12, 4, 4]
    assert [path.name for path in task.files()] == ["train.csv", "test.jsonl", "dev.csv"]


def test_a_cell_of_a_csv_file_stays_as_it_is_written(tmp_path: Path) -> None:
    odd = [{"q": f"Say {one!r}", "a": one} for one in ("007", "None", "NA", "1e5", 'a "b", c', "two\nlines")]
    task = qa(in_csv(tmp_path / "odd.csv", odd), judge="text")
    assert sorted(one.gold for one in problems(task)) == sorted(row["a"] for row in odd)


def test_the_hubs_client_loads_what_is_not_a_file(tmp_path: Path) -> None:
    jsonl(tmp_path / "train.jsonl", ROWS)
    datasets.disable_progress_bars()
    assert [row["q"] for row in rows.from_hub(str(tmp_path), "train")] == [row["q"] for row in ROWS]
    with pytest.raises(DataError, match=r"cannot be loaded \(ValueError: Unknown split \"dev\".*train"):
        list(rows.from_hub(str(tmp_path), "dev"))
    with pytest.raises(DataError, match="nobody/has-this cannot be loaded"):
        problems(qa("nobody/has-this", revision="main", subset="one+two"))


def test_nested_columns_and_joined_ones_are_named_by_paths(tmp_path: Path) -> None:
    nested = [{"in": {"body": "Ann has 3.", "ask": [f"Plus {i}?"]}, "out": [{"n": i + 3}]} for i in range(9)]
    task = qa(jsonl(tmp_path / "n.jsonl", nested), question="in.body+in.ask.0", gold="out.0.n", id="in.ask.0")
    assert by_question(task)["Ann has 3. Plus 4?"].gold == "7"
    assert {one.id.split("/")[2] for one in problems(task)} == {f"Plus {i}?" for i in range(9)}


# the split


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=12, max_size=40), st.integers(0, 99), st.floats(0.1, 0.6))
def test_a_share_held_out_never_divides_equal_questions(
    tmp_path_factory: pytest.TempPathFactory, questions: list[str], seed: int, share: float
) -> None:
    path = tmp_path_factory.mktemp("held") / "a.jsonl"
    some = [{"q": one if at % 2 else f" {one.upper()}", "a": at} for at, one in enumerate([*questions, *"abcdefgh"])]
    task = qa(jsonl(path, some), seed=seed, test_share=share)
    train, test = ({one.question.strip().lower() for one in task.load(split)} for split in ("train", "test"))
    assert not train & test
    assert len(test) == max(1, round(share * 8))
    assert len(problems(task)) == len(some)


def test_another_seed_holds_out_other_questions(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", ROWS)
    held = [{one.question for one in qa(path, seed=seed).load("test")} for seed in (0, 0, 1)]
    assert held[0] == held[1] != held[2]
    assert len(held[0]) == 4


# prompts


def test_prompt_and_system_are_templates_over_the_row(tmp_path: Path) -> None:
    some = [row | {"the topic": "sums", "level": 3} for row in ROWS]
    extra = {
        "prompt": "{{ row['the topic']|upper }} {{ level + 1 }}: {{ question }}",
        "system": "Be brief, {{ level }}.",
    }
    task = qa(jsonl(tmp_path / "a.jsonl", some), **extra)
    problem = by_question(task)["What is 10 + 10?"]
    assert prompt.messages(problem, task, AS_IT_IS) == [
        {"role": "system", "content": "Be brief, 3."},
        {"role": "user", "content": "SUMS 4: What is 10 + 10?"},
    ]
    assert problem.question == "What is 10 + 10?"


@pytest.mark.parametrize(
    "source", ["{{ ''.__class__.__mro__ }}{{ q }}", "{% for i in range(10**9) %}{% endfor %}{{ q }}"]
)
def test_a_template_runs_in_a_sandbox(tmp_path: Path, source: str) -> None:
    assert "does not fit task.prompt" in refused(jsonl(tmp_path / "a.jsonl", ROWS), prompt=source).message


def test_the_first_training_rows_are_worked_examples_and_not_trained_on(tmp_path: Path) -> None:
    task = qa(jsonl(tmp_path / "a.jsonl", ROWS), shots="3", solution="why", prompt="Q: {{ question }}")
    shots = task.worked_examples()
    assert len(shots) == 3
    assert all(question.startswith("Q: What") and "\n#### " in solution for question, solution in shots)
    assert not {question.removeprefix("Q: ") for question, _ in shots} & {one.question for one in problems(task)}
    assert len(prompt.messages(problems(task)[0], task, AS_IT_IS)) == 7


def test_worked_examples_of_a_file_have_the_same_columns_and_count_among_the_files(tmp_path: Path) -> None:
    shots = jsonl(tmp_path / "shots.jsonl", [{"q": "What is 1 + 1?", "a": "2"}])
    task = qa(jsonl(tmp_path / "a.jsonl", ROWS), shots=str(shots), prompt="{{ q }}")
    assert task.worked_examples() == [("What is 1 + 1?", "#### 2")]
    assert shots in task.files()


def test_what_save_to_disk_of_datasets_has_written_is_read(tmp_path: Path) -> None:
    saved = datasets.Dataset.from_list(ROWS)
    saved.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": saved.select(range(1, 20)), "test": saved.select([0])}).save_to_disk(
        tmp_path / "two"
    )
    one, two = qa(tmp_path / "one"), qa(tmp_path / "two")
    assert {text.question for split in ("train", "test") for text in one.load(split)} == {row["q"] for row in ROWS}
    assert [text.question for text in two.load("test")] == [ROWS[0]["q"]]
    assert [file.name for file in one.files()] == ["data-00000-of-00001.arrow"]
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"torn")
    with pytest.raises(DataError, match="cannot be read as an arrow stream"):
        list(qa(tmp_path / "one").load("train"))


# judges


def test_a_row_of_worked_examples_that_cannot_be_used_is_never_left_out_in_silence(tmp_path: Path) -> None:
    shots = jsonl(tmp_path / "shots.jsonl", [{"q": "What is 1 + 1?", "a": "2"}, {"q": "What is 1 + 2?"}])
    task = qa(jsonl(tmp_path / "a.jsonl", ROWS), shots=str(shots), prompt="{{ q }}", on_bad_row="skip")
    with pytest.raises(DataError, match=r"task\.shots: 1 of 2 rows cannot be used: .*line 2 has no column 'a'"):
        task.worked_examples()


@pytest.mark.parametrize(
    ("judge", "gold", "right", "wrong"),
    [
        ("number", "1,800.0", "So it is\n#### 1800", "#### 180"),
        ("math", "We get $\\boxed{x^2+1}$.", "#### 1+x^2", "#### x^2-1"),
        ("math", "B", "#### B", "#### C"),
        ("text", "New York", "#### New York", "#### York"),
        ("text", ["NYC", "New York"], "The answer is: new  york.", "#### Boston"),
        ("regex", r"colou?r(s|ed)?", "#### colored", "#### grey"),
    ],
)
def test_each_judge_tells_right_from_wrong(tmp_path: Path, judge: str, gold: object, right: str, wrong: str) -> None:
    some = [{"q": f"Question {at}?", "a": gold} for at in range(4)]
    task = qa(jsonl(tmp_path / "a.jsonl", some), judge=judge)
    problem = problems(task)[0]
    texts = (right, wrong, f"<think>{right}")
    verdicts = task.verdicts((problem, Sample(problem.id, 0, [], [], text, "stop")) for text in texts)
    assert [one.lenient for one in verdicts] == [Status.CORRECT, Status.WRONG, Status.NO_ANSWER]


def test_a_pattern_that_takes_forever_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpt.tasks.judging.REGEX_SECONDS", 0.05)
    task = qa(jsonl(tmp_path / "a.jsonl", [{"q": f"{at}?", "a": "(a+)+$"} for at in range(4)]), judge="regex")
    assert judged(task, problems(task)[0], "#### " + "a" * 5000 + "!").status is Status.JUDGE_ERROR


OWN = """
def lengths(completion, row):
    if "crash" in completion:
        return 1 / 0
    return {"yes": True, "half": 0.5, "none": None, "odd": "?"}.get(completion.strip(), row["a"] == len(completion))
"""


def test_a_function_of_ones_own_gives_verdicts(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(OWN)
    path = jsonl(tmp_path / "a.jsonl", ROWS)
    task = qa(path, judge=f"python:{tmp_path}/mine.py:lengths", gold="")
    problem = by_question(task)["What is 11 + 11?"]
    said = {
        text: judged(task, problem, text) for text in ("yes", "half", "none", "odd", "crash", "x" * 22, "<think>yes")
    }
    status = (Status.CORRECT, Status.PARTIAL, Status.NO_ANSWER, Status.JUDGE_ERROR, Status.JUDGE_ERROR, Status.CORRECT)
    assert tuple(one.status for one in said.values()) == (*status, Status.NO_ANSWER)
    assert "ZeroDivisionError" in said["crash"].reason
    assert tmp_path / "mine.py" in task.files()
    with pytest.raises(ConfigError, match="has no function length") as caught:
        qa(path, judge=f"python:{tmp_path}/mine.py:length")
    assert "lengths" in caught.value.hint


# choices


def test_choices_get_letters_and_the_gold_is_a_letter_a_number_or_the_text(tmp_path: Path) -> None:
    as_text = [{**row, "a": row["options"]["ABCD".index(row["a"])]} for row in CAPITALS]
    as_number = [{**row, "a": "ABCD".index(row["a"])} for row in CAPITALS]
    for name, some in (("letter", CAPITALS), ("text", as_text), ("number", as_number)):
        task = qa(jsonl(tmp_path / f"{name}.jsonl", some), choices="options")
        found = by_question(task)
        assert [found[row["q"]].gold for row in CAPITALS] == ["B", "A", "C"]
        problem = found["Capital of France?"]
        assert problem.question == "Capital of France?\n\nA. Rome\nB. Paris\nC. Bonn"
        assert problem.question in task.user_turn(problem)
        assert judged(task, problem, "Paris it is. #### B").status is Status.CORRECT
        assert judged(task, problem, "#### A").status is Status.WRONG


def test_shuffled_choices_keep_their_right_answer_and_follow_the_seed(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", CAPITALS)
    seen = set()
    for seed in range(12):
        problem = by_question(qa(path, choices="options", shuffle_choices=True, seed=seed))["Capital of Japan?"]
        lines = dict(line.split(". ") for line in problem.question.splitlines()[2:])
        assert lines[problem.gold] == "Tokyo"
        seen.add(problem.gold)
    assert len(seen) > 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"options": ["Rome"]}, "row 2 has 1 choices; a question has 2 to 10"),
        ({"options": ["Rome", "Rome"]}, "has the choice 'Rome' twice"),
        ({"options": ["Rome", None, "Bonn"]}, "has no text as its choice 2, but None"),
        ({"options": "Rome"}, "has no list as its choices, but 'Rome'"),
        ({"a": "D"}, "has the gold answer 'D', which is none of its 2 choices"),
        ({"a": 2}, "has the gold answer 2, and its choices have the numbers 0 to 1"),
        ({"a": "Berlin"}, "has the gold answer 'Berlin', which is none of its 2 choices"),
        ({"options": ["B", "A"], "a": "A"}, "has the gold answer 'A', which is both A and B of its 2 choices"),
    ],
)
def test_choices_that_do_not_fit_are_said_with_the_row(tmp_path: Path, wrong: Row, message: str) -> None:
    some = [CAPITALS[0], CAPITALS[1] | wrong, CAPITALS[2]]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(some))
    assert message in refused(path, choices="options").message


# what is wrong


def test_a_column_that_is_not_there_is_named_with_those_that_are_the_nearest_first(tmp_path: Path) -> None:
    some = [{"id": 1, "meta": {"answers": 3}, "answer": 3, "question": "?"}]
    error = refused(jsonl(tmp_path / "a.jsonl", some), question="question", gold="anwser")
    assert "task.gold=anwser" in error.message
    assert "has no column 'anwser'; it has answer, meta.answers, meta, question, id" in error.message
    assert error.hint == "did you mean 'answer'?"


def test_golds_that_the_judge_cannot_read_are_counted_and_the_first_three_shown(tmp_path: Path) -> None:
    some = [row | ({"a": f"no. {at}"} if at in (2, 5, 6, 9) else {}) for at, row in enumerate(ROWS)]
    path = jsonl(tmp_path / "a.jsonl", some)
    error = refused(path, judge="number")
    assert error.message.startswith("4 of 20 rows cannot be used: ")
    assert "line 3 has no number as its gold answer, but 'no. 2'; " in error.message
    assert "'no. 6'; ..." in error.message
    assert "'no. 9'" not in error.message
    assert "task.on_bad_row=skip" in error.hint


def test_a_gold_that_is_a_sentence_is_no_answer_to_the_judge_of_mathematics(tmp_path: Path) -> None:
    names = ("\\frac{\\pi}{2}", "no solution", "x = 1 or x = 2", "\\text{Ann and Bob}", "3 cm", "10:30", "sqrt(2)")
    some = [
        *ROWS,
        *({"q": f"Not {one}?", "a": one} for one in names),
        {"q": "Why?", "a": "It depends, since every sum has two."},
    ]
    error = refused(jsonl(tmp_path / "a.jsonl", some))
    assert error.message.startswith("1 of 28 rows cannot be used: ")
    assert "which is a sentence" in error.message


def test_skipped_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in ROWS]
    lines[3], lines[7], lines[8] = '{"q": "torn', json.dumps({"q": "", "a": 1}), json.dumps({"q": "No gold?"})
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(lines))
    assert "3 of 20 rows cannot be used" in refused(path).message
    task, rejected = qa(path, on_bad_row="skip"), dict[str, str]()
    kept = list(task.screen(task.load("train"), lambda one, reason: rejected.update({one.id + reason: ""})))
    assert len(kept) + sum(1 for _ in task.load("test")) == 17
    assert [
        any(words in one for one in rejected) for words in ("line 4", "line 8has no question", "no column 'a'")
    ] == [True] * 3
    path.write_text('{"q": 1}\n' * 3)
    assert (
        "3 of 3 rows cannot be used" in refused(path, gold="q", judge="choice", choices="q", on_bad_row="skip").message
    )


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ question }} {{ topc }}", "task.prompt names topc, which no row has; there are: topic, "),
        ("{{ topic }}", "task.prompt leaves out the question of"),
        ("{{ question[:5] }}", "task.prompt leaves out the question of"),
        ("{{ question }", "task.prompt, line 1: not a Jinja template"),
    ],
)
def test_templates_that_do_not_fit_are_refused(tmp_path: Path, template: str, message: str) -> None:
    path = jsonl(tmp_path / "a.jsonl", [row | {"topic": "sums"} for row in ROWS])
    assert message in refused(path, prompt=template).message


def test_a_template_that_leaves_out_the_choices_is_refused(tmp_path: Path) -> None:
    error = refused(jsonl(tmp_path / "a.jsonl", CAPITALS), choices="options", prompt="{{ question }}")
    assert "leaves out the choice" in error.message
    assert "{{lettered}}" in error.hint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"PAR1 and so on", "is a parquet file, not JSONL"),
        ("a.csv", b"\x1f\x8b and so on", "is a gzip file, not CSV"),
        ("a.csv", b'{"q": 1}\n', "is JSON, not CSV"),
        ("a.jsonl", b'[{"q": 1}]', "holds a JSON array"),
        ("a.jsonl", b"q,a\n1,2\n", "is not JSONL: its first line is no {...}"),
        ("a.json", b'{"q": 1}\n{"q": 2}\n', "holds more than one JSON value"),
        ("a.json", b'{"q": 1}', "does not hold one array of objects"),
        ("a.json", b"[" * 100_000, "cannot be read as JSON"),
        ("a.parquet", b"q,a\n", "cannot be read as parquet"),
        ("a.csv", b"q,a\n\xff,2\n", "line 2 is not UTF-8"),
        ("a.csv", b"q,q\n1,2\n", "has two columns 'q'"),
        ("a.csv", b"q,a\n1,2\n1,2,3\n", "row 2 has more cells than the header"),
        ("a.csv", b'q,a\n1,"2\n', "not CSV"),
        ("a.csv", b"q,a\n", "has no rows"),
        ("a.xlsx", b"PK", "is none of the files that can be read: .jsonl, .json, .csv"),
    ],
)
def test_a_file_of_another_kind_than_its_name_is_refused(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in refused(tmp_path / name).message


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_lines_of_ten_megabytes_are_read_and_a_text_as_long_is_refused(tmp_path: Path, kind: str) -> None:
    path, long = tmp_path / f"a.{kind}", "x" * 10_000_000
    WRITERS[kind](path, [row | {"more": long if at == 1 else ""} for at, row in enumerate(ROWS[:3])])
    assert len(problems(qa(path))) == 3
    WRITERS[kind](path, [ROWS[0], ROWS[1] | {"q": long}, ROWS[2]])
    assert f"2 has a question of 10,000,000 characters; at most {LONGEST:,} are read" in refused(path).message


def test_ids_that_come_twice_are_said_with_both_rows(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [row | {"key": f"k{at % 15}"} for at, row in enumerate(ROWS)])
    error = refused(path, id="key")
    assert error.message.startswith("5 of 20 rows")
    assert f"line 16 has the id 'k0' of {path}: line 1" in error.message


def test_training_rows_that_ask_a_test_question_are_said_or_skipped(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", ROWS[:12])
    test = jsonl(tmp_path / "test.jsonl", [{**row, "q": f" {row['q'].upper()}"} for row in ROWS[10:]])
    error = refused(train, test_path=str(test))
    assert "2 of 12 rows cannot be used" in error.message
    assert f"line 11 asks the question of {test}: line 1" in error.message
    kept = qa(train, test_path=str(test), on_bad_row="skip")
    assert [sum(1 for _ in kept.load(split)) for split in kept.sets] == [10, 10]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"judge": "numbers"}, "task.judge=numbers is not allowed"),
        ({"judge": "choice"}, "needs the choices"),
        ({"judge": "number", "choices": "a"}, "does not judge choices"),
        ({"test_path": "b", "test_share": 0.5}, "both say what the test problems are"),
        ({"test_share": 1.0}, "test_share=1.0 is out of range"),
        ({"shots": "many"}, "neither a number nor a file"),
        ({"few_shot": 3}, "few_shot=3"),
        ({"gold": ""}, "task.gold is empty"),
        ({"path": ""}, "task.path is empty"),
        ({"title": "a/b"}, "task.title=a/b"),
        ({"judge": "python:nowhere.py:f"}, "there is no Python file nowhere.py"),
        ({"on_bad_row": "ignore"}, "on_bad_row=ignore"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, extra: Row, message: str) -> None:
    path = extra.pop("path", jsonl(tmp_path / "a.jsonl", ROWS))
    with pytest.raises(ConfigError) as caught:
        qa(path, **extra)
    assert message in caught.value.message
