"""The evaluate stage: sample a set of problems, judge, and compute statistics."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from tpt import checkpoint, records
from tpt.artefacts import SAMPLES, Evaluated, Metrics
from tpt.evaluate import store
from tpt.evaluate.metrics import doubts, summarise
from tpt.judges.thinking import final_part
from tpt.progress import Progress
from tpt.prompt import Decoder
from tpt.records import LIGHT, Sample, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages.judge import judge
from tpt.stages.sharding import Worker
from tpt.stages.think import model_dir, sample, summary

# Columns that the figures need; tokens are counted without making an object of each.
VERDICT = ("problem_id", "index", "status", "strict", "lenient", "rule", "strict_answer", "lenient_answer")


def evaluate(run: Run, stage: Stage, progress: Progress) -> Evaluated:
    """Write samples, verdicts and figures; the manifest holds the figures too, except the counts of each problem."""
    folder = run.folder(stage)
    sample(run, stage, progress, Worker())
    verdicts = judge(run, stage, progress)
    samples = records.shards(folder, SAMPLES)
    drawn = summary(folder)
    metrics = figures_of(run, stage, samples, verdicts, drawn["tokens"], model_dir(run, stage))
    store.save(folder, metrics)
    warnings = doubts(metrics)
    figures = drawn | {"metrics": store.headline(metrics)} | table.task_of(run.config, stage).marks()
    return cast(Evaluated, figures | ({"warnings": warnings} if warnings else {}))


def figures_of(
    run: Run, stage: Stage, samples: list[Path], verdicts: list[Path], tokens: int, tokenizer: Path
) -> Metrics:
    """The figures of an evaluation, from its samples and the verdicts on them.

    Args:
        samples, verdicts: their shards, in the same order.
        tokens: of all completions.
        tokenizer: a checkpoint with the tokenizer that they were sampled with, read only if any of them thinks.

    Raises:
        RunError: the verdicts are of other samples.
    """
    thoughts = _Thoughts()
    metrics = summarise(
        thoughts.notice(records.read(samples, Sample, LIGHT)),
        records.read(verdicts, Verdict, VERDICT),
        table.evaluation_settings(run.config, stage),
        tokens=tokens,
    )
    if thoughts.noticed:
        metrics["thinking_tokens"] = _thinking_tokens(samples, tokenizer) / metrics["samples"]
    return metrics


class _Thoughts:
    """Whether any of the samples that pass has thinking in it."""

    def __init__(self) -> None:
        self.noticed = False

    def notice(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """The samples, as they are."""
        for one in samples:
            self.noticed = self.noticed or final_part(one.text) != one.text
            yield one


def _thinking_tokens(shards: list[Path], folder: Path) -> int:
    """How many of the sampled tokens are thinking.

    Args:
        folder: the checkpoint that sampled them.
    """
    decode = Decoder(checkpoint.load_tokenizer(folder))
    tokens = records.read(shards, Sample, ("prompt_ids", "completion_ids"))
    return sum(decode.thinking(one.prompt_ids, one.completion_ids) for one in tokens)
