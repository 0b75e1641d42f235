"""How much the samples of one problem differ from each other: in words, in structure, in their answers."""

import random
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from tpt.judges.segment import plain_number

if TYPE_CHECKING:
    from sacrebleu.metrics.bleu import BLEU

_WORD = re.compile(r"\w+|[^\w\s]")
HYPOTHESES = 10  # of a problem that self-BLEU is taken of; each costs as much as there are samples


def words(text: str) -> list[str]:
    """Words and numbers, and each other sign by itself: `#### 18` -> `#`, `#`, `#`, `#`, `18`."""
    return _WORD.findall(text)


def distinct_n(texts: Iterable[str], n: int) -> float | None:
    """Distinct n-grams of words among all n-grams of the texts together, in (0, 1]; None if there is no n-gram.

    Li et al. 2016 (arXiv 1510.03055). It falls as texts grow in number or in length: only compare like with like.
    """
    grams: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        tokens = words(text)
        here = list(zip(*(tokens[start:] for start in range(n)), strict=False))
        grams.update(here)
        total += len(here)
    return len(grams) / total if total else None


def self_bleu(texts: Sequence[str], seed: int, most: int = HYPOTHESES) -> float | None:
    """Mean BLEU-4 of a text with all the others as references, 0..100; the higher, the more alike; None for one text.

    Zhu et al. 2018 (arXiv 1802.01886), by sacrebleu's sentence BLEU (13a tokens, exponential smoothing, effective
    order).

    Args:
        seed: of the draw of the texts that are compared with the others.
        most: texts that are drawn.
    """
    if len(texts) < 2:
        return None
    metric = _bleu()
    drawn = random.Random(seed).sample(range(len(texts)), min(most, len(texts)))
    scores = [metric.sentence_score(texts[one], [*texts[:one], *texts[one + 1 :]]).score for one in drawn]
    return min(100.0, sum(scores) / len(scores))  # equal texts score a rounding error above 100


@cache
def _bleu() -> "BLEU":
    from sacrebleu.metrics.bleu import BLEU  # here: slow to import

    return BLEU(effective_order=True)


def distinct(values: Iterable[str]) -> int:
    """How many different values there are; "" (no answer, no program) is none."""
    return len({value for value in values if value})


def distinct_answers(answers: Iterable[str]) -> int:
    """How many different final answers there are; numbers are compared as numbers: `18`, `$18` and `18.00` are one."""
    found: set[Fraction | str] = set()
    for answer in answers:
        if text := answer.strip():
            number = plain_number(text)
            found.add(text if number is None else number)
    return len(found)
