"""A user's JSONL is read as it comes, and what cannot be read is said with its line."""

import os
from pathlib import Path

import pytest

from tpt.errors import DataError
from tpt.jsonl import numbered_rows, read_rows
from tpt.tasks.gsm8k import Gsm8k

GOOD = b'{"a": 1}\n'


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (b"\xef\xbb\xbf" + GOOD + b"\xef\xbb\xbf" + GOOD, [1, 2]),
        (GOOD + b"\n  \t\n\n", [1]),
        (b"\n" + GOOD + b"\n" + GOOD, [2, 4]),
        (b'{"a": 1}\r\n\r\n{"a": 1}\r\n', [1, 3]),
        (b'{"a": 1}', [1]),
        (GOOD + b"\xef\xbb\xbf", [1]),
    ],
    ids=["BOM of two joined files", "blank end", "blank lines", "CRLF", "no last line end", "BOM alone"],
)
def test_what_editors_add_is_passed_over_and_lines_keep_their_numbers(
    tmp_path: Path, content: bytes, numbers: list[int]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert list(numbered_rows(path, "a", remedy="")) == [(number, {"a": 1}) for number in numbers]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a": "\\ud83d"}\n', r"line 3 contains \ud83d in 'a'"),
        (b'{"a": [{"b\\uDE00": 1}]}\n', r"line 3 contains \ude00 in 'a'"),
        (b"[" * 100_000 + b"\n", "line 3 is nested too deeply"),
        (b'{"a":' * 100_000 + b"\n", "line 3 is nested too deeply"),
        (b"\0\0\0\n", "line 3 is not JSON"),
        (b"\0\0\0", "line 3 is torn"),
        (b'{"a": ' + b"9" * 5000 + b"}\n", "line 3 cannot be read"),
        (b'{"a": 1, "a": 2}\n', "line 3 cannot be read ('a' is in it twice)"),
        (b'{"a": "caf\xe9"}\n', "line 3 is not UTF-8"),
        (b'"a"\n', "line 3 is not a JSON object"),
        (b'{\n"a": 1\n}\n', "line 3 is not JSON"),
        (b'{"b": 1}\n', "line 3 has no column 'a'; it has b"),
    ],
    ids=[
        *("high half", "low half", "deep list", "deep object", "zeros", "zeros at the end"),
        *("digits", "twice", "Latin-1", "text", "over several lines", "column"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD + b"\n" + line)
    with pytest.raises(DataError) as caught:
        list(read_rows(path, "a", remedy=""))
    assert caught.value.message.startswith(f"{path}: {message}")
    assert len(caught.value.message) < 400


def test_a_whole_pair_of_surrogates_is_a_character(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "\\ud83d\\ude00 \\\\ud800"}\n')
    assert list(read_rows(path, "a", remedy="")) == [{"a": "\N{GRINNING FACE} \\ud800"}]


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"\x1f\x8b\x08\x00", "gzip"), (b"PK\x03\x04", "zip"), (b"PAR1\x15", "parquet"), (b"\x28\xb5\x2f\xfd", "zstd")],
)
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path: Path, start: bytes, kind: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(start + bytes(range(256)))
    with pytest.raises(DataError, match=f"is a {kind} file"):
        list(read_rows(path, remedy=""))


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "blank").write_text("\n\n")
    for name, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "fifo", "is not a regular file"),
        (tmp_path / "none", "there is no file"),
        (tmp_path / "blank" / "x", "there is no file"),
        (tmp_path / "blank", "is empty"),
        (tmp_path / ("n" * 300), "cannot be read: File name too long"),
        (Path("/proc/self/mem"), "cannot be read: Input/output error"),
    ):
        with pytest.raises(DataError, match=words):
            list(read_rows(name, remedy=""))


def test_a_tasks_problems_hold_no_half_characters_for_they_are_written_again(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('\n{"question": "How many \\ud83d?", "answer": "#### 1"}\n')
    with pytest.raises(DataError, match=r"line 2 contains \\ud83d in 'question'"):
        list(Gsm8k(name="gsm8k", path=str(path)).load("train"))
