"""`tpt rejudge`: what another judge would change is what the stages make of its verdicts."""

import json
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from honest_run import SIZES

from tpt import records
from tpt.artefacts import Pruned
from tpt.audit.changed import command
from tpt.cli import main
from tpt.judges import rules
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.tasks.base import Task

Captured = pytest.CaptureFixture[str]
TINY = ("experiment=smoke", "sampler=transformers")


def test_the_same_judge_changes_nothing(honest: Run, capsys: Captured) -> None:
    before = {path: path.stat().st_mtime_ns for path in honest.root.rglob("*")}
    assert main(["rejudge", "--json", str(honest.root)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["samples"] for one in found["verdicts"]] == [12, 36, 12, 36, 12]
    assert not any(one["changes"]["strict"] or one["changes"]["lenient"] for one in found["verdicts"])
    assert found["first"] == []
    assert [(one["added"], one["removed"]) for one in found["kept"]] == [(0, 0), (0, 0)]
    assert all(one["before"] == one["after"] for one in found["figures"])
    assert all(one["survives"] for one in found["sentences"])
    assert found["first_to_train"] is None
    assert before == {path: path.stat().st_mtime_ns for path in honest.root.rglob("*")}


def test_another_reader_keeps_what_a_run_under_it_would_keep(honest: Run, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    assert main(["rejudge", str(honest.root), "prune.reader=lenient", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "only what is made of them changes" in said
    assert "to be trained again: round 1, and from round 2 on all else" in said
    verdicts = records.read(records.shards(honest.folder(Stage(1, "judge")), "verdicts"), Verdict)
    samples = records.read(records.shards(honest.folder(Stage(1, "think")), "samples"), Sample)
    pairs = zip(samples, verdicts, strict=True)
    lenient = {(one.problem_id, one.text) for one, verdict in pairs if verdict.lenient is Status.CORRECT}
    kept = {(one.problem_id, one.text) for one in records.read(out / "round-01/prune/examples.parquet", Example)}
    strict = {(one.problem_id, one.text) for one in records.read(honest.examples_path(1), Example)}
    assert kept <= lenient
    assert kept != strict


def test_raised_rules_are_followed_to_examples_figures_sentences_and_the_command(
    honest: Run, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Under rules by which every answer to a problem is right from the second sample on, in the trained rounds."""

    def verdicts(self: Task, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        for _, sample in pairs:
            said = Status.CORRECT if sample.index else Status.NO_ANSWER
            yield Verdict(sample.problem_id, sample.index, said, said, said, "second")

    monkeypatch.setattr(rules, "ANSWERS", rules.ANSWERS + 1)
    monkeypatch.setattr(type(honest.config.task), "verdicts", verdicts)
    assert main(["rejudge", str(honest.root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["first"]) == 10
    assert {"text", "before", "after", "stage"} == set(found["first"][0])
    assert found["first"][0]["after"]["rule"] == "second"
    assert all(one["after"]["value"] == 0.5 for one in found["figures"] if one["name"].startswith("pass@1"))
    assert found["first_to_train"] == 1
    assert found["kept"][0]["before"] == honest.results(Stage(1, "prune"), Pruned)["examples"]
    assert found["sentences"]


def test_the_command_names_the_very_run(tmp_path: Path) -> None:
    config = compose([*TINY, *SIZES, f"run_root={tmp_path}", "prune.reader=lenient", "seed=3"])
    line = command(config, [])
    assert line.startswith("tpt run ")
    assert Run.of(compose(shlex.split(line)[2:])).root == Run.of(config).root


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task.train_size=3"], "task.train_size is not a setting of the judge of word_problems"),
        (["prune.reader=wise"], "prune.reader=wise"),
    ],
)
def test_only_settings_of_the_judge_are_taken(honest: Run, words: list[str], message: str, capsys: Captured) -> None:
    assert main(["rejudge", str(honest.root), *words]) == 1
    assert message in capsys.readouterr().err


def test_nothing_is_kept_in_the_run(honest: Run, capsys: Captured) -> None:
    assert main(["rejudge", str(honest.root), "--out", str(honest.root / "new")]) == 1
    assert "is in the run, which stays as it is" in capsys.readouterr().err
