"""The step at which a solution goes wrong is found as often as is said, on truths that are known."""

import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpt import records
from tpt.analysis.locate import Located, locate
from tpt.analysis.resample import Prefix, Resampler
from tpt.artefacts import EngineDescription
from tpt.errors import EngineError
from tpt.judges.answer import judge_pairs
from tpt.prompt import Decoder
from tpt.records import Problem, Sample, Status
from tpt.think.base import Completion, Draw, Prompt

END = 0
RIGHT, WRONG = 1, 2
TEXTS = {RIGHT: "#### 7", WRONG: "#### 8"}
CONFIDENCE = 0.95


def drawn(chances: Sequence[float], n: int, rng: np.random.Generator) -> list[list[bool]]:
    """Outcomes of `n` continuations of each prefix."""
    return [(rng.random(n) < chance).tolist() for chance in chances]


def located(chances: Sequence[float], n: int, lost: bool, times: int = 150) -> list[Located]:
    rng = np.random.default_rng(1)
    return [locate(drawn(chances, n, rng), lost, CONFIDENCE) for _ in range(times)]


@pytest.mark.parametrize(
    ("chances", "lost", "step"),
    [
        ((0.5, 0.5, 0.0, 0.0), True, 2),  # lost at once, in the middle
        ((0.3, 0.6, 0.9), True, 3),  # right steps raise the chance, the last one loses it
        ((0.8, 0.1, 0.1, 0.0), True, 1),
        ((0.2, 0.9, 0.3, 0.3), False, 2),  # what comes after is not known
        ((0.4,), True, 1),
    ],
)
def test_a_clear_step_is_located_and_is_the_right_one_as_often_as_is_said(
    chances: tuple[float, ...], lost: bool, step: int
) -> None:
    found = [one for one in located(chances, 48, lost) if one.told]
    assert len(found) > 75, "half of all cases are told"
    assert np.mean([one.step == step for one in found]) >= CONFIDENCE


