"""Algorithm 1 of arXiv 2504.18116, and the carrying out of what a run still owes of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tpt.run import Run


SAMPLED = ("think", "evaluate")  # stages that several engines can share, each with shards of its own


@dataclass(frozen=True, order=True)
class Stage:
    """One stage of one round, e.g. `Stage(1, "think")`."""

    round: int
    name: str

    def __str__(self) -> str:
        return f"round-{self.round:02d}/{self.name}"


def think_prune_train(rounds: int) -> Iterator[Stage]:
    """Algorithm 1 of arXiv 2504.18116 as its stages, in order.

    The paper's round i trains M(i) on what M(i-1) solved; here a round is: think with M(i-1), prune, train M(i),
    evaluate M(i). Round 0 finds the model and the problems, and evaluates the base model.
    """
    yield Stage(0, "prepare")
    yield Stage(0, "evaluate")
    for round in range(1, rounds + 1):
        yield Stage(round, "think")
        yield Stage(round, "prune")
        yield Stage(round, "train")
        yield Stage(round, "evaluate")


def carry_out(run: "Run", execute: Callable[[Stage], None], adopted: Callable[[Stage, Path], None]) -> list[Stage]:
    """Do every stage that is owed, in order, holding the run folder's lock; `rounds=auto` may turn out to owe less.

    Args:
        execute: does one stage and leaves its manifest.
        adopted: told of a stage that was taken over from another run of the same settings, and from where.

    Returns:
        the stages that were owed when it began.
    Raises:
        RunError: another process holds the run folder.
    """
    with run.lock():
        owed = run.owed()
        for stage in owed:
            if stage not in run.stages():  # an evaluation has shown that `rounds=auto` needs no further round
                break
            if run.done(stage):  # what it was made from has come out as before
                continue
            origin = run.adopt(stage)
            if origin:
                adopted(stage, origin)
            else:
                execute(stage)
        run.record_stop()
    return owed
