"""Whether the figures of `gradient_equivalence` and their intervals are right, on a toy with exact gradients.

    python benchmarks/toy_gradients.py             # some minutes of one core; writes toy_gradients.md
    python benchmarks/toy_gradients.py --studies 20 --out /tmp/toy_gradients.md

The toy is an autoregressive softmax policy. Each study draws problems and samples of them anew, at temperature 1, where
the theorem says what every figure is: the cosine of both sides -1, the norm ratio 2. The table says how often a study
tells a figure, how often the interval told misses the theorem's value (at most 5 % is promised), how often it is said
that the figure is not about that value, and what plain means of the same samples give.
"""

import argparse
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from tpt import files, markdown
from tpt.analysis.inner_products import LEVELS, Bools, Floats, Scores, agreement, plugged_in, products
from tpt.evaluate.intervals import Interval
from tpt.evaluate.passk import Ints

LENGTH, VOCABULARY = 3, 2


@dataclass(frozen=True, eq=False)
class Toy:
    """An autoregressive policy over sequences of a few tokens, with parameters that the problems share.

    After each beginning the next token has the logits `features[problem, beginning, token] @ theta`, divided by the
    temperature where samples are drawn.
    """

    features: Floats  # (problems, beginnings, tokens, parameters)
    theta: Floats
    is_right: Bools  # (problems, sequences)

    @classmethod
    def make(cls, problems: int, parameters: int = 4, seed: int = 0) -> "Toy":
        """Problems that resemble each other; of 8 sequences 3 are right."""
        rng = np.random.default_rng(seed)
        beginnings = sum(VOCABULARY**length for length in range(LENGTH))
        shape = (beginnings, VOCABULARY, parameters)
        features = rng.normal(size=shape) + rng.normal(size=(problems, *shape)) / 3
        is_right = np.zeros((problems, VOCABULARY**LENGTH), bool)
        is_right[:, [1, 4, 5]] = True
        return cls(features, rng.normal(size=parameters) / np.sqrt(parameters), is_right)

    @cache  # noqa: B019  # a few toys, which live as long as the process
    def chances_and_scores(self, temperature: float = 1.0) -> tuple[Floats, Floats]:
        """Of each sequence: its chance at the temperature, and the gradient of its log-likelihood at temperature 1."""
        chances, scores = [], []
        for sequence in itertools.product(range(VOCABULARY), repeat=LENGTH):
            chance, score, beginning = np.ones(()), np.zeros(()), 0
            for token in sequence:
                features = self.features[:, beginning]
                hot, own = (_softmax(features @ self.theta / heat) for heat in (temperature, 1.0))
                chance = chance * hot[:, token]
                score = score + features[:, token] - np.einsum("qt,qtd->qd", own, features)
                beginning = VOCABULARY * beginning + token + 1
            chances.append(chance)
            scores.append(score)
        return np.stack(chances, axis=1), np.stack(scores, axis=1)

    @cached_property
    def exact(self) -> tuple[Floats, Floats, Floats]:
        """p, p g+ and (1 - p) g- of each problem."""
        return self.exact_at(1.0)

    def exact_at(self, temperature: float) -> tuple[Floats, Floats, Floats]:
        """The same of samples at a temperature: E[r], E[r s] and E[(1 - r) s], with scores at temperature 1."""
        chances, scores = self.chances_and_scores(temperature)
        sides = [np.einsum("qk,qkd->qd", chances * side, scores) for side in (self.is_right, ~self.is_right)]
        return (chances * self.is_right).sum(1), sides[0], sides[1]

    def draw(
        self, samples: int, rng: np.random.Generator, temperature: float = 1.0, problems: Ints | None = None
    ) -> Scores:
        """The scores of samples of each problem.

        Args:
            problems: which; None for all.
        """
        chances, scores = self.chances_and_scores(temperature)
        of = (np.arange(len(chances)) if problems is None else problems)[:, None]
        ends = chances[of].cumsum(2)
        drawn = np.minimum((rng.random((len(of), samples, 1)) > ends).sum(2), chances.shape[1] - 1)
        return Scores(scores[of, drawn].astype(np.float32), self.is_right[of, drawn])


def _softmax(logits: Floats) -> Floats:
    found: Floats = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return found


EXACT = {"sides": (-1.0, 0.1), "ratio": (2.0, 0.2)}  # and the margin


