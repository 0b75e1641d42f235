"""`tpt verify`: an honest run agrees, whatever is tampered with is found, and what is not there is no difference."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tpt import files, records
from tpt.audit import verify
from tpt.audit.recorded import Recorded
from tpt.audit.tools import Tools
from tpt.cli import main
from tpt.judges import rules
from tpt.records import Example, Sample, Status, Verdict
from tpt.runs.folder import Run

Captured = pytest.CaptureFixture[str]
THINK, JUDGE, PRUNE = "round-02/think", "round-02/judge", "round-02/prune"


@pytest.fixture
def copied(honest: Run, tmp_path: Path) -> Path:
    """A copy of the run that may be changed."""
    return Path(shutil.copytree(honest.root, tmp_path / honest.name))


def differing(root: Path) -> set[str]:
    """The checks that find something, with the stages where they do."""
    found = verify.verify(Recorded.open(root), Tools())
    return {f"{one.check} of {one.stage}" for one in found if one.differs}


def rewrite(path: Path, kind: type[Any], change: Callable[[list[Any]], None]) -> None:
    """Change the records of a parquet file."""
    rows = list(records.read(path, kind))
    change(rows)
    records.write(path, kind, rows)


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    value = files.read_json(path)
    change(value)
    files.write_json(path, value)


def test_an_honest_run_agrees_in_every_check_and_stays_as_it_is(honest: Run, capsys: Captured) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in honest.root.rglob("*")}
    assert main(["verify", "--json", str(honest.root)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["agrees"] is True
    assert {one["check"] for one in found["findings"] if one["checked"]} == {
        *(check.name for check in verify.CHECKS),
        "books",
    }
    assert not [one for one in found["findings"] if one["why_not"]]
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in honest.root.rglob("*")}


def flip_token(root: Path) -> None:
    def change(rows: list[Sample]) -> None:
        rows[2].completion_ids[1] += 1

    rewrite(root / THINK / "samples-00001.parquet", Sample, change)


def flip_prompt(root: Path) -> None:
    def change(rows: list[Sample]) -> None:
        rows[0].prompt_ids[5] += 1

    rewrite(root / "round-01/evaluate/samples-00000.parquet", Sample, change)


def flip_verdict(root: Path) -> None:
    def change(rows: list[Verdict]) -> None:
        place = next(at for at, one in enumerate(rows) if one.strict is Status.WRONG)
        rows[place] = replace(rows[place], status=Status.CORRECT, strict=Status.CORRECT, lenient=Status.CORRECT)

    rewrite(root / "round-01/evaluate/verdicts-00000.parquet", Verdict, change)


def swap_example(root: Path) -> None:
    def change(rows: list[Example]) -> None:
        rows[0] = replace(rows[0], text=rows[0].text + " ", completion_ids=rows[1].completion_ids)

    rewrite(root / PRUNE / "examples.parquet", Example, change)


def edit_digest(root: Path) -> None:
    edit(root / JUDGE / "manifest.json", lambda one: one.update(made="0123456789abcdef"))


def edit_figure(root: Path) -> None:
    def change(one: dict[str, Any]) -> None:
        one["strict"]["pass@k"]["1"]["value"] += 0.01

    edit(root / "round-02/evaluate/metrics.json", change)


def swap_weights(root: Path) -> None:
    weights = root / "round-01/train/model/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x55")


def edit_count(root: Path) -> None:
    edit(root / "round-01/prune/manifest.json", lambda one: one.update(candidates=one["candidates"] + 1))


def tear_shard(root: Path) -> None:
    path = root / "round-01/think/samples-00000.parquet"
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("tamper", "found_by"),
    [
        (flip_token, {"digests of round-02/think", "texts of round-02/think"}),
        (flip_prompt, {"prompts of round-01/evaluate"}),
        (flip_verdict, {"verdicts of round-01/evaluate", "figures of round-01/evaluate"}),
        (swap_example, {"digests of round-02/prune", "draw of round-02/prune"}),
        (edit_digest, {"digests of round-02/judge", "settings of round-02/prune", "books of metrics.jsonl"}),
        (edit_figure, {"digests of round-02/evaluate", "figures of round-02/evaluate"}),
        (swap_weights, {"digests of round-01/train"}),
        (edit_count, {"draw of round-01/prune"}),
        (tear_shard, {"digests of round-01/think", "verdicts of round-01/think", "draw of round-01/prune"}),
    ],
)
def test_what_is_tampered_with_is_found(tamper: Callable[[Path], None], found_by: set[str], copied: Path) -> None:
    tamper(copied)
    assert found_by <= differing(copied)


def test_the_first_differences_are_named_and_the_exit_code_is_1(copied: Path, capsys: Captured) -> None:
    flip_verdict(copied)
    assert main(["verify", str(copied)]) == 1
    said = capsys.readouterr().out
    assert "DIFFERS verdicts of round-01/evaluate: sample " in said
    assert "recorded strict correct" in said
    assert "DIFFERS figures of round-01/evaluate: " in said


def test_what_was_deleted_is_named_and_is_no_difference(copied: Path, capsys: Captured) -> None:
    for round in (1, 2):
        (copied / f"round-{round:02d}/train/model/model.safetensors").unlink()
    for path in copied.glob("round-*/*/samples-*.parquet"):
        path.unlink()
    assert main(["verify", str(copied)]) == 0
    said = capsys.readouterr().out
    assert "not checked: digests of round-01/train and 1 more: its weights are not in the folder" in said
    assert "not checked: verdicts of round-00/evaluate and 4 more: its samples are not in the folder" in said
    assert "figures of round-00/evaluate: from verdicts alone" in said


def test_without_samples_no_round_can_be_drawn_again(copied: Path, capsys: Captured) -> None:
    for path in copied.glob("round-*/think/samples-*.parquet"):
        path.unlink()
    assert main(["rejudge", str(copied), "prune.reader=lenient", "--json"]) == 0
    assert {one["why_not"] for one in json.loads(capsys.readouterr().out)["kept"]} == {
        "the samples of the round are not in the folder"
    }


def test_verdicts_by_rules_of_another_version_are_left_to_rejudge(
    honest: Run, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(rules, "ANSWERS", rules.ANSWERS + 1)
    assert main(["verify", str(honest.root)]) == 0
    assert "it was judged by rules of version 1; `tpt rejudge` compares them" in capsys.readouterr().out


def test_a_run_that_is_not_finished_is_checked_as_far_as_it_got(copied: Path, capsys: Captured) -> None:
    shutil.rmtree(copied / "round-02/evaluate")
    assert main(["verify", str(copied)]) == 0
    assert "not checked: settings of round-02/evaluate: it is not done" in capsys.readouterr().out
