"""Training problems that overlap those that are evaluated: a gain on questions that were trained on proves nothing.

Every set that is evaluated is looked at: the test split, further sets of the data, and the dev set, since a round that
was chosen by questions that it was trained on was chosen for nothing.

`exact` finds a training question that equals one of them except for case, punctuation and spacing. `ngram` finds one
that shares any `n` consecutive words with one of them; a question with fewer words is compared as a whole, so `ngram`
finds whatever `exact` finds. The default of 13 words follows GPT-3's clean sets (arXiv 2005.14165, appendix C):
fewer would find turns of phrase, more would miss a quoted sentence.

Sharing words is not sharing an answer. Statements of programming contests have whole sentences in common ("the first
line contains one integer t, the number of test cases ..."), and so do problems made from one template. Of the 240
training problems of `task=word_problems`, all of which differ from all 150 test problems, 13 words drop 2, 8 words 66
and 5 words 202; of the 160 of `task=code_puzzles`, 13 words drop 77 (`tests/prune/test_decontaminate.py`). So the count
is always reported, and if it is large, a larger n or `exact` may be a better choice.

Languages without spaces between words are not split into words: use `exact` for those.
"""

import re
import unicodedata
from collections.abc import Iterable

from tpt.prune.select import hashed
from tpt.records import Problem
from tpt.settings.prune import PruneConfig

THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")  # 1,800 is 1800
# A hyphen between letters is part of a word; any other may be a minus.
HYPHEN = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])")
# Punctuation to leave out. NFKC keeps curly quotes and long dashes, and turns an ellipsis into three dots.
PROSE = r"""\s_.,;:!?'"`()\[\]{}\u2018\u2019\u201c\u201d\u2013\u2014"""
# A number with its decimals, a run of letters, or any other sign: "5 - 3" is not "5 + 3".
WORD = re.compile(rf"\d+(?:\.\d+)*|[^\W\d_]+|[^\w{PROSE}]")


def overlapping(train: Iterable[Problem], evaluated: Iterable[Problem], config: PruneConfig) -> set[str]:
    """The ids of the training problems that overlap an evaluated one; none if `prune.decontaminate` is `none`.

    Keeps in memory a hash of each n-gram of the evaluated questions, and the ids it finds; it reads only `id` and
    `question` of the problems, one problem after another.
    """
    if config.decontaminate == "none":
        return set()
    n = config.decontaminate_n if config.decontaminate == "ngram" else None
    index = {mark for problem in evaluated for mark in marks(problem.question, n)}
    return {problem.id for problem in train if not index.isdisjoint(marks(problem.question, n))}


def marks(question: str, n: int | None) -> set[int]:
    """A 64-bit hash of each `n` consecutive words, or of the whole question if it has fewer or if `n` is None."""
    found = words(question)
    size = n or len(found)
    return {hashed(*found[at : at + size]) for at in range(max(1, len(found) - size + 1))}


def words(question: str) -> list[str]:
    """A question without what may differ between two copies: case, punctuation, spacing, commas in numbers.

    A question of only punctuation stays as it is; otherwise all such questions would be equal.
    """
    plain = unicodedata.normalize("NFKC", question).casefold()
    return WORD.findall(HYPHEN.sub(" ", THOUSANDS.sub("", plain))) or question.split()
