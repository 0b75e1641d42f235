"""`tpt judge`: a user's JSONL file in, the same file with verdicts out."""

import json
from pathlib import Path

import pytest

from tpt.cli import main
from tpt.errors import DataError
from tpt.judge_files.answers import judge_file

ROWS = [
    {"gold": "18", "completion": "#### 18", "mine": 1},
    {"gold": "18", "completion": "#### $18", "mine": 2},
    {"gold": "18", "completion": "#### 17", "mine": 3},
]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_verdicts_are_written_beside_the_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "in.jsonl", [dict(row) for row in ROWS])
    assert main(["judge", str(path), "--out", str(tmp_path / "out.jsonl")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").open()]
    assert [row["mine"] for row in rows] == [1, 2, 3]
    assert [(row["strict"], row["lenient"]) for row in rows] == [
        ("correct", "correct"),
        ("no_answer", "correct"),
        ("wrong", "wrong"),
    ]
    assert {row["rule"] for row in rows} == {"hash_marks"}
    assert "out.jsonl" in capsys.readouterr().out


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", [{"a": "7", "t": "#### 7"}])
    assert judge_file(path, tmp_path / "out.jsonl", "a", "t")["strict"] == {"correct": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ('{"gold": "1"}\n', "line 1 has no column 'completion'; it has gold"),
        ('{"gold": "1", "completion": "x"}\nnot json\n', "line 2 is not JSON"),
        ('{"gold": "1", "completion": "x"}\n{"gold": "1", "comp', "line 2 is torn"),
        ("[1]\n", "line 1 is not a JSON object"),
    ],
)
def test_a_bad_file_is_refused_and_nothing_is_written(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        judge_file(path, tmp_path / "out.jsonl")
    assert message in caught.value.message
    assert not (tmp_path / "out.jsonl").exists()


def test_a_missing_column_is_said_with_the_options_that_name_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = write(tmp_path / "in.jsonl", [{"a": "7", "t": "#### 7"}]), str(tmp_path / "out.jsonl")
    assert main(["judge", str(path), "--out", out]) == 1
    assert "--gold-column, --text-column" in capsys.readouterr().err
    assert main(["judge", str(path), "--out", out, "--gold-column", "a", "--text-column", "t"]) == 0


def test_a_file_in_another_encoding_is_said(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes('{"gold": "1", "completion": "caf\u00e9"}\n'.encode("latin-1"))
    with pytest.raises(DataError, match="line 1 is not UTF-8"):
        judge_file(path, tmp_path / "out.jsonl")


def test_the_input_is_not_written_over(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jsonl", [dict(row) for row in ROWS])
    with pytest.raises(DataError, match="is the input file"):
        judge_file(path, path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        judge_file(tmp_path / "none.jsonl", tmp_path / "out.jsonl")


def test_a_null_is_no_answer_and_no_gold(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"gold": None, "completion": "None"}, {"gold": 7, "completion": None}]
    counts = judge_file(write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl")
    assert counts["lenient"] == {"gold_unreadable": 1, "no_answer": 1}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"gold": ["3", "4"], "completion": "x"}', "line 3 has a list as its 'gold'"),
        ('{"gold": {"a": 1}, "completion": "x"}', "line 3 has an object as its 'gold'"),
        ('{"gold": true, "completion": "x"}', "line 3 has true as its 'gold'"),
        ('{"gold": NaN, "completion": "x"}', "line 3 has nan as its 'gold'"),
        ('{"gold": "3", "completion": ["#### 3"]}', "line 3 has a list as its 'completion'"),
    ],
)
def test_what_is_neither_text_nor_number_is_refused_before_anything_is_judged(
    tmp_path: Path, row: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n\n" + row + "\n")
    monkeypatch.setattr("tpt.judge_files.answers.judge_texts", lambda _: pytest.fail("it was judged"))
    with pytest.raises(DataError) as caught:
        judge_file(path, tmp_path / "out.jsonl")
    assert caught.value.message == f"{path}: {words}"
    assert [one.name for one in tmp_path.iterdir()] == ["in.jsonl"]


def test_a_number_is_a_gold_answer(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"gold": 3, "completion": "#### 3"}, {"gold": 0.5, "completion": "#### 1/2"}]
    assert judge_file(write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl")["lenient"] == {"correct": 2}


def test_a_place_that_cannot_be_written_is_said_before_anything_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "in.jsonl", [dict(row) for row in ROWS])
    monkeypatch.setattr("tpt.judge_files.answers.judge_texts", lambda _: pytest.fail("it was judged"))
    for out, words in (
        (Path("/proc/nope/out.jsonl"), "cannot be written: No such file"),
        (tmp_path, "is a folder"),
        (path / "out.jsonl", "is a file, and a folder is needed there"),
        (Path("/dev/null"), "is not a regular file"),
        (tmp_path / "new" / ("n" * 300), "too long for the file system"),
    ):
        assert main(["judge", str(path), "--out", str(out)]) == 1
        said = "".join(capsys.readouterr())
        assert words in said
        assert str(out) in said
    assert [one.name for one in tmp_path.iterdir()] == ["in.jsonl"], "no half file, no empty folder"
    assert Path("/dev/null").is_char_device()


def test_text_that_utf8_cannot_hold_comes_back_as_it_was(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"gold": "7", "completion": "\ud83d caf\u00e9 #### 7"}]
    judge_file(write(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["completion"] == rows[0]["completion"]
