"""Sampling a split of the problems, shard by shard: the think stage, and the first half of evaluate."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow.compute as pc
import pyarrow.parquet as pq

from tpt import artefacts, files, models, prompt, records
from tpt.artefacts import SAMPLES, Engine, Prepared, Sampled
from tpt.errors import RunError
from tpt.progress import Progress
from tpt.prompt import Decoder
from tpt.records import Sample
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Draws, Stage
from tpt.stages.early import judging
from tpt.stages.serving import engine_of
from tpt.stages.sharding import Worker, problem_shards, sample_seed, samples_path
from tpt.think.base import Completion, Draw, Prompt
from tpt.think.engines import make_sampler

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def model_dir(run: Run, stage: Stage) -> Path:
    """The checkpoint that a stage samples from.

    Raises:
        RunError: it is gone.
    """
    round = table.draws_of(run.config, stage).round
    return Path(run.results(table.PREPARED, Prepared)["teacher_dir"]) if round is None else run.model(round)


def think(run: Run, stage: Stage, progress: Progress) -> Sampled:
    """Sample solutions to the training problems. What is already there is not sampled again."""
    sample(run, stage, progress, Worker())
    return summary(run.folder(stage))


def check_sampled(run: Run, stage: Stage) -> None:
    """Check that every shard of a stage has been sampled.

    Raises:
        RunError: naming those that have not.
    """
    paths = [samples_path(run, stage, number) for number, _ in enumerate(problem_shards(run, stage))]
    missing = [path.name for path in paths if not records.is_whole(path)]
    if missing:
        raise RunError(
            f"{len(missing)} of {len(paths)} sample shards of {stage} are missing, e.g. {missing[0]}",
            "the same command again, or `tpt resubmit`, samples them",
        )


def sample(run: Run, stage: Stage, progress: Progress, worker: Worker) -> None:
    """Write the sample shards that are missing or torn, of those that fall to this worker.

    Raises:
        EngineError, ModelError: the engine cannot load the model, or died; finished shards stay.
        DiskFull: finished shards stay.
    """
    owed = {
        number: len(problems)
        for number, problems in enumerate(problem_shards(run, stage))
        if worker.takes(number) and not records.is_whole(samples_path(run, stage, number))
    }
    if owed:
        with judging(run, stage, worker):
            _sample_shards(run, stage, owed, progress, worker)


def _sample_shards(run: Run, stage: Stage, owed: dict[int, int], progress: Progress, worker: Worker) -> None:
    from transformers import AutoTokenizer  # slow to import, and needed only where something is sampled

    draws, checkpoint = table.draws_of(run.config, stage), model_dir(run, stage)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    draw = Draw.of(draws.settings, draws.task, draws.model, tokenizer, checkpoint)
    decode, begun, total = Decoder(tokenizer), _Begun(), sum(owed.values())
    # A server knows its own; of its model there may be nothing here but a tokenizer.
    context = 0 if table.by_server(run.config, stage) else models.context_length(checkpoint, draws.model)
    # A resumed engine that seeds as a whole must not repeat the draws of the shards that are already there.
    seed = run.seed(stage) + min(owed) * draw.n
    tokens, done, started = 0, 0, time.monotonic()
    with make_sampler(engine_of(run, stage), draws.model, checkpoint, context, seed) as sampler:
        loaded = time.monotonic()
        prompts = _prompts(run, stage, owed, begun, draws, tokenizer)
        for one, completions in sampler.sample(prompts, draw):
            whole = begun.add(one.key, as_samples(one, completions, decode.opened_by(one.ids)))
            if whole:
                number, shard = whole
                records.write(samples_path(run, stage, number), Sample, shard)
            tokens += sum(len(completion.ids) for completion in completions)
            done += 1
            progress(done, total, "problems", tokens / (time.monotonic() - loaded), "tokens/s")
        engine: Engine = {
            **sampler.describe(),
            "python": sys.executable,
            "tokens": tokens,
            "start_seconds": round(loaded - started, 2),
            "sample_seconds": round(time.monotonic() - loaded, 2),
        }
    files.write_json(run.folder(stage) / artefacts.ENGINE.format(worker.index), engine)


class _Begun:
    """The shards of which some samples are being drawn; only these are in memory."""

    def __init__(self) -> None:
        self._shard_of: dict[str, int] = {}
        self._finished: dict[int, dict[str, list[Sample]]] = {}  # of each shard, by problem in the shard's order
        self._waiting: dict[int, int] = {}

    def begin(self, number: int, ids: list[str]) -> None:
        """Expect the samples of a shard's problems."""
        self._shard_of |= dict.fromkeys(ids, number)
        self._finished[number] = {one: [] for one in ids}
        self._waiting[number] = len(ids)

    def add(self, problem_id: str, samples: list[Sample]) -> tuple[int, list[Sample]] | None:
        """Take a problem's samples; gives its shard's number and samples, once that is whole."""
        number = self._shard_of.pop(problem_id)
        self._finished[number][problem_id] = samples
        self._waiting[number] -= 1
        if self._waiting[number]:
            return None
        del self._waiting[number]
        return number, [sample for found in self._finished.pop(number).values() for sample in found]


def _prompts(
    run: Run,
    stage: Stage,
    owed: dict[int, int],
    begun: _Begun,
    draws: Draws,
    tokenizer: "PreTrainedTokenizerBase",
) -> Iterator[Prompt]:
    size = run.config.sampler.shard_size
    for number, problems in enumerate(problem_shards(run, stage)):
        if number in owed:
            begun.begin(number, [problem.id for problem in problems])
            for position, problem in enumerate(problems):
                turns = prompt.messages(problem, draws.task, draws.model)
                ids = prompt.encode_prompt(turns, tokenizer, draws.model)
                yield Prompt(problem.id, ids, sample_seed(run, stage, number * size + position), turns)


def as_samples(one: Prompt, completions: list[Completion], begun: str) -> list[Sample]:
    """A problem's completions as samples.

    Args:
        begun: what the prompt has already written of each, see `Decoder.opened_by`.
    """
    return [
        Sample(one.key, index, one.ids, completion.ids, begun + completion.text, completion.finish_reason)
        for index, completion in enumerate(completions)
    ]


def engines_of(folder: Path) -> list[Engine]:
    """What each engine of a stage said of itself: how many tokens, and seconds of its start and of sampling.

    Raises:
        Damaged: it cannot be read.
    """
    needs: files.Needs = {"tokens": int, "start_seconds": float | int, "sample_seconds": float | int}
    paths = sorted(folder.glob(artefacts.every(artefacts.ENGINE)))
    return [cast(Engine, files.read_json(path, needs)) for path in paths]


def summary(folder: Path) -> Sampled:
    """Counts over the sample shards of a stage, and what its engines said of themselves."""
    samples, tokens, cut_off = 0, 0, 0
    for path in records.shards(folder, SAMPLES):
        with records.readable(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["completion_ids", "finish_reason"]):
                samples += batch.num_rows
                tokens += pc.sum(pc.list_value_length(batch.column("completion_ids"))).as_py() or 0
                cut_off += pc.sum(pc.equal(batch.column("finish_reason"), "length")).as_py() or 0
    engines = engines_of(folder)
    rates = [one["tokens"] / one["sample_seconds"] for one in engines if one["sample_seconds"]]
    return {
        "samples": samples,
        "tokens": tokens,
        "cut_off": cut_off,
        "tokens_per_second": round(sum(rates), 1),
        "engines": engines,
    }