@dataclass(frozen=True)
class Shares:
    """Of some studies, the shares in which a figure is told, its interval misses the truth, and the truth is denied."""

    told: float
    missed: float
    denied: float

    @classmethod
    def of(cls, found: Sequence[Interval | None], exact: float, margin: float) -> "Shares":
        """The shares of some studies, each with its interval of the figure, or None where it cannot be told."""
        told = [one for one in found if one]
        missed = [one for one in told if not one.low <= exact <= one.high]
        denied = [one for one in told if agreement(one, exact, margin) == "does not agree"]
        return cls(*(len(some) / len(found) for some in (told, missed, denied)))

    def __str__(self) -> str:
        return f"{100 * self.told:.0f} % told, {100 * self.missed:.0f} % missed, {100 * self.denied:.0f} % denied"


@dataclass(frozen=True)
class Size:
    """What came of the studies of one size.

    Attributes:
        shares: by the name of a figure and the level that it is taken at.
        sides, ratio: the figures of plain means, on average.
    """

    parameters: int
    problems: int
    samples: int
    shares: dict[tuple[str, str], Shares]
    sides: float
    ratio: float

    def cells(self) -> dict[str, str]:
        """As a row of the table."""
        row = {"parameters": f"{self.parameters}", "problems": f"{self.problems}", "samples of each": f"{self.samples}"}
        row |= {f"{name}, {level}": str(shares) for (name, level), shares in self.shares.items()}
        return row | {"sides of plain means": f"{self.sides:.2f}", "ratio of plain means": f"{self.ratio:.2f}"}


def study(many: Toy, problems: int, samples: int, studies: int) -> Size:
    """Some studies of one size.

    Args:
        many: the problems that each study draws its own from.
    """
    rng = np.random.default_rng([problems, samples, many.theta.size])
    found: dict[tuple[str, str], list[Interval | None]] = defaultdict(list)
    plain = []
    for _ in range(studies):
        scores = many.draw(samples, rng, problems=rng.choice(len(many.features), problems, replace=False))
        plain.append(plugged_in(scores))
        for level in LEVELS:
            figures = products(scores, level).figures(0.95)
            for name in EXACT:
                found[name, level].append(figures[name])
    shares = {key: Shares.of(some, *EXACT[key[0]]) for key, some in found.items()}
    return Size(many.theta.size, problems, samples, shares, *map(float, np.nanmean(plain, axis=0)))


def sizes(studies: int) -> Iterator[Size]:
    """Studies of every size."""
    for parameters in (4, 64):
        many = Toy.make(problems=1000, parameters=parameters)
        for problems, samples in itertools.product((10, 20, 40), (2, 4, 8, 16)):
            yield study(many, problems, samples, studies)


def page(studies: int, found: Sequence[Size]) -> str:
    """The result as Markdown."""
    edge = ("sides", "across")  # -1 is the end of its range, and over problems its intervals are the narrowest
    at_edge = [size.shares[edge] for size in found]
    others = [shares for size in found for key, shares in size.shares.items() if key != edge]
    cosines = [size.sides for size in found]
    return f"""# The gradient analysis on a toy whose gradients are known

`python benchmarks/toy_gradients.py --studies {studies}`: {studies} studies of each of {len(found)} sizes.

By the theorem the cosine of both sides is -1 and the ratio of their norms 2. At most {_worst("missed", others)} of the
studies of a size told a 95 % interval that misses the theorem's value, and at most {_worst("denied", others)} one
outside the margin, which denies the theorem. The exception is the cosine over problems, since -1 is the end of its
range: it misses in up to {_worst("missed", at_edge)}, and lies outside the margin in {_worst("denied", at_edge)}. Plain
means gave cosines from {min(cosines):.2f} to {max(cosines):.2f}.

*Told* means that there is an interval. *Within* compares the gradients of one problem, averaged over problems;
*across*, the gradients averaged over problems.

{markdown.table([size.cells() for size in found])}"""


def _worst(what: Literal["missed", "denied"], shares: Sequence[Shares]) -> str:
    return f"{100 * max(getattr(one, what) for one in shares):.0f} %"


def main() -> None:
    """Do the studies, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=400, help="of each size")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    given = parser.parse_args()
    text = page(given.studies, list(sizes(given.studies)))
    files.write_text(given.out, text.rstrip() + "\n")
    print(text)


if __name__ == "__main__":
    main()
