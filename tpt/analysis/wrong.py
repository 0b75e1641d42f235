"""Which wrong solutions are looked at: a draw by seed, of problems solved sometimes, and the nearest right one."""

import random
from dataclasses import dataclass

from tpt.analysis.edits import nearest
from tpt.analysis.samples import TOKENS, evaluation, is_right, is_wrong
from tpt.errors import DataError
from tpt.records import Sample
from tpt.report.rows import round_name
from tpt.runs.folder import Run


@dataclass(frozen=True)
class Pair:
    """A wrong solution, and of the right ones to the same problem the one that is the fewest edits of tokens away.

    Attributes:
        edits: tokens to be inserted, deleted or replaced.
    """

    wrong: Sample
    right: Sample
    edits: int

    @property
    def edited(self) -> float:
        """The edits as a share of the longer one's tokens, in [0, 1]."""
        return self.edits / max(1, len(self.wrong.completion_ids), len(self.right.completion_ids))


@dataclass(frozen=True)
class Drawn:
    """The wrong solutions drawn in one round, and what they were drawn from.

    Attributes:
        wrong: wrong solutions in all.
        eligible: of them, those to problems that some sample of the same round solves.
    """

    pairs: list[Pair]
    wrong: int
    eligible: int

    @property
    def problems(self) -> int:
        """To how many problems they are."""
        return len({pair.wrong.problem_id for pair in self.pairs})


def draw_wrong(run: Run, round: int, most: int, seed: int) -> Drawn:
    """Draw wrong solutions of a round's evaluation: one of each problem before a second of any.

    Problems come in the same seeded order in every round, so that rounds have as many in common as they can.

    Raises:
        DataError: no problem has right and wrong solutions.
    """
    problems = evaluation(run, round, TOKENS)
    right = {name: [s for s, v in judged if is_right(v, run.config.prune)] for name, judged in problems.items()}
    wrong = {name: [s for s, v in judged if is_wrong(v)] for name, judged in problems.items()}
    eligible = {name: some for name, some in wrong.items() if some and right[name]}
    total = sum(map(len, wrong.values()))
    if not eligible:
        raise DataError(
            f"no problem has both in {round_name(round)}: {total:,} wrong and {sum(map(len, right.values())):,} right "
            "samples, so no wrong one is to a problem that can be solved",
            "raise evaluate.samples_per_problem or evaluate.problems",
        )
    drawn = _in_turn(eligible, most, seed)
    return Drawn([nearest_right(one, right[one.problem_id]) for one in drawn], total, sum(map(len, eligible.values())))


def _in_turn(eligible: dict[str, list[Sample]], most: int, seed: int) -> list[Sample]:
    """At most so many samples: the first of every problem, then the second of every one that has it, ..."""
    order = sorted(eligible, key=lambda name: random.Random(f"{seed} {name}").random())
    mixed = {name: random.Random(f"{seed} {name}").sample(eligible[name], len(eligible[name])) for name in order}
    turns = max(map(len, mixed.values()))
    return [mixed[name][turn] for turn in range(turns) for name in order if turn < len(mixed[name])][:most]


def nearest_right(wrong: Sample, right: list[Sample]) -> Pair:
    """A wrong sample beside the right one that is nearest to it."""
    unlike = list({tuple(sample.completion_ids): sample for sample in right}.values())
    at, edits = nearest(wrong.completion_ids, [sample.completion_ids for sample in unlike])
    return Pair(wrong, unlike[at], edits)
