"""Sequences laid out as prefix trees: what several begin with alike is computed once, and they lie without padding.

A tree is one row of tokens, in the order in which a walk from the root meets them. Token j lies on the way from the
root to token i, and is all that i may attend to, where j <= i < ends[j]: `ends` says where the tokens that go on from
j end. Sequences that share nothing are branches of one root, and do not see each other. Losses and gradients are those
of the sequences by themselves, up to rounding.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

Tokens = list[int]


@dataclass(frozen=True)
class Packing:
    """What a row costs.

    Attributes:
        pair: attention between two tokens of a row, whether they see each other or not, as a share of all else that a
            token costs.
        multiple: rows are padded to a multiple of so many tokens.
        widest: a row that several sequences share has no more tokens: a mask takes memory by their square.
        masked: rows get their mask even where each is one sequence.
    """

    pair: float = 0.0
    multiple: int = 1
    widest: int = 16_384
    masked: bool = False

    def padded(self, width: int) -> int:
        """Tokens of a row that has to hold so many."""
        return -(-width // self.multiple) * self.multiple

    def cost(self, rows: int, width: int) -> float:
        """Of a batch, in tokens."""
        return rows * width * (1 + self.pair * width)


@dataclass
class Tree:
    """One row.

    Attributes:
        ids: token ids, in the order of the walk.
        positions: how far from the root each is.
        ends: for each token, the place behind the last token that goes on from it.
        paths: for each sequence, in the order in which it was added, where its tokens lie.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    paths: list[list[int]] = field(default_factory=list)

    def add(self, sequence: Tokens, alike: int) -> None:
        """Add a sequence that begins with the same `alike` tokens as the one before."""
        before = self.paths[-1] if self.paths else []
        first = len(self.ids)
        self.paths.append([*before[:alike], *range(first, first + len(sequence) - alike)])
        self.ids += sequence[alike:]
        self.positions += range(alike, len(sequence))
        self.ends += [0] * (len(sequence) - alike)
        for place in self.paths[-1]:
            self.ends[place] = len(self.ids)


def plant(sequences: Sequence[Tokens], packing: Packing | None) -> tuple[list[Tree], list[int]]:
    """The trees that hold some sequences at the least cost.

    Sequences are put in order, so that those that begin alike are neighbours, and cut apart where the least is shared.

    Args:
        packing: None: each sequence is a tree by itself, in the order given.

    Returns:
        the trees, and for each of their paths in turn which sequence it is.
    """
    if packing is None:
        order, alike = list(range(len(sequences))), [0] * len(sequences)
        cuts = set(order)
    else:
        order = sorted(range(len(sequences)), key=lambda one: sequences[one])
        alike = [0, *(_alike(sequences[one], sequences[other]) for one, other in pairwise(order))]
        cuts = _cuts([len(sequences[one]) for one in order], alike, packing)
    trees: list[Tree] = []
    for place, number in enumerate(order):
        if place in cuts:
            trees.append(Tree())
        trees[-1].add(sequences[number], 0 if place in cuts else alike[place])
    return trees, order


def _alike(one: Tokens, other: Tokens) -> int:
    """How many tokens two sequences begin with alike."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:length]) != np.asarray(other[:length]))
    return int(differ[0]) if len(differ) else length


def _cuts(lengths: list[int], alike: list[int], packing: Packing) -> set[int]:
    """Where a new row begins: of all numbers of rows the cheapest, cut where neighbours share the least.

    Where neighbours share the same, halves are cut before quarters, for rows of like length need little padding.
    """
    candidates = [0, *sorted(range(1, len(lengths)), key=lambda place: (alike[place], -(place & -place)))]

    def cost(count: int) -> float:
        cuts = set(candidates[:count])
        widths: list[int] = []
        for place, length in enumerate(lengths):
            if place in cuts:
                widths.append(length)
            else:
                widths[-1] += length - alike[place]
        width = packing.padded(max(widths))
        return packing.cost(count, width) if width <= packing.widest or count == len(lengths) else math.inf

    return set(candidates[: min(range(1, len(lengths) + 1), key=cost)]) if lengths else set()
