"""What each pruning mode keeps, as a statement about a verdict (arXiv 2504.18116, section 3)."""

from collections.abc import Callable

from tpt.config import PruneConfig
from tpt.records import Sample, Status, Verdict

Mode = Callable[[Verdict, PruneConfig], bool]

# Verdicts that say nothing of the solution: the data or the judge is at fault.
UNJUDGED = (Status.GOLD_UNREADABLE, Status.JUDGE_ERROR)

# Thresholds that the report compares, the lowest first; `prune.threshold` may be any share.
THRESHOLDS = ("one", "0.5", "all_but_one", "1.0")


def none(verdict: Verdict, config: PruneConfig) -> bool:
    """Any sampled solution."""
    return True


def ground_truth(verdict: Verdict, config: PruneConfig) -> bool:
    """Solutions whose answer is right under the reader, `strict` or `lenient`, or that pass every test."""
    return verdict.status not in UNJUDGED and read(verdict, config.reader) is Status.CORRECT


def soft_positive(verdict: Verdict, config: PruneConfig) -> bool:
    """Solutions with partial credit too: enough tests passed, or right by the lenient reader only."""
    return ground_truth(verdict, config) or (verdict.status is Status.PARTIAL and passes(verdict, config.threshold))


def well_formed_wrong(verdict: Verdict, config: PruneConfig) -> bool:
    """Solutions that end in a wrong answer of the right form: what is learnt from them is the form alone."""
    return verdict.strict is Status.WRONG and verdict.status is Status.WRONG


MODES: dict[str, Mode] = {
    "none": none,
    "ground_truth": ground_truth,
    "soft_positive": soft_positive,
    "well_formed_wrong": well_formed_wrong,
}


def heeds_partial_credit(config: PruneConfig) -> bool:
    """Whether partial credit matters to the mode, so that a program is run on all its tests, see `Task.judge`."""
    return config.mode == "soft_positive"


def passes(verdict: Verdict, threshold: str) -> bool:
    """Whether a solution passes enough of its tests; where there are none, only an answer, it does.

    Args:
        threshold: `one` test (arXiv 2504.18116, section 3), `all_but_one`, or a share of them such as `0.5`; never
            fewer than one.
    """
    if not verdict.kind and verdict.passed < verdict.total:
        return True  # an answer that only the lenient reader finds right
    if threshold == "one":
        needed = 1.0
    else:
        needed = verdict.total - 1 if threshold == "all_but_one" else float(threshold) * verdict.total
    return verdict.passed >= max(1.0, needed)


def finished(sample: Sample, keep_cut_off: bool) -> bool:
    """Whether a sample can be trained on at all: it says something, and it ends unless cut-off ones are wanted.

    A sample that hit `max_tokens` has no end token: training on it teaches the model not to stop.
    """
    return bool(sample.text.strip()) and (sample.finish_reason == "stop" or keep_cut_off)


def read(verdict: Verdict, reader: str) -> Status:
    """The verdict of one reader, `strict` or `lenient`."""
    return verdict.lenient if reader == "lenient" else verdict.strict