@pytest.mark.parametrize("chance", [0.0, 0.05, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_where_the_chance_never_falls_a_step_is_named_no_more_often_than_the_level_allows(
    chance: float, steps: int
) -> None:
    told = np.mean([one.told for one in located([chance] * (steps + 1), 32, lost=False)])
    assert told <= 1 - CONFIDENCE + 2 * np.sqrt(0.05 * 0.95 / 150)


def test_of_two_equal_falls_neither_is_told_to_be_the_largest_more_often_than_the_level_allows() -> None:
    found = located((0.8, 0.4), 32, lost=True)
    assert np.mean([one.told for one in found]) <= 0.08
    assert {one.step for one in found} == {1, 2}


def test_the_fall_is_estimated_without_the_bias_of_having_chosen_the_step() -> None:
    """Ten equal falls: the largest of ten estimates is far too large, that of other continuations is not."""
    chances = np.linspace(1, 0, 11)
    found = located(chances.tolist(), 20, lost=False, times=300)
    assert np.mean([one.fall for one in found if one.step]) == pytest.approx(0.1, abs=0.03)


def test_without_any_success_nothing_is_told() -> None:
    found = locate([[False] * 8] * 3, True, CONFIDENCE)
    assert (found.step, found.told, found.fall) == (0, False, 0.0)


@given(st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=6), st.booleans())
def test_what_is_told_is_within_bounds(outcomes: list[list[bool]], lost: bool) -> None:
    found = locate(outcomes, lost, CONFIDENCE)
    assert 0 <= found.step <= len(outcomes) - (not lost)
    assert 0 <= found.largest <= 1
    assert 0 <= found.p <= 1
    assert -1 <= found.fall <= 1
    assert not found.told or (found.fall > 0 and found.step)


class Toy:
    """An engine whose continuations are right with a chance that depends on the prefix alone; it really draws.

    Args:
        chances: by the number of tokens of the prefix.
        dies_after: prompts after which it fails.
    """

    def __init__(self, chances: Sequence[float], dies_after: int | None = None) -> None:
        self.chances, self.dies_after = chances, dies_after
        self.asked: list[tuple[int, ...]] = []
        self.made = 0

    def sample(self, prompts: Iterable[Prompt], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        for prompt in reversed(list(prompts)):  # engines yield in any order
            if len(self.asked) == self.dies_after:
                raise EngineError("the engine died")
            self.asked.append(tuple(prompt.ids))
            found = []
            for index in range(draw.n):
                right = random.Random(prompt.seed + index).random() < self.chances[len(prompt.ids) - 1]
                found.append(Completion([RIGHT if right else WRONG, END], TEXTS[RIGHT if right else WRONG], "stop"))
            yield prompt, found

    def describe(self) -> EngineDescription:
        return {"engine": "toy", "version": "1", "device": "cpu", "dtype": "-", "rows": 1, "determinism": "always"}

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        self.made += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


PROMPT = (9,)
CHANCES = (0.3, 0.6, 0.9, 0.0)


def prefixes(problems: int) -> list[Prefix]:
    """Of each problem the prompt and the first steps of a solution of four tokens."""
    named = [Problem(f"p{number}", "What is 3 + 4?", "7") for number in range(problems)]
    return [Prefix(one, PROMPT, tuple(range(3, 3 + length))) for one in named for length in range(4)]


def resampler(folder: Path, toy: Toy, n: int = 48, max_tokens: int = 20) -> Resampler:
    draw = Draw(n, 1.0, 1.0, max_tokens, (END,))

    def decode(ids: list[int]) -> str:
        return " ".join(TEXTS.get(one, "step") for one in ids if one != END)

    return Resampler(folder, lambda seed: toy, draw, cast(Decoder, decode), judge_pairs, 1, shard_size=5, seed=3)


def test_what_the_engine_draws_is_what_is_located(tmp_path: Path) -> None:
    told = []
    verdicts = resampler(tmp_path, Toy(CHANCES)).verdicts(prefixes(25), lambda count: None)
    for start in range(0, len(verdicts), 4):
        succeeded = [[one.strict is Status.CORRECT for one in some] for some in verdicts[start : start + 4]]
        told.append(locate(succeeded, True, CONFIDENCE))
    assert np.mean([one.told and one.step == 3 for one in told]) > 0.9
    assert np.mean([one.before for one in told]) == pytest.approx(0.9, abs=0.03)


def test_killed_in_the_middle_it_goes_on_and_draws_nothing_twice(tmp_path: Path) -> None:
    whole = resampler(tmp_path / "whole", Toy(CHANCES)).verdicts(prefixes(5), lambda count: None)
    first, second, third = Toy(CHANCES, dies_after=13), Toy(CHANCES), Toy(CHANCES)
    with pytest.raises(EngineError):
        resampler(tmp_path / "cut", first).verdicts(prefixes(5), lambda count: None)
    finished = resampler(tmp_path / "cut", second)
    assert finished.owed(prefixes(5)) == 10, "two whole shards of five are kept"
    assert finished.verdicts(prefixes(5), lambda count: None) == whole
    assert len(second.asked) == 10
    assert resampler(tmp_path / "cut", third).verdicts(prefixes(5), lambda count: None) == whole
    assert third.made == 0, "no engine is loaded if nothing is owed"


def test_a_torn_shard_is_drawn_again_and_other_rules_judge_the_same_samples_again(tmp_path: Path) -> None:
    whole = resampler(tmp_path, Toy(CHANCES)).verdicts(prefixes(5), lambda count: None)
    torn = records.shard_path(tmp_path, "samples", 2)
    torn.write_bytes(torn.read_bytes()[:100])
    toy = Toy(CHANCES)
    again = resampler(tmp_path, toy)
    assert again.verdicts(prefixes(5), lambda count: None) == whole
    assert len(toy.asked) == 5
    for path in records.shards(tmp_path, "verdicts-1"):
        path.rename(path.with_name(path.name.replace("verdicts-1", "verdicts-0")))
    assert again.verdicts(prefixes(5), lambda count: None) == whole
    assert len(toy.asked) == 5


def test_a_continuation_is_cut_off_where_the_whole_solution_would_have_been(tmp_path: Path) -> None:
    """3 of at most 4 tokens are the prefix's: one is left, so the end token does not fit."""
    resampler(tmp_path, Toy(CHANCES), n=4, max_tokens=4).verdicts(prefixes(1), lambda count: None)
    samples = list(records.read(records.shards(tmp_path, "samples"), Sample))
    assert [one.finish_reason for one in samples[::4]] == ["stop", "stop", "stop", "length"]
    assert samples[-1].text.startswith("step step step ####")
