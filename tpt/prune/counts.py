"""What pruning found and kept, and what to tell the user if that is little or nothing."""

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass, field, replace

from tpt.errors import EmptyPrune
from tpt.prune.flip import flip
from tpt.prune.modes import THRESHOLDS, UNJUDGED, finished, heeds_partial_credit, soft_positive
from tpt.prune.sources import Inputs, judged
from tpt.records import ENDED, Status, Verdict
from tpt.settings.prune import PruneConfig

# The parts of a verdict that are counted: status, strict, lenient, tests passed and run, kind. Few of them differ.
_Said = tuple[Status, Status, Status, int, int, str]
# The judge's verdict and the one pruning uses; whether the sample is cut off, is usable, and may be trained on.
_Judgement = tuple[_Said, _Said, bool, bool, bool]


@dataclass
class PruneCounts:
    """Counts for the manifest. The first group counts the round's samples, whatever the source of the examples is.

    Attributes:
        available: all samples.
        correct: samples that are right under the strict reader.
        lenient: samples that are right under the lenient reader.
        partial: samples with only partial credit.
        unjudged: samples without a verdict: the gold answer could not be read, or the judge failed.
        cut_off: samples that hit `max_tokens`.
        unusable: samples that are cut off or empty and so are not trained on.
        flipped: samples whose verdict `prune.flip` reversed; the counts above use the judge's own verdicts.
        flipped_to_correct: flipped samples that pruning took to be correct.

        decontaminated: training problems that are dropped because they overlap one that is evaluated
            (`prune.decontaminate`).
        decontaminated_samples: solutions from all sources that the mode keeps but that are dropped with their problems.
        candidates: solutions from all sources that the mode keeps and that are not dropped.
        duplicates: candidates that repeat another one.
        problems: problems with at least one distinct candidate (counted once per source).
        kept_by_source: examples drawn from `self`, `human`, `run`.
        kept: examples of this round.
        earlier: examples of earlier rounds in the set (`prune.accumulate`).
        examples: `kept` plus `earlier`: what is trained on.
        by_threshold: usable samples of problems not dropped that each `prune.threshold` would keep; empty unless the
            task has tests and partial credit was requested.
        warnings: what the user should know.
    """

    available: int = 0
    correct: int = 0
    lenient: int = 0
    partial: int = 0
    unjudged: int = 0
    cut_off: int = 0
    unusable: int = 0
    flipped: int = 0
    flipped_to_correct: int = 0
    decontaminated: int = 0
    decontaminated_samples: int = 0
    candidates: int = 0
    duplicates: int = 0
    problems: int = 0
    kept_by_source: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    earlier: int = 0
    examples: int = 0
    by_threshold: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def count_samples(inputs: Inputs, config: PruneConfig, seed: int, overlap: Set[str]) -> PruneCounts:
    """Count the round's samples by verdict, before examples are drawn.

    Args:
        seed: seed of `prune.flip`.
        overlap: the ids of the training problems that are dropped.
    """
    judgements: Counter[_Judgement] = Counter()
    for sample, verdict in judged(inputs):
        heeded = flip(verdict, config, seed)
        usable = finished(sample, config.keep_cut_off)
        eligible = usable and sample.problem_id not in overlap
        judgements[_said(verdict), _said(heeded), sample.finish_reason not in ENDED, usable, eligible] += 1
    return _sums(judgements, config, len(overlap))


def _said(verdict: Verdict) -> _Said:
    return verdict.status, verdict.strict, verdict.lenient, verdict.passed, verdict.total, verdict.kind


def _sums(judgements: Counter[_Judgement], config: PruneConfig, decontaminated: int) -> PruneCounts:
    counts = PruneCounts(decontaminated=decontaminated)
    reached: Counter[str] = Counter(dict.fromkeys(THRESHOLDS, 0))
    for (said, heeded, cut_off, usable, eligible), number in judgements.items():
        status, strict, lenient, *_ = said
        counts.available += number
        counts.correct += number * (strict is Status.CORRECT)
        counts.lenient += number * (lenient is Status.CORRECT)
        counts.partial += number * (status is Status.PARTIAL)
        counts.unjudged += number * (status in UNJUDGED)
        counts.cut_off += number * cut_off
        counts.unusable += number * (not usable)
        counts.flipped += number * (heeded != said)
        counts.flipped_to_correct += number * (heeded != said and heeded[0] is Status.CORRECT)
        if eligible:
            verdict = Verdict("", 0, *heeded[:3], passed=heeded[3], total=heeded[4], kind=heeded[5])
            for threshold in THRESHOLDS:
                reached[threshold] += number * soft_positive(verdict, replace(config, threshold=threshold))
    if heeds_partial_credit(config) and any(said[4] > 1 for said, *_ in judgements):
        counts.by_threshold = dict(reached)
    return counts


