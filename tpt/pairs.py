"""Samples with their verdicts, which lie in files of their own, in the same order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from tpt import records
from tpt.errors import RunError
from tpt.records import Sample, Verdict

REMOVE = "remove the verdict shards and give the same command again: the samples are judged anew"


def paired(
    samples: Iterable[Sample],
    verdicts: Iterable[Verdict],
    sampled: str = "the sample file",
    judged: str = "the verdict file",
) -> Iterator[tuple[Sample, Verdict]]:
    """Each sample with its verdict.

    Args:
        sampled, judged: what an error calls the two files.

    Raises:
        RunError: a verdict is of another sample than the one it stands beside, or there are more of one than of the
            other.
    """
    for sample, verdict in zip_longest(samples, verdicts):
        if not (sample and verdict) or (sample.problem_id, sample.index) != (verdict.problem_id, verdict.index):
            raise RunError(f"{judged} does not hold the verdicts of {sampled}: {_mismatch(sample, verdict)}", REMOVE)
        yield sample, verdict


def of_shard(
    samples: Path, verdicts: Path, sample_columns: Sequence[str], verdict_columns: Sequence[str]
) -> Iterator[tuple[Sample, Verdict]]:
    """Each sample of a shard with its verdict, with only these columns of each.

    Raises:
        RunError: the verdicts are of other samples.
    """
    return paired(
        records.read(samples, Sample, sample_columns),
        records.read(verdicts, Verdict, verdict_columns),
        str(samples),
        str(verdicts),
    )


def of_shards(
    samples: Sequence[Path], verdicts: Sequence[Path], sample_columns: Sequence[str], verdict_columns: Sequence[str]
) -> Iterator[tuple[Sample, Verdict]]:
    """Each sample of some shards with its verdict, see `of_shard`."""
    for shard, judgement in matched(samples, verdicts):
        yield from of_shard(shard, judgement, sample_columns, verdict_columns)


def matched(samples: Sequence[Path], verdicts: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """Each sample shard with its verdict shard.

    Raises:
        RunError: there are more of one than of the other.
    """
    if len(samples) != len(verdicts):
        raise RunError(f"{len(samples)} sample shards but {len(verdicts)} verdict shards", REMOVE)
    return zip(samples, verdicts, strict=True)


def _mismatch(sample: Sample | None, verdict: Verdict | None) -> str:
    if sample is None or verdict is None:
        return "there are fewer verdicts than samples" if verdict is None else "there are more verdicts than samples"
    return (
        f"the verdict on sample {verdict.index} of {verdict.problem_id} stands beside sample {sample.index} of "
        f"{sample.problem_id}"
    )
