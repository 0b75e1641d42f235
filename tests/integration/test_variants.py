"""What the paper varies, each through the whole loop with a tiny model."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tpt import records
from tpt.artefacts import Evaluated, Prepared
from tpt.cli import main
from tpt.judges.thinking import UNFINISHED
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

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
    assert run.results(Stage(0, "prepare"), Prepared)["teacher_dir"]


@pytest.mark.slow
def test_nothing_kept_says_what_to_change_and_keeps_the_samples(
    tiny_command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tiny_command("rounds=1", "prune=ground_truth")) == 1
    output = " ".join(capsys.readouterr().err.split())
    assert "ground_truth pruning kept none of 24 samples" in output
    assert "think.samples_per_problem" in output
    run = Run.open(find(tmp_path / "runs")[0])
    assert run.done(Stage(1, "think"))
    assert records.shards(run.folder(Stage(1, "judge")), "verdicts")


@pytest.mark.slow
def test_a_template_that_begins_the_thinking_makes_answers_of_what_follows_it_alone(
    tiny_command: Command, tmp_path: Path, tiny_model: Path
) -> None:
    model = tmp_path / "thinks"
    shutil.copytree(tiny_model, model)
    template = AutoTokenizer.from_pretrained(model).chat_template
    assert isinstance(template, str)
    begun = "{% if add_generation_prompt %}{{ '<think>\\n' }}{% endif %}"
    (model / "chat_template.jinja").write_text(template + begun, encoding="utf-8")
    assert main(tiny_command("rounds=0", "model.source=hub", "model.name=thinks", f"model.path={model}")) == 0
    run = Run.open(find(tmp_path / "runs")[0])
    stage = Stage(0, "evaluate")
    samples = [one for path in records.shards(run.folder(stage), "samples") for one in records.read(path, Sample)]
    verdicts = [one for path in records.shards(run.folder(stage), "verdicts") for one in records.read(path, Verdict)]
    assert samples
    assert all(one.text.startswith("<think>\n") for one in samples)
    assert {(one.rule, one.lenient) for one in verdicts} == {(UNFINISHED, Status.NO_ANSWER)}
    assert run.results(stage, Evaluated)["metrics"]["unfinished_thinking"] == 1.0


@pytest.mark.slow
def test_a_table_of_ones_own_goes_through_two_rounds(tiny_command: Command, tmp_path: Path) -> None:
    rows = [f"What is {i} + {i}?,{2 * i},{i} and {i} is {2 * i}." for i in range(20)]
    (tmp_path / "mine.csv").write_text("\n".join(["problem,result,how", *rows, "What is nothing?,nothing at all,"]))
    columns = ("task.question=problem", "task.gold=result", "task.solution=how", "task.judge=number", "task.shots=2")
    options = ("task=qa", "task.title=mine", f"task.path={tmp_path / 'mine.csv'}", *columns, "task.on_bad_row=skip")
    small = ("think.max_tokens=8", "evaluate.max_tokens=8", "evaluate.samples_per_problem=2", "evaluate.ks=[1,2]")
    size = ("task.train_size=8", "task.test_size=4", "think.samples_per_problem=2")
    assert main(tiny_command("rounds=2", *options, *small, *size)) == 0
    [root] = find(tmp_path / "runs")
    run = Run.open(root)
    assert root.name.startswith("tiny-random-mine-none-")
    assert run.results(Stage(0, "prepare"), Prepared)["set_aside"] == 1
    assert run.results(Stage(2, "evaluate"), Evaluated)["metrics"]["problems"] == 4
    assert {one.problem_id.partition("/")[0] for one in examples(run, 2)} == {"mine"}
