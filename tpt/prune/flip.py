"""A judge that errs on purpose, to measure how much of the gain survives an imperfect judge."""

from dataclasses import replace

from tpt.prune.modes import UNJUDGED, read
from tpt.prune.select import hashed
from tpt.records import Status, Verdict
from tpt.settings.prune import PruneConfig


def flip(verdict: Verdict, config: PruneConfig, seed: int) -> Verdict:
    """The verdict that pruning uses: with probability `prune.flip.rate` the opposite of the judge's.

    Whether it is flipped depends only on the seed, the problem and the sample's index, so what is flipped at one rate
    is also flipped at every higher rate. A sample that could not be judged has no verdict to flip.

    Args:
        seed: the seed of the round's pruning.
    """
    if not config.flip.rate:
        return verdict
    right = read(verdict, config.reader) is Status.CORRECT
    if verdict.status in UNJUDGED or (right and config.flip.which == "false_positives"):
        return verdict
    if hashed(seed, "flip", verdict.problem_id, verdict.index) >= config.flip.rate * 2**64:
        return verdict
    said = Status.WRONG if right else Status.CORRECT
    return replace(verdict, status=said, strict=said, lenient=said, passed=0 if right else verdict.total)
