"""A judge that errs on purpose: how much of what is gained survives an imperfect one?"""

from dataclasses import replace

from tpt.config import PruneConfig
from tpt.prune.modes import UNJUDGED, read
from tpt.prune.select import hashed
from tpt.records import Status, Verdict


def flip(verdict: Verdict, config: PruneConfig, seed: int) -> Verdict:
    """The verdict that pruning heeds: with probability `prune.flip.rate` the opposite of the judge's.

    Whether it is flipped depends on the seed, the problem and the sample's index alone, so what is flipped at one rate
    is flipped at every higher one. A sample that could not be judged has no verdict to flip.

    Args:
        seed: of the round's pruning.
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
