"""The figures of one evaluation."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Literal

import numpy as np
import pyarrow as pa

from tpt import pairs
from tpt.artefacts import Figures, Headline, Metrics, PerProblem
from tpt.errors import DataError
from tpt.evaluate.intervals import Floats, Interval, gain_interval, share_interval
from tpt.evaluate.passk import pass_at_k
from tpt.judges.answer import canonical
from tpt.judges.thinking import UNFINISHED
from tpt.records import LENGTH, STOP_STRING, Sample, Status, Verdict
from tpt.settings.sampling import EvaluateConfig

Reader = Literal["strict", "lenient"]
Figure = Literal["pass@k", "maj@k"]
FIGURES: tuple[Figure, Figure] = ("pass@k", "maj@k")
READERS: tuple[Reader, Reader] = ("strict", "lenient")
MAJORITY: dict[Reader, Literal["strict_majority", "lenient_majority"]] = {
    "strict": "strict_majority",
    "lenient": "lenient_majority",
}
JUDGED = (Status.CORRECT, Status.PARTIAL, Status.WRONG)

_vote = lru_cache(maxsize=2**16)(canonical)  # an answer comes up many times


@dataclass
class _Reading:
    """What one reader finds among a problem's samples."""

    correct: int = 0
    votes: Counter[str] = field(default_factory=Counter)
    right: set[str] = field(default_factory=set)

    def add(self, status: Status, answer: str) -> None:
        """Take one sample; `answer`: equal for answers that are the same."""
        if answer:
            self.votes[answer] += 1
        if status is Status.CORRECT:
            self.correct += 1
            self.right.add(answer)

    def majority_is_right(self) -> bool:
        """Whether the most frequent answer is correct; among equals the first that was sampled counts."""
        vote = self.votes.most_common(1)
        return bool(vote) and vote[0][0] in self.right


@dataclass
class _Tally:
    """What is kept of all samples: some numbers a problem, so that a million problems fit into memory.

    Attributes:
        correct, majority: by reader, of each problem: correct samples, and whether the majority is right.
        voted: the readers that found an answer anywhere; programs are not voted on.
        well_formed: samples in which the strict reader found an answer, and could judge it.
        judge_error, gold_unreadable: samples of which a reader could not say whether they are right.
        unfinished_thinking: samples that end inside their thinking.
        stopped: samples that a stop string ended.
        distinct: different texts, added up over the problems.
    """

    ids: list[str] = field(default_factory=list)
    n: list[int] = field(default_factory=list)
    correct: dict[Reader, list[int]] = field(default_factory=lambda: {reader: [] for reader in READERS})
    majority: dict[Reader, list[bool]] = field(default_factory=lambda: {reader: [] for reader in READERS})
    voted: set[Reader] = field(default_factory=set)
    distinct: int = 0
    tokens: int = 0
    cut_off: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    well_formed: int = 0
    judge_error: int = 0
    gold_unreadable: int = 0
    unfinished_thinking: int = 0
    stopped: int = 0

    def add(self, problem: str, judged: Iterable[tuple[Sample, Verdict]]) -> None:
        """Count the samples of one problem."""
        strict, lenient = _Reading(), _Reading()
        texts = set()  # hashes: the texts of one problem alone may be large
        n = 0
        for sample, verdict in judged:
            n += 1
            texts.add(hash(sample.text))
            strict.add(verdict.strict, verdict.strict_answer)
            lenient.add(verdict.lenient, _vote(verdict.lenient_answer))
            self.tokens += len(sample.completion_ids)
            self.cut_off += sample.finish_reason == LENGTH
            self.stopped += sample.finish_reason == STOP_STRING
            self.well_formed += verdict.strict in JUDGED
            self.judge_error += Status.JUDGE_ERROR in (verdict.strict, verdict.lenient)
            self.gold_unreadable += Status.GOLD_UNREADABLE in (verdict.strict, verdict.lenient)
            self.unfinished_thinking += verdict.rule == UNFINISHED
            self.statuses[verdict.status] += 1
        self.ids.append(problem)
        self.n.append(n)
        self.distinct += len(texts)
        for reader, reading in zip(READERS, (strict, lenient), strict=True):
            self.correct[reader].append(reading.correct)
            self.majority[reader].append(reading.majority_is_right())
            if reading.votes:
                self.voted.add(reader)


