"""Preparing a benchmark: its problems are written once, and checked against the model that is to answer them."""

from typing import cast

from tpt import checkpoint, files, prompt
from tpt.artefacts import SET_ASIDE, BenchmarkPrepared, Prepared
from tpt.progress import Progress
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.benchmarks import Benchmark, naming
from tpt.stages import serving, sets
from tpt.stages.prepare import check_context
from tpt.think.base import Draw


def prepare_benchmark(run: Run, stage: Stage, progress: Progress) -> BenchmarkPrepared:
    """Write the problems of a benchmark, and check that the model has room for its prompts and completions.

    Raises:
        DataError: the problems cannot be read, or there are none.
        ConfigError: prompts and completions do not fit the model's context.
        ModelError: nothing shows the model what a solution looks like.
    """
    name = stage.which
    benchmark, unusable = run.config.benchmarks[name], sets.Unusable()
    with naming(f"benchmarks.{name}"):
        count = sets.write_set(benchmark.task, table.TEST, run.problems_path(name), unusable, progress)
        longest = _check_prompts(run, name, benchmark)
    results: BenchmarkPrepared = {"problems": count, "prompt_tokens": longest}
    warnings = _trained_on(run, name)
    if unusable:
        listed = run.folder(stage) / SET_ASIDE
        files.write_json(listed, unusable)
        results["set_aside"] = len(unusable)
        warnings.append(f"{len(unusable)} problems of {name} cannot be judged and are set aside: {listed}")
    if warnings:
        results["warnings"] = warnings
    return cast(BenchmarkPrepared, {**results, **benchmark.task.marks()})


def _check_prompts(run: Run, name: str, benchmark: Benchmark) -> int:
    """Check every prompt against the context of the model.

    Returns:
        tokens of the longest one.
    """
    folder, model, settings = run.base_model(), run.config.model, benchmark.evaluate
    tokenizer, key = checkpoint.load_tokenizer(folder), f"benchmarks.{name}.evaluate"
    prompt.check_examples(benchmark.task, tokenizer, model)
    Draw.of(settings, benchmark.task, model, tokenizer, folder)  # raises where nothing ends a completion
    longest = check_context(run, name, key, settings, model, folder, tokenizer)
    if table.by_server(run.config, Stage(0, table.EVALUATE.name, name)):
        served = run.results(table.PREPARED, Prepared)["served"]
        serving.check_room(served, longest, settings.max_tokens, key)
    return longest


def _trained_on(run: Run, name: str) -> list[str]:
    """A warning if training problems are among those of a benchmark."""
    if run.config.prune.decontaminate != "none":
        return []
    common = sets.questions(run, name) & sets.questions(run, table.TRAIN_SET)
    if not common:
        return []
    return [
        f"{len(common)} questions of {name} are training questions, so a gain on it means less: "
        "prune.decontaminate=exact trains on none of them"
    ]
