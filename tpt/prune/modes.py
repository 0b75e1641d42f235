"""What each pruning mode keeps, as a statement about a verdict (arXiv 2504.18116, section 3)."""

from collections.abc import Callable

from tpt.records import Sample, Status, Verdict

Mode = Callable[[Verdict, str], bool]

# Verdicts that say nothing of the solution: the data or the judge is at fault.
UNJUDGED = (Status.GOLD_UNREADABLE, Status.JUDGE_ERROR)


def none(verdict: Verdict, reader: str) -> bool:
    """Any sampled solution."""
    return True


def ground_truth(verdict: Verdict, reader: str) -> bool:
    """Solutions whose answer is right under the reader, `strict` or `lenient`, or that pass every test."""
    return verdict.status not in UNJUDGED and _read(verdict, reader) is Status.CORRECT


def soft_positive(verdict: Verdict, reader: str) -> bool:
    """Solutions with partial credit too: some tests passed, or right by the lenient reader only."""
    return ground_truth(verdict, reader) or verdict.status is Status.PARTIAL


MODES: dict[str, Mode] = {"none": none, "ground_truth": ground_truth, "soft_positive": soft_positive}


def finished(sample: Sample, keep_cut_off: bool) -> bool:
    """Whether a sample can be trained on at all: it says something, and it ends unless cut-off ones are wanted.

    A sample that hit `max_tokens` has no end token: training on it teaches the model not to stop.
    """
    return bool(sample.text.strip()) and (sample.finish_reason == "stop" or keep_cut_off)


def _read(verdict: Verdict, reader: str) -> Status:
    return verdict.lenient if reader == "lenient" else verdict.strict
