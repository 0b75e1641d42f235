"""The way back from a trained example: to its sample, its checkpoint, its verdict, its draw, its problem."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tpt import records
from tpt.artefacts import Judged, Prepared, Pruned, Trained
from tpt.audit.recorded import Recorded, check_round
from tpt.audit.samples import SAID, shard_files
from tpt.errors import RunError
from tpt.export.origin import base_of
from tpt.prune.flip import flip
from tpt.prune.modes import finished, keeps
from tpt.prune.select import Rank, ranks, source_seed
from tpt.records import Example, Problem, Sample, Verdict
from tpt.runs import table
from tpt.runs.stage import Stage
from tpt.stages import serving
from tpt.stages.sharding import sample_seed
from tpt.stages.think import engines_of

NOT_RECORDED = "not recorded"
ABOUT_ENGINE = ("engine", "version", "device", "dtype", "way", "served", "determinism")

Facts = dict[str, Any]  # of one step of the way, as plain JSON


@dataclass(frozen=True)
class Found:
    """A sample with its verdict, and where it lies."""

    sample: Sample
    verdict: Verdict
    shard: Path
    row: int


def trace(run: Recorded, round: int, number: int) -> dict[str, Any]:
    """All that is recorded of where an example comes from, and how it was trained on, as plain JSON.

    Args:
        round: whose training.
        number: of the example among those that the round trained on, from 1.

    Raises:
        RunError: there is no such round or example, or its sample is gone.
        Damaged: a file cannot be read.
    """
    check_round(run, round)
    example, total = _example(run, round, number)
    way: dict[str, Any] = {
        "run": run.name,
        "folder": str(run.root),
        "round": round,
        "number": number,
        "examples": total,
        "example": _of_example(example),
        "training": _training(run, round, example),
        "problem": _problem(run, example),
    }
    if example.source != "self":
        return way | {"sample": None, "why": _not_sampled(run, example)}
    found, alike = _sample(run, example)
    thought = Stage(example.round, table.THINK.name)
    return way | {
        "sample": _of_sample(run, thought, found, alike),
        "seed": _seed(run, thought, found),
        "engines": _engines(run, thought),
        "checkpoint": _checkpoints(run, thought),
        "verdict": _verdict(run, found),
        "prune": _prune(run, example, found),
    }


def _example(run: Recorded, round: int, number: int) -> tuple[Example, int]:
    path = run.examples_path(round)
    total = records.count(path)
    if not 1 <= number <= total:
        raise RunError(
            f"round {round} of {run.name} has no example {number}; it trained on {total}", f"give 1 to {total}"
        )
    row = records.Rows(path, records.schema(Example).names)[number - 1]
    return Example(*row), total


def _of_example(example: Example) -> Facts:
    return {
        "problem": example.problem_id,
        "source": example.source,
        "kept_in_round": example.round,
        "prompt_tokens": len(example.prompt_ids),
        "completion_tokens": len(example.completion_ids),
        "text": example.text,
    }


def _not_sampled(run: Recorded, example: Example) -> str:
    if example.source == "human":
        return "the data set's own worked solution: no model sampled it"
    return f"another run kept it: `tpt trace {run.config.prune.from_run}` goes on from there"


def _sample(run: Recorded, example: Example) -> tuple[Found, list[int]]:
    """The sample that an example is, and the indices of others with the same text.

    Of several samples of a problem with one text, the first that the mode keeps is drawn.

    Raises:
        RunError: it is not there.
    """
    thought = Stage(example.round, table.THINK.name)
    samples, verdicts = shard_files(run, thought)
    if not samples or len(samples) != len(verdicts):
        what = "samples" if not samples else "verdicts"
        raise RunError(
            f"the {what} of round {example.round} are not all in {run.root}, so nothing leads back from the example",
            "trace in a copy of the run that has them",
        )
    alike = [one for one in _of_problem(samples, verdicts, example.problem_id) if one.sample.text == example.text]
    prune, seed = run.config.prune, run.seed(Stage(example.round, table.PRUNE.name))
    kept = keeps(prune)
    for one in alike:
        if finished(one.sample, prune.keep_cut_off) and kept(one.sample, flip(one.verdict, prune, seed)):
            return one, [other.sample.index for other in alike if other is not one]
    raise RunError(
        f"no sample of {thought} that pruning keeps has the text of this example", f"`tpt verify {run.root}` checks all"
    )


def _of_problem(samples: Sequence[Path], verdicts: Sequence[Path], problem_id: str) -> list[Found]:
    found = []
    for shard, judged in zip(samples, verdicts, strict=True):
        sayings = {one.index: one for one in records.read(judged, Verdict, problem_ids=[problem_id])}
        if sayings:
            rows = enumerate(records.read(shard, Sample))
            of_it = ((row, one) for row, one in rows if one.problem_id == problem_id and one.index in sayings)
            found += [Found(one, sayings[one.index], shard, row) for row, one in of_it]
    return found


def _of_sample(run: Recorded, stage: Stage, found: Found, alike: list[int]) -> Facts:
    sample, foreign = found.sample, run.config.think.teacher is not None and not serving.is_own(run)
    return {
        "stage": str(stage),
        "shard": found.shard.name,
        "row": found.row + 1,
        "index": sample.index,
        "prompt_tokens": len(sample.prompt_ids),
        "completion_tokens": len(sample.completion_ids),
        "finish_reason": sample.finish_reason,
        "same_text": alike,
        "trained_on_its_tokens": not foreign,
        "made": run.made(stage),
    }


def _seed(run: Recorded, stage: Stage, found: Found) -> Facts:
    ids = records.read(run.problems_path(table.TRAIN_SET), Problem, ("id",))
    place = next(at for at, problem in enumerate(ids) if problem.id == found.sample.problem_id)
    settings = table.draws_of(run.config, stage).settings
    return {
        "seed": sample_seed(run, stage, place, found.sample.index),
        "of_stage": run.manifest(stage)["seed"],
        "of_run": run.config.seed,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens,
    }


def _engines(run: Recorded, stage: Stage) -> Facts:
    """The engines that sampled a stage; which of several had a shard is not recorded."""
    said = [
        {name: one[name] for name in ABOUT_ENGINE if name in one} for one in map(dict, engines_of(run.folder(stage)))
    ]
    different = [one for at, one in enumerate(said) if one not in said[:at]]
    manifest = run.manifest(stage)
    return {"engines": different, "versions": manifest["versions"], "host": manifest["host"]}


def _checkpoints(run: Recorded, stage: Stage) -> list[Facts]:
    """The checkpoint that a stage sampled from, and those that it was trained from, back to the base model."""
    round = table.draws_of(run.config, stage).round
    if round is None:
        teacher = run.config.think.teacher
        named = run.contents.get("think.teacher.path", NOT_RECORDED)
        return [{"model": "teacher", "name": teacher.name if teacher else "", "digest": named}]
    chain: list[Facts] = []
    while round:
        training, kept = table.training(round), table.trained_on(round)
        manifest = run.manifest(training)
        digest = {"digest": manifest["made"], "finished": manifest["finished"]}
        chain.append({"model": f"round {round}", "stage": str(training), **digest, "examples": run.made(kept)})
        round = round - 1 if run.config.train.start_from == "previous" else 0
    prepared, base = run.results(table.PREPARED, Prepared), base_of(run)
    origin, licence = prepared["model"]["origin"], base.license.get("license_name") or base.license.get("license", "")
    facts = {"name": run.config.model.name, "digest": prepared["model"]["fingerprint"], "origin": origin}
    return [*chain, {"model": "base", **facts, "licence": licence if licence != "unknown" else NOT_RECORDED}]


def _verdict(run: Recorded, found: Found) -> Facts:
    judged = Stage(_round_of(found), table.JUDGE.name)
    manifest, verdict = run.manifest(judged), found.verdict
    said = {name: getattr(verdict, name) for name in (*SAID, "reason", "kind")}
    sandbox = {"sandbox": value} if (value := run.results(judged, Judged).get("sandbox")) else {}
    judge = getattr(run.config.task, "judge", None)
    return said | sandbox | {
        "stage": str(judged),
        "judge": judge or run.config.task.name,
        "rules": manifest["version"],
        "rules_today": table.of(judged).version(run.config, judged),
        "math_verify": manifest["versions"].get("math-verify", NOT_RECORDED),
        "made": manifest["made"],
    }  # fmt: skip


def _round_of(found: Found) -> int:
    return Stage.parse("/".join(found.shard.parts[-3:-1])).round


def _prune(run: Recorded, example: Example, found: Found) -> Facts:
    stage, prune = Stage(example.round, table.PRUNE.name), run.config.prune
    counts, seed = run.results(stage, Pruned), run.seed(stage)
    own_seed = source_seed(seed, example.source)
    drawn = sorted(_ranks(run, example, own_seed))
    own = next(ranks(own_seed, example.problem_id, [example.text]))
    heeded = flip(found.verdict, prune, seed)
    return {
        "stage": str(stage),
        "mode": prune.mode_name,
        "reader": prune.reader,
        "flipped": heeded != found.verdict,
        "seed": seed,
        "wanted": prune.examples if prune.source == "self" else prune.mix.self,
        "per_problem": prune.per_problem,
        "candidates": counts["candidates"],
        "duplicates": counts["duplicates"],
        "kept": counts["kept"],
        "place_in_the_draw": bisect_left(drawn, own) + 1,
        "made": run.made(stage),
    }


def _ranks(run: Recorded, example: Example, own_seed: int) -> list[Rank]:
    """The ranks of all examples that were drawn in the round of one, from its source."""
    found: list[Rank] = []
    kept = records.read(run.examples_path(example.round), Example, ("problem_id", "source", "round", "text"))
    of_round = (one for one in kept if (one.source, one.round) == (example.source, example.round))
    for problem_id, of_it in groupby(of_round, key=lambda one: one.problem_id):
        found += ranks(own_seed, problem_id, (one.text for one in of_it))
    return found


def _training(run: Recorded, round: int, example: Example) -> Facts:
    """How often, and with what weight, an example was trained on, as far as that is recorded."""
    stage, train = table.training(round), run.config.train
    told: Facts = {"stage": str(stage), "extent": train.extent, "batch_size": train.batch_size, "done": False}
    if run.record(stage) is None:
        return told
    results, tokens = run.results(stage, Trained), len(example.completion_ids)
    prepared = run.results(table.PREPARED, Prepared)
    limit = train.max_length or run.config.model.context or prepared["model"]["context"]
    left_out = bool(limit) and len(example.prompt_ids) + tokens > (limit or 0)
    passes = results["steps"] * train.batch_size / results["examples"] if train.steps else float(train.epochs)
    return told | {
        "done": True,
        "steps": results["steps"],
        "examples": results["examples"],
        "left_out_as_too_long": left_out,
        "passes": 0.0 if left_out else passes,
        "trained_tokens": 0 if left_out else round_to(tokens * passes),
        "of_all_trained_tokens": results["label_tokens"],
        "weight": "each completion token counts alike in the mean over its optimizer step",
        "thinking": train.thinking,
        "shared_prefixes_computed_once": train.share_prefix,
        "made": run.made(stage),
    }


def round_to(number: float) -> int:
    """The nearest whole number."""
    return int(number + 0.5)


def _problem(run: Recorded, example: Example) -> Facts:
    path, task = run.problems_path(table.TRAIN_SET), run.config.task
    found = {
        one.id: one for one in records.read(path, Problem, ("id", "question", "gold")) if one.id == example.problem_id
    }
    if not found:
        raise RunError(f"{path} has no problem {example.problem_id}", f"`tpt verify {run.root}` checks all")
    problem = found[example.problem_id]
    return {
        "id": problem.id,
        "task": task.called,
        "question": problem.question,
        "gold": problem.gold,
        "source": task.origin(problem) or NOT_RECORDED,
        "licence": task.known_licence() or NOT_RECORDED,
    }