def nothing_kept(counts: PruneCounts, config: PruneConfig) -> EmptyPrune:
    """The error for a round without any example, with what to change."""
    if counts.decontaminated_samples:
        return EmptyPrune(
            f"all {counts.decontaminated_samples:,} solutions that could be trained on belong to problems that "
            f"overlap those that are evaluated, and prune.decontaminate={config.decontaminate} drops those "
            f"({counts.decontaminated:,} training problems); the samples are kept",
            _fewer_overlaps(config),
        )
    if config.source in ("human", "run"):
        return EmptyPrune(f"prune.source={config.source} gave no examples", _other_source(config))
    message = (
        f"{config.mode} pruning kept none of {counts.available:,} samples ("
        f"{counts.correct:,} right by the strict reader, {counts.lenient:,} by the lenient one, "
        f"{counts.partial:,} with partial credit, {counts.cut_off:,} cut off, "
        f"{counts.unjudged:,} without a verdict); the samples are kept"
    )
    return EmptyPrune(message, "; or ".join(_remedies(counts, config)))


def warn(counts: PruneCounts, config: PruneConfig, short: dict[str, tuple[int, int]]) -> list[str]:
    """Warnings about a small set of examples.

    Args:
        short: for each source that had less than requested: (kept, requested).
    """
    said = [
        f"{source} had {kept:,} of the {wanted:,} requested examples"
        for source, (kept, wanted) in short.items()
        if kept < wanted
    ]
    if counts.decontaminated:
        said.append(
            f"{counts.decontaminated:,} training problems overlap those that are evaluated "
            f"(prune.decontaminate={config.decontaminate}): they and {counts.decontaminated_samples:,} of their "
            "solutions are dropped"
        )
    if counts.unjudged:
        said.append(f"{counts.unjudged:,} samples could not be judged; the verdict shards say why")
    if not counts.kept:
        said.append(f"no new examples in this round: training uses only the {counts.earlier:,} from earlier rounds")
    if counts.examples < config.warn_below:
        remedy = _remedies(counts, config)[0] if config.source in ("self", "mix") else _other_source(config)
        said.append(f"only {counts.examples:,} examples to train on (prune.warn_below={config.warn_below}): {remedy}")
    return said


def _remedies(counts: PruneCounts, config: PruneConfig) -> list[str]:
    """What would keep more samples, the most likely remedy first."""
    found = []
    if counts.decontaminated_samples > counts.candidates:
        found.append(_fewer_overlaps(config))
    if counts.available and counts.unjudged > counts.available / 2:
        found.append("most samples could not be judged: see the reasons in the verdict shards")
    if counts.available and counts.cut_off > counts.available / 2 and not config.keep_cut_off:
        found.append("raise think.max_tokens: most samples were cut off")
    if config.mode == "ground_truth" and config.reader == "strict" and counts.lenient > counts.correct:
        found.append(
            f"{counts.lenient - counts.correct:,} samples are right except for their format: "
            "use prune.reader=lenient or prune=soft_positive, or raise task.few_shot"
        )
    elif config.mode == "ground_truth" and counts.partial:
        found.append(f"use prune=soft_positive: {counts.partial:,} samples have partial credit")
    found.append("raise think.samples_per_problem or task.few_shot, or use easier problems")
    return found


def _fewer_overlaps(config: PruneConfig) -> str:
    """What would drop fewer problems for overlapping those that are evaluated."""
    sharper = ""
    if config.decontaminate == "ngram":
        sharper = (
            "raise prune.decontaminate_n or use prune.decontaminate=exact, if problems from one template only share "
        )
        sharper += "turns of phrase; or "
    return sharper + "use a training split that shares no questions with the test and dev splits"


def _other_source(config: PruneConfig) -> str:
    if config.source == "human":
        return "the data set has few worked solutions or none: use prune.source=self"
    return (
        f"few or no questions of {config.from_run} are in this run's training split: give both the same task settings"
    )
