"""What each pruning mode keeps, as a condition on a verdict (arXiv 2504.18116, section 3)."""

from collections.abc import Callable, Iterable

from tpt import plugins
from tpt.errors import ConfigError, said
from tpt.records import ENDED, Sample, Status, Verdict
from tpt.settings.prune import PruneConfig

Mode = Callable[[Verdict, PruneConfig], bool]

# Verdicts that say nothing about the solution: the data or the judge is at fault.
UNJUDGED = (Status.GOLD_UNREADABLE, Status.JUDGE_ERROR)

# Thresholds that the report compares, lowest first; `prune.threshold` may be any share.
THRESHOLDS = ("one", "0.5", "all_but_one", "1.0")


def none(verdict: Verdict, config: PruneConfig) -> bool:
    """Any sampled solution."""
    return True


def ground_truth(verdict: Verdict, config: PruneConfig) -> bool:
    """Solutions whose answer is right under the chosen reader, `strict` or `lenient`, or that pass every test."""
    return verdict.status not in UNJUDGED and read(verdict, config.reader) is Status.CORRECT


def soft_positive(verdict: Verdict, config: PruneConfig) -> bool:
    """Also solutions with partial credit: enough tests passed, or right only under the lenient reader."""
    return ground_truth(verdict, config) or (verdict.status is Status.PARTIAL and passes(verdict, config.threshold))


def well_formed_wrong(verdict: Verdict, config: PruneConfig) -> bool:
    """Solutions that end in a wrong answer of the right form: they can teach nothing but the form."""
    return verdict.strict is Status.WRONG and verdict.status is Status.WRONG


def gives_examples(judged: Iterable[tuple[Sample, Verdict]], config: PruneConfig) -> bool:
    """Whether a problem may give examples, from all its samples that can be trained on (`prune.problems`).

    Problems that a model solves are easier than others. Modes that are compared on the same problems differ in their
    solutions only: a problem's place in the draw depends on the seed and on its id.
    """
    if config.problems == "all":
        return True
    usable = [verdict for sample, verdict in judged if finished(sample, config.keep_cut_off)]
    wrong = config.problems == "solved" or any(well_formed_wrong(one, config) for one in usable)
    return wrong and any(ground_truth(one, config) for one in usable)


MODES: dict[str, Mode] = {
    "none": none,
    "ground_truth": ground_truth,
    "soft_positive": soft_positive,
    "well_formed_wrong": well_formed_wrong,
}


def keeps(config: PruneConfig) -> Callable[[Sample, Verdict], bool]:
    """What `prune.mode` says of a sample and its verdict.

    A function of the user's own, `python:FILE:FUNCTION`, is called with both, of which only the fields are filled that
    `LIGHT` and `sources.VERDICT` name; what it returns is taken as true or false.

    Raises:
        ConfigError: the file cannot be imported, or has no such function.
    """
    if config.mode in MODES:
        mode = MODES[config.mode]
        return lambda _, verdict: mode(verdict, config)
    own = plugins.function("prune.mode", config.mode)

    def says(sample: Sample, verdict: Verdict) -> bool:
        try:
            return bool(own(sample, verdict))
        except Exception as error:  # whatever a user's function raises
            raise ConfigError(
                f"prune.mode={config.mode} fails on sample {sample.index} of {sample.problem_id}: "
                f"{type(error).__name__}: {said(error)}",
                "correct that function and give the same command again; the samples are kept",
            ) from error

    return says


def heeds_partial_credit(config: PruneConfig) -> bool:
    """Whether partial credit matters to the mode, so that a program is run on all its tests, see `Task.verdicts`.

    A mode of the user's own may read how many tests have passed.
    """
    return config.mode not in MODES or config.mode == "soft_positive"


def passes(verdict: Verdict, threshold: str) -> bool:
    """Whether a solution passes enough of its tests; true if there are no tests, only an answer.

    Args:
        threshold: `one` test (arXiv 2504.18116, section 3), `all_but_one`, or a share of them such as `0.5`; never
            fewer than one.
    """
    if not verdict.kind and verdict.passed < verdict.total:
        return True  # an answer that is right only under the lenient reader
    if threshold == "one":
        needed = 1.0
    else:
        needed = verdict.total - 1 if threshold == "all_but_one" else float(threshold) * verdict.total
    return verdict.passed >= max(1.0, needed)


def finished(sample: Sample, keep_cut_off: bool) -> bool:
    """Whether a sample can be trained on at all: it has text, and it is not cut off unless those are wanted.

    A sample that hit `max_tokens` has no end token: training on it teaches the model not to stop.
    """
    return bool(sample.text.strip()) and (sample.finish_reason in ENDED or keep_cut_off)


def read(verdict: Verdict, reader: str) -> Status:
    """The status under one reader, `strict` or `lenient`."""
    return verdict.lenient if reader == "lenient" else verdict.strict