def summarise(
    samples: Iterable[Sample],
    verdicts: Iterable[Verdict],
    config: EvaluateConfig,
    tokens: int | None = None,
) -> Metrics:
    """All figures of an evaluation, ready for JSON.

    Args:
        samples: of all problems; those of one problem lie together.
        verdicts: one for each sample, in the same order.
        config: which k, which confidence.
        tokens: of all completions; None: they are counted.

    Raises:
        DataError: there are no samples, or the samples of a problem lie apart.
        RunError: a verdict is of another sample than the one it stands beside.
    """
    tally = _Tally()
    for problem, judged in groupby(pairs.paired(samples, verdicts), key=lambda pair: pair[0].problem_id):
        tally.add(problem, judged)
    total = sum(tally.n)
    if not total:
        raise DataError("there are no samples to evaluate", "see the log of the evaluate stage")
    if len(set(tally.ids)) < len(tally.ids):
        raise DataError("the samples of one problem lie in several places", "remove the sample shards, then run again")
    metrics: Metrics = {
        "problems": len(tally.ids),
        "samples": total,
        "mean_tokens": (tally.tokens if tokens is None else tokens) / total,
        "cut_off": tally.cut_off / total,
        "well_formed": tally.well_formed / total,
        "judge_error": tally.judge_error / total,
        "gold_unreadable": tally.gold_unreadable / total,
        "unfinished_thinking": tally.unfinished_thinking / total,
        "distinct": tally.distinct / len(tally.ids),
        "statuses": {str(status): tally.statuses[status] for status in Status},
        "strict": _figures(tally, "strict", config),
        "lenient": _figures(tally, "lenient", config),
        "per_problem": _per_problem(tally),
    }
    if tally.stopped:
        metrics["stopped"] = tally.stopped / total
    return metrics


def _per_problem(tally: _Tally) -> PerProblem:
    correct = tally.correct
    found: PerProblem = {"id": tally.ids, "n": tally.n, "strict": correct["strict"], "lenient": correct["lenient"]}
    for reader in READERS:
        if reader in tally.voted:
            found[MAJORITY[reader]] = [int(one) for one in tally.majority[reader]]
    return found


def doubts(metrics: Headline) -> list[str]:
    """A sentence for each kind of samples that count as not correct though nobody knows whether they are.

    Args:
        metrics: what `summarise` gave.
    """
    total = metrics["samples"]
    found = []
    for share, why in (
        (metrics["judge_error"], "could not be judged: the judge failed"),
        (metrics["gold_unreadable"], "could not be judged: the gold answer cannot be read"),
    ):
        count = round(share * total)
        if count:
            effect = "its figures mean nothing" if count == total else "its figures may be too low"
            found.append(f"{count:,} of {total:,} samples {why}. They count as not correct, so {effect}")
    return found


def _figures(tally: _Tally, reader: Reader, config: EvaluateConfig) -> Figures:
    n, c = np.array(tally.n), np.array(tally.correct[reader])
    figures: Figures = {"pass@k": {}, "correct@k": {}, "maj@k": {}}
    for k in config.ks:
        values = pass_at_k(n, c, k)
        figures["pass@k"][str(k)] = share_interval(values, config.confidence).to_dict()
        figures["correct@k"][str(k)] = round(float(values.sum()), 2)
    if reader in tally.voted:
        majority = np.array(tally.majority[reader], dtype=np.float64)
        figures["maj@k"][str(n.max())] = share_interval(majority, config.confidence).to_dict()
    return figures


def majorities(metrics: Metrics, reader: Reader) -> set[int]:
    """The k of maj@k that are known by problem: the number of samples, or none."""
    return {int(k) for k in metrics[reader]["maj@k"]} if MAJORITY[reader] in metrics["per_problem"] else set()


def shares(metrics: Metrics, reader: Reader, k: int, figure: Figure = "pass@k") -> Floats:
    """A figure of each problem, between 0 and 1, shape (problems,), in the order of `per_problem`.

    Raises:
        DataError: the majority of k samples of each problem is not known.
    """
    of = metrics["per_problem"]
    if figure == "pass@k":
        return pass_at_k(np.asarray(of["n"]), np.asarray(of[reader]), k)
    if k not in majorities(metrics, reader):
        raise DataError(f"maj@{k} is not known by problem", "evaluate again, with as many samples of each problem")
    return np.asarray(of[MAJORITY[reader]], dtype=np.float64)


def difference(
    after: Metrics, before: Metrics, reader: Reader, k: int, config: EvaluateConfig, figure: Figure = "pass@k"
) -> Interval:
    """The gain in a figure from one evaluation to another of the same problems, paired by problem.

    Args:
        after, before: what `summarise` gave.

    Raises:
        DataError: they evaluate different problems; or see `shares`.
    """
    ids = [pa.array(metrics["per_problem"]["id"]) for metrics in (after, before)]
    one, other = (shares(metrics, reader, k, figure) for metrics in (after, before))
    if not ids[0].equals(ids[1]):
        import pyarrow.compute as pc  # here: slow to import, and seldom needed

        place = pc.index_in(ids[0], value_set=ids[1])
        if place.null_count or len(ids[0]) != len(ids[1]):
            raise DataError(
                "the two evaluations are of different problems", "compare runs of the same task and test split"
            )
        other = other[place.to_numpy()]
    return gain_interval(one, other, config.confidence)
