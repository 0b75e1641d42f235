"""Human solutions beside a model's own: where both are the same text, nothing differs; where they are not, it shows."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tpt import files, records
from tpt.analysis.mixing import analyse, draw_pairs, measure
from tpt.errors import DataError
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.stages.prune import encoder

Make = Callable[..., Config]
COUNT = 24


def problem(number: int, solution: str) -> Problem:
    return Problem(f"p{number:02d}", f"Tom has {3 + number} pens and buys 5 more.", str(8 + number), solution)


@pytest.fixture
def made(tiny_config: Make, tiny_model: Path) -> Callable[[Callable[[int], str]], Run]:
    """A run whose model wrote `3 + 5 = 8` and the like, and whose problems come with some solution."""

    def make(human: Callable[[int], str]) -> Run:
        run = Run.create(tiny_config("task.few_shot=0", "prune=ground_truth"))
        run.finish(Stage(0, "prepare"), {"model_dir": str(tiny_model)}, 1.0)
        problems = [problem(number, human(number)) for number in range(COUNT)]
        records.write(run.problems_path("train"), Problem, problems)
        encode = encoder(run)
        samples = [
            Sample(one.id, 0, *encode(one, own(number)), own(number), "stop") for number, one in enumerate(problems)
        ]
        right = Status.CORRECT
        verdicts = [Verdict(one.id, 0, right, right, right) for one in problems]
        records.write(records.shard_path(run.folder(Stage(1, "think")), "samples", 0), Sample, samples)
        records.write(records.shard_path(run.folder(Stage(1, "judge")), "verdicts", 0), Verdict, verdicts)
        for name in ("think", "judge"):
            run.finish(Stage(1, name), {}, 1.0)
        return run

    return make


def own(number: int) -> str:
    return f"{3 + number} + 5 = {8 + number}\n#### {8 + number}"


def test_the_same_texts_are_as_likely_and_pull_the_same_way(
    made: Callable[[Callable[[int], str]], Run], tmp_path: Path
) -> None:
    run = made(own)
    outcome = analyse(run, tmp_path, 0)
    [row] = outcome.sheets[0].rows
    assert row["own - human"] == "+0.000 [+0.000, +0.000]"
    assert row["cosine of the gradients"].startswith("1.00 [1.00")
    assert "neither kind is likelier" in outcome.sentences[0]
    assert len(files.read_json(tmp_path / "mixing.json")["problems"]) == COUNT


def test_other_texts_pull_another_way(made: Callable[[Callable[[int], str]], Run]) -> None:
    """The first tokens that a random model would have to learn are other ones: the gradients have less in common."""
    run = made(lambda number: f"Altogether it is {8 + number}, because pens can be counted.\n#### {8 + number}")
    _, cosines = measure(run, draw_pairs(run, COUNT, 0))
    assert cosines[0] is not None and cosines[0].high < 0.98


def test_a_human_solution_is_tokenized_as_training_would(
    made: Callable[[Callable[[int], str]], Run], tiny_model: Path
) -> None:
    run = made(own)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    for pair in draw_pairs(run, 5, 0):
        assert pair.human.completion_ids[-1] == tokenizer.eos_token_id
        assert pair.own.problem_id == pair.human.problem_id
        assert tokenizer.decode(pair.human.completion_ids, skip_special_tokens=True) == pair.human.text
    assert draw_pairs(run, 5, 0) == draw_pairs(run, 5, 0) != draw_pairs(run, 5, 1)


def test_without_human_solutions_there_is_nothing_to_compare(made: Callable[[Callable[[int], str]], Run]) -> None:
    with pytest.raises(DataError, match=r"right sample and a human solution \(24 are solved\)"):
        draw_pairs(made(lambda number: ""), 5, 0)


def test_of_a_few_problems_no_interval_is_shown(made: Callable[[Callable[[int], str]], Run], tmp_path: Path) -> None:
    outcome = analyse(made(own), tmp_path, 0, ["problems=5"])
    assert "too few problems (5)" in outcome.sentences[0]
    assert "[" not in "".join(outcome.sheets[0].rows[0].values())
