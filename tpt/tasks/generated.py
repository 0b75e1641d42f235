"""What tasks that generate their problems share: a split for each question, and no question twice."""

import hashlib
from collections.abc import Callable, Iterator
from typing import TypeVar

from tpt.errors import DataError
from tpt.tasks.base import Split

OWN_LICENCE = "Apache-2.0, as that of tpt, which makes the problems"
TEST_SHARE = 4  # one question in this many belongs to the test split
ATTEMPTS = 300  # draws in a row without a new question after which the settings are taken to allow no more

Made = TypeVar("Made")


def split_of(question: str) -> Split:
    """The split that a question belongs to, whatever the seed: by a hash of its text."""
    return "test" if hashlib.sha256(question.encode()).digest()[0] % TEST_SHARE == 0 else "train"


def different(draw: Callable[[], tuple[str, Made]], split: Split, size: int, remedy: str) -> Iterator[tuple[str, Made]]:
    """`size` different questions of a split, each with its answer.

    Args:
        draw: makes a question and its answer.
        remedy: what a user can do if there are fewer.

    Raises:
        DataError: there are fewer.
    """
    seen: set[str] = set()
    missed = 0
    while len(seen) < size:
        question, made = draw()
        if question in seen or split_of(question) != split:
            missed += 1
            if missed > ATTEMPTS:
                raise DataError(f"only {len(seen)} of {size} different {split} problems can be made", remedy)
            continue
        missed = 0
        yield question, made
        seen.add(question)
