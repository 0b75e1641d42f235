"""What the paper varies, each through the whole loop with a tiny model."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tpt import records
from tpt.cli import main
from tpt.loop import Stage
from tpt.records import Example, Problem
from tpt.run import Run, find

Command = Callable[..., list[str]]


def examples(run: Run, round: int) -> list[Example]:
    return list(records.read(run.folder(Stage(round, "prune")) / "examples.parquet", Example))


@pytest.mark.slow
def test_human_solutions_accumulated_with_lora_from_the_base_and_then_another_run_learns_from_them(
    tiny_command: Command, tmp_path: Path, tiny_model: Path
) -> None:
    options = ("prune.source=human", "prune.examples=5", "prune.accumulate=true", "train=lora", "train.start_from=base")
    assert main(tiny_command("rounds=2", *options)) == 0
    [root] = find(tmp_path / "runs")
    human = Run.open(root)
    first, second = examples(human, 1), examples(human, 2)
    assert len(first) == 5
    assert {one.problem_id for one in first} < {one.problem_id for one in second}
    solutions = {one.id: one.solution for one in records.read(human.problems_path("train"), Problem)}
    end = AutoTokenizer.from_pretrained(tiny_model).eos_token_id
    for one in second:
        assert one.text == solutions[one.problem_id]
        assert one.completion_ids[-1] == end

    other = tmp_path / "other"
    command = [*tiny_command("rounds=1", "prune.source=run", f"prune.from_run={root}"), f"run_root={other}"]
    assert main(command) == 0
    learnt = examples(Run.open(find(other)[0]), 1)
    assert {one.text for one in learnt} == {one.text for one in second}
    assert {one.source for one in learnt} == {"run"}


@pytest.mark.slow
def test_a_mix_and_a_teacher(tiny_command: Command, tmp_path: Path) -> None:
    options = ("prune.source=mix", "prune.mix.self=4", "prune.mix.human=3", "+model@think.teacher=tiny-random")
    assert main(tiny_command("rounds=1", *options)) == 0
    run = Run.open(find(tmp_path / "runs")[0])
    sources = [one.source for one in examples(run, 1)]
    assert (sources.count("self"), sources.count("human")) == (4, 3)
    assert run.manifest(Stage(0, "prepare"))["teacher_dir"]


@pytest.mark.slow
def test_nothing_kept_says_what_to_change_and_keeps_the_samples(
    tiny_command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tiny_command("rounds=1", "prune=ground_truth")) == 1
    output = " ".join(capsys.readouterr().out.split())
    assert "ground_truth pruning kept none of 24 samples" in output
    assert "think.samples_per_problem" in output
    run = Run.open(find(tmp_path / "runs")[0])
    assert run.done(Stage(1, "think"))
    assert records.shards(run.folder(Stage(1, "prune")), "verdicts")
