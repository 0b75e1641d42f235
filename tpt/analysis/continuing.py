"""Continuing a run's own solutions from between their steps, with the model that wrote them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tpt import models, records
from tpt.analysis.bar import bar
from tpt.analysis.resample import Prefix, Resampler, named
from tpt.analysis.steps import step_ends
from tpt.checkpoint import quiet
from tpt.probe import has_vllm
from tpt.prompt import Decoder
from tpt.records import Problem, Sample, Verdict
from tpt.report.rows import round_name
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.settings.engine import resolve_engine
from tpt.settings.sampler import SamplerConfig
from tpt.terminal import PlainConsole
from tpt.think.base import Draw, Sampler
from tpt.think.engines import make_sampler

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class How(Protocol):
    """What is set of it."""

    continuations: int
    unit: str


@dataclass(frozen=True)
class Continued:
    """A solution that was cut between its steps, and continued from there.

    Attributes:
        question: the problem's.
        ends: after how many tokens each step ends; the last is the solution's end.
        texts: of the steps.
        verdicts: on the continuations from before the first step, after the first step, ..., before the last step.
    """

    question: str
    ends: list[int]
    texts: list[str]
    verdicts: list[list[Verdict]]


def unheeded(config: SamplerConfig) -> str:
    """The run's settings that do not apply to continuations, which one engine in this process samples; "": all do."""
    here = vars(_here(config))
    unlike = [f"sampler.{key}={value}" for key, value in vars(config).items() if value != here[key]]
    if not unlike:
        return ""
    return (
        f"continuations are sampled in this process, by one engine ({resolve_engine(here['engine'])}): the run's "
        f"{', '.join(unlike)} does not apply"
    )


def continue_all(
    run: Run, round: int, solutions: list[Sample], out: Path, seed: int, how: How, console: PlainConsole
) -> list[Continued]:
    """Continue solutions of a round's evaluation from before each of their steps, as they were sampled.

    Solutions to the same problem that begin alike share the continuations from there.

    Args:
        out: the folder of the analysis; shards are kept in it.
        console: for a bar of progress.
    """
    from transformers import AutoTokenizer  # slow to import

    tokenizer = AutoTokenizer.from_pretrained(run.model(round))
    decode = Decoder(tokenizer)
    problems = _problems(run, {one.problem_id for one in solutions})
    ends = [step_ends(one.completion_ids, decode, how.unit) for one in solutions]
    cut = [_prefixes(problems[one.problem_id], one, at, decode) for one, at in zip(solutions, ends, strict=True)]
    distinct = {prefix.key: prefix for prefixes in cut for prefix in prefixes}
    prefixes = list(distinct.values())
    found = _shown(_resampler(run, round, prefixes, out, seed, how.continuations, tokenizer), prefixes, round, console)
    verdicts = dict(zip(distinct, found, strict=True))
    return [
        Continued(
            problems[one.problem_id].question, at, _texts(one, at, decode), [verdicts[prefix.key] for prefix in before]
        )
        for one, at, before in zip(solutions, ends, cut, strict=True)
    ]


def _problems(run: Run, wanted: set[str]) -> dict[str, Problem]:
    path = run.problems_path(table.draws_of(run.config, table.evaluation(0)).split)
    return {one.id: one for one in records.read(path, Problem) if one.id in wanted}


def _prefixes(problem: Problem, solution: Sample, ends: list[int], decode: Decoder) -> list[Prefix]:
    """What comes before each step."""
    own = decode(solution.completion_ids)
    opened = solution.text.removesuffix(own) if solution.text.endswith(own) else ""
    ids = solution.completion_ids
    return [Prefix(problem, tuple(solution.prompt_ids), tuple(ids[:end]), opened) for end in [0, *ends[:-1]]]


def _texts(solution: Sample, ends: list[int], decode: Decoder) -> list[str]:
    """What each step says: what it adds to the text before it."""
    until = [decode(solution.completion_ids[:end]) for end in [0, *ends]]
    return [after[len(before) :] for before, after in pairwise(until)]


def _resampler(
    run: Run,
    round: int,
    prefixes: list[Prefix],
    out: Path,
    seed: int,
    continuations: int,
    tokenizer: "PreTrainedTokenizerBase",
) -> Resampler:
    stage, checkpoint = table.evaluation(round), run.model(round)
    draws = table.draws_of(run.config, stage)
    drawn = Draw.of(draws.settings, run.config.task, draws.model, tokenizer, checkpoint)
    draw = dataclasses.replace(drawn, n=continuations)
    name = named(prefixes, run.fingerprint(stage), seed, continuations, run.config.sampler.shard_size)
    return Resampler(
        folder=out / "error_locality" / f"round-{round:02d}-{name}",
        engine=_engine(run, round, checkpoint),
        draw=draw,
        decode=Decoder(tokenizer),
        judge=run.config.task.verdicts,
        rules=run.config.task.rules(),
        shard_size=run.config.sampler.shard_size,
        seed=seed,
    )


def _engine(run: Run, round: int, checkpoint: Path) -> Callable[[int], Sampler]:
    def make(seed: int) -> Sampler:
        model = table.draws_of(run.config, table.evaluation(round)).model
        context = models.context_length(checkpoint, model)
        with quiet():
            return make_sampler(_here(run.config.sampler), model, checkpoint, context, seed)

    return make


def _here(config: SamplerConfig) -> SamplerConfig:
    """The settings of an engine in this process: the run may have sampled with another one, on another machine."""
    engine = config.local if config.local != "vllm" or has_vllm() else "auto"
    return dataclasses.replace(config, engine=engine, python=None, data_parallel=1)


def _shown(resampler: Resampler, prefixes: list[Prefix], round: int, console: PlainConsole) -> list[list[Verdict]]:
    """The verdicts, with a bar of progress on a terminal."""
    with bar(console, f"continuing solutions of {round_name(round)}", resampler.owed(prefixes)) as advance:
        return resampler.verdicts(prefixes, advance)
