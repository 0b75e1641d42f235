"""Sequences laid out as prefix trees: a common beginning is computed once, and there is no padding between sequences.

A tree is one row of tokens, in depth-first order from the root. `ends[j]` is the end of the tokens that continue from
token j: token j is on the path from the root to token i, and i may attend to it, if and only if j <= i < ends[j].
Sequences that share nothing are branches of one root, and do not see each other. Losses and gradients equal those of
the sequences by themselves, up to rounding.
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
        pair: cost of attention between two tokens of a row, whether they see each other or not, relative to everything
            else that a token costs.
        multiple: rows are padded to a multiple of this many tokens.
        widest: the most tokens in a row shared by several sequences: a mask's memory grows with their square.
        masked: whether rows get a mask even if each is a single sequence.
    """

    pair: float = 0.0
    multiple: int = 1
    widest: int = 16_384
    masked: bool = False

    def padded(self, width: int) -> int:
        """The padded length of a row with this many tokens."""
        return -(-width // self.multiple) * self.multiple

    def cost(self, rows: int, width: int) -> float:
        """The cost of a batch, in tokens."""
        return rows * width * (1 + self.pair * width)


@dataclass
class Tree:
    """One row.

    Attributes:
        ids: token ids, in the order of the walk.
        positions: each token's distance from the root.
        ends: for each token, the index after the last token that continues from it.
        paths: for each sequence, in the order in which it was added, the indices of its tokens.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    paths: list[list[int]] = field(default_factory=list)

    def add(self, sequence: Tokens, alike: int) -> None:
        """Add a sequence whose first `alike` tokens are those of the previous one."""
        before = self.paths[-1] if self.paths else []
        first = len(self.ids)
        self.paths.append([*before[:alike], *range(first, first + len(sequence) - alike)])
        self.ids += sequence[alike:]
        self.positions += range(alike, len(sequence))
        self.ends += [0] * (len(sequence) - alike)
        for place in self.paths[-1]:
            self.ends[place] = len(self.ids)


def plant(sequences: Sequence[Tokens], packing: Packing | None) -> tuple[list[Tree], list[int]]:
    """The trees that contain some sequences at the lowest cost.

    Sequences are sorted, so that those with a common beginning are neighbours, and split where they share the least.

    Args:
        packing: the cost of rows; None to make each sequence a separate tree, in the given order.

    Returns:
        the trees, and for each of their paths in turn the index of its sequence.
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
    """How many tokens two sequences have in common at their beginning."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(np.asarray(one[:length]) != np.asarray(other[:length]))
    return int(differ[0]) if len(differ) else length


def _cuts(lengths: list[int], alike: list[int], packing: Packing) -> set[int]:
    """Where new rows begin: the cheapest number of rows, split where neighbours share the least.

    Among equal splits, halves come before quarters, because rows of similar length need little padding.
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
