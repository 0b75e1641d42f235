"""The analysis from a run's folder to its page: which problems, which samples, what is said of few."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tpt import records
from tpt.analysis.gradient_equivalence import Size, analyse, choose, measure
from tpt.analysis.gradient_pages import Found
from tpt.analysis.inner_products import LEVELS, Scores
from tpt.analysis.on_policy import How, draw
from tpt.errors import DataError
from tpt.records import Problem, Sample, Status, Verdict
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.terminal import PlainConsole

Make = Callable[..., Config]
PROBLEMS = [Problem(f"p{at}", f"Tom has {3 + at} pens and buys 5 more.", str(8 + at)) for at in range(5)]


@pytest.fixture
def run(tiny_config: Make, tiny_model: Path) -> Run:
    """A run of the tiny model that has not thought yet."""
    found = Run.create(tiny_config("task.few_shot=0", "prune=ground_truth"))
    found.finish(Stage(0, "prepare"), {"model_dir": str(tiny_model)}, 1.0)
    records.write(found.problems_path("train"), Problem, PROBLEMS)
    return found


def thought(run: Run, right: Callable[[int, int], bool]) -> None:
    """Let the run have four samples of each problem, right or wrong."""
    samples, verdicts = [], []
    for at, problem in enumerate(PROBLEMS):
        for index in range(4):
            status = Status.CORRECT if right(at, index) else Status.WRONG
            samples.append(Sample(problem.id, index, [5, 6], [7, 2], "#### 8", "stop"))
            verdicts.append(Verdict(problem.id, index, status, status, status))
    records.write(records.shard_path(run.folder(Stage(1, "think")), "samples", 0), Sample, samples)
    records.write(records.shard_path(run.folder(Stage(1, "judge")), "verdicts", 0), Verdict, verdicts)
    for name in ("think", "judge"):
        run.finish(Stage(1, name), {}, 1.0)


def test_problems_are_those_whose_samples_were_right_and_wrong(run: Run) -> None:
    thought(run, lambda at, index: at == 4 or (at < 3 and index == 0))
    assert {one.id for one in choose(run, 10, seed=0)} == {"p0", "p1", "p2"}
    assert len(choose(run, 2, seed=0)) == 2
    assert choose(run, 2, seed=0) == choose(run, 2, seed=0)


@pytest.mark.parametrize("right", [True, False])
def test_with_right_or_wrong_samples_alone_there_is_nothing_to_compare(run: Run, right: bool) -> None:
    with pytest.raises(DataError, match="not judged yet"):
        choose(run, 10, 0)
    thought(run, lambda at, index: right)
    with pytest.raises(DataError, match="no problem has right and wrong samples"):
        choose(run, 10, 0)


def test_samples_are_drawn_anew_under_each_condition_and_the_same_again(run: Run) -> None:
    size = Size(problems=3, samples=4, others=2)
    steps: list[int] = []
    found = measure(run, PROBLEMS[:3], size, 0, steps.append)
    assert sum(steps) == 3 * (4 + 2) * 2, "every sample and every score moves the bar"
    assert {name: one.right.shape for name, one in found.items()} == {"base": (3, 4), "sampled": (3, 2)}
    again, other = (measure(run, PROBLEMS[:3], size, seed)["base"].vectors for seed in (0, 1))
    np.testing.assert_allclose(again, found["base"].vectors, rtol=1e-3, atol=1e-3)
    assert not np.allclose(other, again)
    assert not np.allclose(found["sampled"].vectors, found["base"].vectors[:, :2])


def test_what_is_cut_off_counts_as_wrong_and_is_not_left_out(run: Run) -> None:
    """Without it the mean score would not be zero."""
    run.config.prune.keep_cut_off = False
    found = draw(run, run.model(0), PROBLEMS, How(n=6, temperature=1.0, top_p=1.0, seed=1))
    assert [len(some) for some in found.samples] == [6] * len(PROBLEMS)
    cut = [
        is_right
        for some, said in zip(found.samples, found.right, strict=True)
        for one, is_right in zip(some, said, strict=True)
        if one.finish_reason == "length"
    ]
    assert cut
    assert not any(cut)


def test_of_few_problems_no_claim_is_made(run: Run, tmp_path: Path) -> None:
    thought(run, lambda at, index: index == 0)
    found = analyse(run, tmp_path, 0, ["problems=5", "samples=4", "others=2"], PlainConsole(stderr=True))
    assert found.sentences == ["5 problems have right and wrong samples, too few for an interval: 10 are needed"]
    cells = [cell for sheet in found.sheets[:2] for row in sheet.rows for cell in row.values()]
    assert cells.count("cannot be told") == 2 * len(LEVELS) * 4 + 3


def test_opposite_sides_agree_with_the_claim_and_unrelated_ones_do_not(run: Run) -> None:
    rng = np.random.default_rng(0)
    is_right = np.tile(np.arange(8) % 2 == 0, (40, 1))
    common = rng.normal(size=200).astype(np.float32)
    noise = (rng.normal(size=(40, 8, 200)) / 20).astype(np.float32)
    opposite = Scores(np.where(is_right[..., None], common, -common) + noise, is_right)
    unrelated = Scores(np.where(is_right[..., None], common, rng.normal(size=200).astype(np.float32)) + noise, is_right)
    said = " ".join(Found(run, {"base": opposite, "sampled": unrelated}, 4).sentences())
    theirs = [one for one in said.split("base model, ") if one.startswith("its samples")]
    assert "agrees with about 2" in said
    assert "is not about 2" in " ".join(theirs)
    assert "round 1 is not trained yet" in said
