"""The sets of problems of a run: train, test, and dev where something is to be chosen. They share no question."""

from collections.abc import Collection, Iterable, Iterator
from itertools import combinations
from pathlib import Path

from tpt import records
from tpt.errors import DataError
from tpt.progress import Progress
from tpt.prune.decontaminate import words
from tpt.prune.select import hashed
from tpt.records import Problem
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.tasks.base import DEV, Split, Task

SET_ASIDE_HINT = (
    "raise task.seconds if a reference is too slow here; task.references=0 keeps problems whose references fail, "
    "but none without usable tests"
)
WHY = "an evaluation on trained questions means nothing, nor does one on those by which a round was chosen"

Unusable = list[dict[str, str]]  # problems that cannot be judged: `id` and `reason` of each


def write(run: Run, progress: Progress) -> tuple[dict[Split, int], Unusable]:
    """Write each set of problems that can be judged.

    Returns:
        how many problems each set has, and the problems that cannot be judged.
    Raises:
        DataError: problems cannot be read, two sets share questions, or there are too few for a dev set.
    """
    task, unusable = run.config.task, Unusable()
    counts = {split: write_set(task, split, run.problems_path(split), unusable, progress) for split in task.sets}
    for one, other in combinations([split for split in (table.TRAIN_SET, DEV, table.TEST) if split in counts], 2):
        _check_apart(run, one, other)
    if task.dev_size:
        counts |= _set_aside(run, task.dev_size)
    return counts, unusable


def carve(problems: Iterable[tuple[str, str]], taken: Collection[str], size: int, seed: int) -> set[str]:
    """Draw the dev problems among the training problems.

    Questions that differ only in case, punctuation and spacing are drawn together or not at all, so that none is both
    trained on and chosen by.

    Args:
        problems: id and question of each training problem, in any order.
        taken: questions that cannot be drawn: those of the test split, and of worked examples.
        size: how many problems.
        seed: of the draw.

    Returns:
        their ids; fewer than `size` if there are not so many.
    """
    alike: dict[int, list[str]] = {}
    for name, question in problems:
        alike.setdefault(_rank(question, seed), []).append(name)
    for question in taken:
        alike.pop(_rank(question, seed), None)
    drawn: set[str] = set()
    for rank in sorted(alike):
        if len(drawn) + len(alike[rank]) <= size:
            drawn.update(alike[rank])
    return drawn


def _rank(question: str, seed: int) -> int:
    return hashed(seed, *words(question))


def _set_aside(run: Run, size: int) -> dict[Split, int]:
    """Move dev problems from the file of the training problems to a file of their own.

    Returns:
        how many problems both have now.
    """
    task, pool = run.config.task, run.problems_path(table.TRAIN_SET)
    taken = {question for question, _ in task.worked_examples()} | questions(run, table.TEST)
    listed = [(one.id, one.question) for one in records.read(pool, Problem, ["id", "question"])]
    drawn = carve(listed, taken, size, task.seed)
    if len(drawn) < size or len(drawn) == len(listed):
        left = "and leaves none to train on" if len(drawn) == size else f"of which {len(drawn)} can be set aside"
        raise DataError(
            f"task.dev_size={size} takes from the {len(listed)} training problems, {left}",
            f"give a smaller one, e.g. task.dev_size={max(1, len(drawn) // 4)}, or more training problems",
        )
    dev = (one for one in records.read(pool, Problem) if one.id in drawn)
    train = (one for one in records.read(pool, Problem) if one.id not in drawn)
    return {
        DEV: records.write(run.problems_path(DEV), Problem, dev),
        table.TRAIN_SET: records.write(pool, Problem, train),
    }


def write_set(task: Task, split: Split, path: Path, unusable: Unusable, progress: Progress) -> int:
    """Write the problems of a set that can be judged; `unusable` takes the others.

    Returns:
        how many there are.
    Raises:
        DataError: problems cannot be read, or there are none.
    """
    seen = 0

    def reject(problem: Problem, reason: str) -> None:
        unusable.append({"id": problem.id, "reason": reason})

    def loaded() -> Iterator[Problem]:
        nonlocal seen
        for problem in _checked(task.load(split), split):
            seen += 1
            progress(0, 3, "checks", note=f"{seen:,} {split} problems")
            yield problem

    rows = records.write(path, Problem, task.screen(loaded(), reject))
    if not rows and unusable:
        first = unusable[0]
        raise DataError(
            f"no {split} problem can be judged; the first: {first['id']}: {first['reason']}", SET_ASIDE_HINT
        )
    if not rows:
        raise DataError(f"the task {task.name} has no {split} problems", "see task.* and the files it names")
    return rows


def _checked(problems: Iterable[Problem], split: Split) -> Iterator[Problem]:
    seen: set[str] = set()
    for problem in problems:
        if problem.id in seen:
            raise DataError(f"the {split} split has two problems with the id {problem.id}", "ids must be unique")
        seen.add(problem.id)
        yield problem


def _check_apart(run: Run, one: Split, other: Split) -> None:
    """Check that two sets share no question."""
    others = questions(run, other)
    common = [
        problem.question
        for problem in records.read(run.problems_path(one), Problem, ["question"])
        if problem.question in others
    ]
    if common:
        names = {table.TRAIN_SET: "training"}
        raise DataError(
            f"{len(common)} questions are in the {names.get(one, one)} and in the {other} split, e.g. {common[0]!r}",
            f"remove them from one of the files: {WHY}",
        )


def questions(run: Run, split: Split) -> set[str]:
    """The questions of a set of problems that has been written."""
    return {problem.question for problem in records.read(run.problems_path(split), Problem, ["question"])}
