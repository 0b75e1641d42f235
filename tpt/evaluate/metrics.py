"""The figures of one evaluation."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tpt.config import EvaluateConfig
from tpt.errors import DataError
from tpt.evaluate.bootstrap import Floats, Interval, interval, paired
from tpt.evaluate.passk import pass_at_k
from tpt.records import Sample, Status, Verdict

Reader = Literal["strict", "lenient"]
READERS: tuple[Reader, Reader] = ("strict", "lenient")


@dataclass
class _Problem:
    """What is kept of one problem's samples."""

    n: int = 0
    correct: dict[Reader, int] = field(default_factory=lambda: dict.fromkeys(READERS, 0))
    votes: dict[Reader, Counter[str]] = field(default_factory=lambda: {reader: Counter() for reader in READERS})
    right: dict[Reader, set[str]] = field(default_factory=lambda: {reader: set() for reader in READERS})
    texts: set[int] = field(default_factory=set)  # hashes: the texts of a large evaluation would fill the memory

    def add(self, sample: Sample, verdict: Verdict) -> None:
        self.n += 1
        self.texts.add(hash(sample.text))
        readings = (verdict.strict, verdict.strict_answer), (verdict.lenient, verdict.lenient_answer)
        for reader, (status, answer) in zip(READERS, readings, strict=True):
            if answer:
                self.votes[reader][answer] += 1
            if status is Status.CORRECT:
                self.correct[reader] += 1
                self.right[reader].add(answer)

    def majority_is_right(self, reader: Reader) -> bool:
        """Whether the most frequent answer is correct; among equals the first that was sampled counts."""
        vote = self.votes[reader].most_common(1)
        return bool(vote) and vote[0][0] in self.right[reader]


def summarise(
    samples: Iterable[Sample], verdicts: Iterable[Verdict], config: EvaluateConfig, seed: int
) -> dict[str, Any]:
    """All figures of an evaluation, ready for JSON. Shares are between 0 and 1.

    Args:
        samples: of all problems; a problem's samples need not be together.
        verdicts: one for each sample, in the same order.
        config: which k, which confidence, how many resamples.
        seed: of the bootstrap.

    Returns:
        counts and shares; for each reader `pass@k` and `maj@k` with intervals and `correct@k` (the paper's count of
        problems solved at least once in k samples, expected where k is less than what was drawn); and `per_problem`,
        from which evaluations are paired.
    Raises:
        DataError: there are no samples, or a verdict is of another sample than the one it stands beside.
    """
    problems: dict[str, _Problem] = {}
    tokens = cut_off = well_formed = total = 0
    statuses: Counter[Status] = Counter()
    for sample, verdict in zip(samples, verdicts, strict=True):
        if (sample.problem_id, sample.index) != (verdict.problem_id, verdict.index):
            raise DataError(
                f"the verdict on sample {verdict.index} of {verdict.problem_id} stands beside sample {sample.index} of "
                f"{sample.problem_id}",
                "the samples were changed after they were judged: remove the verdict files, then run again",
            )
        problems.setdefault(sample.problem_id, _Problem()).add(sample, verdict)
        total += 1
        tokens += len(sample.completion_ids)
        cut_off += sample.finish_reason == "length"
        well_formed += verdict.strict is not Status.NO_ANSWER
        statuses[verdict.status] += 1
    if not total:
        raise DataError("there are no samples to evaluate", "see the log of the evaluate stage")
    metrics: dict[str, Any] = {
        "problems": len(problems),
        "samples": total,
        "mean_tokens": tokens / total,
        "cut_off": cut_off / total,
        "well_formed": well_formed / total,
        "distinct": float(np.mean([len(one.texts) for one in problems.values()])),
        "statuses": {str(status): statuses[status] for status in Status},
    }
    for reader in READERS:
        metrics[reader] = _figures(list(problems.values()), reader, config, seed)
    metrics["per_problem"] = {
        "id": list(problems),
        "n": [one.n for one in problems.values()],
        **{reader: [one.correct[reader] for one in problems.values()] for reader in READERS},
    }
    return metrics


def _figures(problems: list[_Problem], reader: Reader, config: EvaluateConfig, seed: int) -> dict[str, Any]:
    n = np.array([one.n for one in problems])
    c = np.array([one.correct[reader] for one in problems])
    figures: dict[str, Any] = {"pass@k": {}, "correct@k": {}}
    for k in config.ks:
        values = pass_at_k(n, c, k)
        figures["pass@k"][str(k)] = _interval(values, config, seed).to_dict()
        figures["correct@k"][str(k)] = round(float(values.sum()), 2)
    figures["maj@k"] = {}
    if any(one.votes[reader] for one in problems):  # programs are not voted on
        majority = np.array([float(one.majority_is_right(reader)) for one in problems])
        figures["maj@k"] = {str(int(n.max())): _interval(majority, config, seed).to_dict()}
    return figures


def _interval(values: Floats, config: EvaluateConfig, seed: int) -> Interval:
    return interval(values, config.confidence, config.bootstrap, seed)


def difference(
    after: dict[str, Any], before: dict[str, Any], reader: Reader, k: int, config: EvaluateConfig, seed: int
) -> Interval:
    """The gain in pass@k from one evaluation to another of the same problems, paired by problem.

    Args:
        after, before: what `summarise` gave.

    Raises:
        DataError: they evaluate different problems.
    """
    values = []
    for metrics in (after, before):
        per_problem = metrics["per_problem"]
        rates = pass_at_k(np.array(per_problem["n"]), np.array(per_problem[reader]), k)
        values.append(dict(zip(per_problem["id"], rates, strict=True)))
    if values[0].keys() != values[1].keys():
        raise DataError("the two evaluations are of different problems", "compare runs of the same task and test split")
    order = list(values[0])
    one, other = (np.array([rates[name] for name in order]) for rates in values)
    return paired(one, other, config.confidence, config.bootstrap, seed)
