"""The seeded draw: which of the solutions that a mode keeps become training examples.

Every solution has a rank that depends only on the seed, its problem and its text. The draw takes the lowest ranks, so
it does not depend on the order of the shards, and a draw of 1,000 is contained in the draw of 2,000 with the same seed.
It reads the solutions twice, first to find the highest rank to draw, then to yield everything up to that rank: memory
grows with what is drawn and not with what is available.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter

from tpt.records import Example

Rank = tuple[int, int]  # of the problem among all problems, of the solution among its problem's

NOTHING: Rank = (-1, -1)  # below every rank


@dataclass(slots=True)
class Candidate:
    """A solution that may be drawn. If it is, `example` makes the training example with its tokens."""

    problem_id: str
    text: str
    example: Callable[[], Example]


# Gives the same candidates on every call, those of one problem together.
Source = Callable[[], Iterable[Candidate]]


@dataclass
class Taken:
    """What is already among the round's examples and must not be drawn again.

    Attributes:
        texts: a hash of each example's problem and text.
        per_problem: how many of this round's examples each problem has.
    """

    texts: set[int] = field(default_factory=set)
    per_problem: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example, new: bool) -> None:
        """Add an example; one from an earlier round (not `new`) does not count towards its problem's limit."""
        self.texts.add(hashed(example.problem_id, example.text))
        if new:
            self.per_problem[example.problem_id] += 1


@dataclass
class Drawing:
    """What was available, and up to which rank to draw.

    Attributes:
        candidates: solutions that the mode keeps.
        duplicates: candidates with the same text as another one of their problem, or as an example already taken.
        problems: problems with at least one solution left.
        available: distinct solutions, at most `per_problem` per problem.
        highest: the highest rank to draw; None to draw all.
    """

    candidates: int = 0
    duplicates: int = 0
    problems: int = 0
    available: int = 0
    highest: Rank | None = None


def survey(source: Source, count: int | None, per_problem: int, seed: int, taken: Taken) -> Drawing:
    """Read a whole source and find up to which rank to draw `count` examples (None for all).

    Args:
        per_problem: the most solutions per problem; 0 for no limit.
        taken: what other sources or rounds have already given.
    """
    found = Drawing()

    def of_all() -> Iterator[Rank]:
        for solutions in _by_problem(source):
            ranked = _distinct(solutions, seed, taken)
            found.candidates += len(solutions)
            found.duplicates += len(solutions) - len(ranked)
            kept = _lowest(ranked, per_problem, taken)
            found.problems += bool(kept)
            found.available += len(kept)
            yield from (rank for rank, _ in kept)

    if count is None:
        for _ in of_all():
            pass
    else:
        lowest = heapq.nsmallest(count, of_all())
        found.highest = lowest[-1] if lowest else NOTHING
    return found


def draw(source: Source, highest: Rank | None, per_problem: int, seed: int, taken: Taken) -> Iterator[Example]:
    """The examples up to a rank that `survey` found, in the source's order.

    Examples may be added to `taken` as they come: a problem's solutions are together and are chosen together.
    """
    for solutions in _by_problem(source):
        for rank, candidate in _lowest(_distinct(solutions, seed, taken), per_problem, taken):
            if highest is None or rank <= highest:
                yield candidate.example()


def ranks(seed: int, problem_id: str, texts: Iterable[str]) -> Iterator[Rank]:
    """The ranks of some solutions to a problem; the lowest of all are drawn.

    Args:
        seed: of the source, see `source_seed`.
    """
    place = hashed(seed, problem_id)
    return ((place, hashed(seed, problem_id, text)) for text in texts)


def source_seed(seed: int, source: str) -> int:
    """The seed by which the examples of one source are drawn.

    Args:
        seed: of the round's pruning.
        source: `self`, `human` or `run`.
    """
    return hashed(seed, source)


def hashed(*parts: object) -> int:
    """A 64-bit hash of some strings, the same on every machine and in every process."""
    return int.from_bytes(blake2b("\x1f".join(map(str, parts)).encode(), digest_size=8).digest())


def _by_problem(source: Source) -> Iterator[list[Candidate]]:
    for _, solutions in groupby(source(), key=attrgetter("problem_id")):
        yield list(solutions)


def _distinct(solutions: list[Candidate], seed: int, taken: Taken) -> list[tuple[Rank, Candidate]]:
    first = {one.text: one for one in reversed(solutions)}
    problem_id = solutions[0].problem_id
    return [
        (rank, one)
        for rank, one in zip(ranks(seed, problem_id, first), first.values(), strict=True)
        if hashed(problem_id, one.text) not in taken.texts
    ]


def _lowest(ranked: list[tuple[Rank, Candidate]], per_problem: int, taken: Taken) -> list[tuple[Rank, Candidate]]:
    if not ranked or not per_problem:
        return ranked
    room = per_problem - taken.per_problem[ranked[0][1].problem_id]
    return heapq.nsmallest(max(room, 0), ranked, key=lambda one: one[0])
