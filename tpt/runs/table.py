"""The table of stages: each kind declared once as a `StageSpec`, and Algorithm 1 as their order.

A further stage is a spec and its place in `ROUND`; nothing else of the package has to know about it.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from tpt import artefacts
from tpt.artefacts import (
    CHECKPOINT,
    CHECKPOINTS,
    ENGINE,
    EXAMPLES,
    METRICS,
    SAMPLES,
    STEP,
    VERDICTS,
    BenchmarkPrepared,
    Evaluated,
    Judged,
    Measured,
    Prepared,
    Pruned,
    Sampled,
    Trained,
    shards,
)
from tpt.prune.modes import heeds_partial_credit
from tpt.runs import identity
from tpt.runs.stage import Draws, Results, Stage, StageSpec
from tpt.settings.config import Config
from tpt.settings.prune import PruneConfig
from tpt.settings.sampler import SERVER
from tpt.settings.sampling import EvaluateConfig
from tpt.tasks.base import DEV, Split, Task

TEST, TRAIN_SET = "test", "train"  # the sets of problems that every task has


def _prepare_made(folder: Path, results: Prepared) -> str:
    # Every run has its own, so by the problems and not by how a version of parquet stores them.
    dev = [DEV] if (folder / artefacts.problems(DEV)).exists() else []
    tables = [identity.of_problems(folder / artefacts.problems(split)) for split in (TRAIN_SET, TEST, *dev)]
    model = results.get("model", {})
    served = results.get("served")  # what the samples of its server depend on
    return identity.digest([*tables, model.get("fingerprint"), *([served["model"], served["ids"]] if served else [])])


def evaluated_sets(config: Config) -> list[Split]:
    """The sets of problems that a run is or can be evaluated on, and so does not train on; test is the first."""
    return [TEST, *_further_sets(config), *config.chosen_benchmarks]


def _further_sets(config: Config) -> list[Split]:
    """The task's own sets beside train and test."""
    further = [split for split in config.task.sets if split not in (TRAIN_SET, TEST)]
    return [*([DEV] if config.task.dev_size else []), *further]


def task_of(config: Config, stage: Stage) -> Task:
    """The task whose problems a stage treats: the run's own, or that of a benchmark."""
    benchmark = config.benchmarks.get(stage.which) if stage.name in (EVALUATE.name, BENCHMARK.name) else None
    return benchmark.task if benchmark else config.task


def benchmark(name: str) -> Stage:
    """The stage that prepares the problems of a benchmark."""
    return Stage(0, BENCHMARK.name, name)


def _files_made(pattern: str, folder: Path, _: Results) -> str:
    return identity.of_files(sorted(folder.glob(pattern)))


def _train_made(folder: Path, _: Results) -> str:
    return identity.of_checkpoint(folder / CHECKPOINT)


def _model_before(stage: Stage) -> list[Stage]:
    """The training that made the model a round starts with; none in the first round."""
    return [training(stage.round - 1)] if stage.round > 1 else []


def _think_inputs(config: Config, stage: Stage) -> list[Stage]:
    return [PREPARED, *([] if config.think.teacher else _model_before(stage))]


def _judge_inputs(_: Config, stage: Stage) -> list[Stage]:
    return [PREPARED, Stage(stage.round, THINK.name)]


def _prune_inputs(config: Config, stage: Stage) -> list[Stage]:
    round, accumulate = stage.round, config.prune.accumulate
    earlier = [Stage(round - 1, PRUNE.name)] if accumulate and round > 1 else []
    looked_at = config.chosen_benchmarks if config.prune.decontaminate != "none" else []
    return [PREPARED, Stage(round, THINK.name), Stage(round, JUDGE.name), *earlier, *map(benchmark, looked_at)]


def _train_inputs(config: Config, stage: Stage) -> list[Stage]:
    model = _model_before(stage) if config.train.start_from == "previous" else []
    return [PREPARED, trained_on(stage.round), *model]


def _evaluate_inputs(config: Config, stage: Stage) -> list[Stage]:
    problems = [benchmark(stage.which)] if stage.which in config.benchmarks else []
    return [PREPARED, *problems, *([training(stage.round)] if stage.round else [])]


def _command_inputs(_: Config, stage: Stage) -> list[Stage]:
    return [PREPARED, *([training(stage.round)] if stage.round else [])]


def _think_draws(config: Config, stage: Stage) -> Draws:
    if config.think.teacher:
        return Draws(TRAIN_SET, config.think, config.think.teacher, None, config.task)
    return Draws(TRAIN_SET, config.think, config.model, stage.round - 1, config.task)


def _evaluate_draws(config: Config, stage: Stage) -> Draws:
    settings = evaluation_settings(config, stage)
    return Draws(stage.which or TEST, settings, config.model, stage.round, task_of(config, stage))


def evaluation_settings(config: Config, stage: Stage) -> EvaluateConfig:
    """How an evaluation samples, and which figures it has: as the run says, or as its benchmark does."""
    found = config.benchmarks.get(stage.which)
    return found.evaluate if found else config.evaluate


def _prepare_plan(config: Config, _: Stage) -> str:
    return f"{config.model.name} ({config.model.source}), {config.task.called}"


def _sampling_plan(config: Config, stage: Stage) -> str:
    draws = draws_of(config, stage)
    settings, task = draws.settings, draws.task
    known = {TRAIN_SET: task.train_size, TEST: task.test_size, DEV: task.dev_size}
    size = known.get(TEST if draws.split in config.benchmarks else draws.split)
    sizes = [one for one in (settings.problems, size) if one]
    n = settings.samples_per_problem
    total = f"{min(sizes)} problems x {n} = {min(sizes) * n:,}" if sizes else f"all problems x {n}"
    return f"{total} samples at T={settings.temperature:g}, up to {settings.max_tokens} tokens"


def _judge_plan(config: Config, _: Stage) -> str:
    how = "every test of every program" if wants_partial_credit(config) else "strict and lenient reader"
    return f"the samples of this round, {how}"


def _prune_plan(config: Config, _: Stage) -> str:
    return pruning(config.prune)


def pruning(settings: PruneConfig) -> str:
    """What is kept, and how many examples are drawn, in words."""
    work = f"{settings.mode_name}, {settings.reader} reader; draw {settings.examples or 'all'} from {settings.source}"
    if settings.flip.rate:
        which = "the verdicts" if settings.flip.which == "both" else "the wrong ones"
        work += f"; flip {100 * settings.flip.rate:g} % of {which}"
    if settings.decontaminate != "none":
        work += f"; drop problems that overlap evaluated ones ({settings.decontaminate})"
    return work


def _train_plan(config: Config, _: Stage) -> str:
    train = config.train
    kind = f"LoRA rank {train.lora.rank}" if train.lora.rank else "all weights"
    return f"{train.extent}, batch {train.batch_size}, lr {train.learning_rate:g}, {kind}"


def _prepare_outcome(results: Prepared) -> str:
    dev = f", {results['dev']} dev" if "dev" in results else ""
    return f"{results['train']} training{dev} and {results['test']} test problems"


def _think_outcome(results: Sampled) -> str:
    return f"{results['samples']:,} samples, {results['tokens_per_second']:,.0f} tokens/s"


def _judge_outcome(results: Judged) -> str:
    strict, lenient, judged = results["correct"], results["lenient"], results["judged"]
    return f"{strict:,} of {judged:,} samples correct (strict), {lenient:,} (lenient)"


def _prune_outcome(results: Pruned) -> str:
    dropped = results.get("decontaminated")
    overlap = f"; dropped {dropped:,} problems that overlap evaluated ones" if dropped else ""
    return f"kept {results['kept']:,} of {results['available']:,} samples{overlap}"


def _train_outcome(results: Trained) -> str:
    share = results.get("adapted_share")
    adapters = f"; adapters on {100 * share:.0f} % of the weights" if share is not None else ""
    loss = f"loss {results['first_loss']:.3f} -> {results['final_loss']:.3f}"
    return f"{results['steps']} steps, {loss}{adapters}"


def _evaluate_outcome(results: Evaluated) -> str:
    strict = results["metrics"]["strict"]["pass@k"]
    return ", ".join(f"pass@{k} {100 * value['value']:.1f} %" for k, value in strict.items())


def _prune_facts(config: Config, _: Stage) -> dict[str, list[Split]]:
    """What a training problem may not overlap beside the test problems, which alone were looked at in older runs."""
    further = _further_sets(config) if config.prune.decontaminate != "none" else []
    return {"evaluated": further} if further else {}


def _judge_rules(config: Config, stage: Stage) -> int:
    return task_of(config, stage).rules()


def _benchmark_inputs(_: Config, __: Stage) -> list[Stage]:
    return [PREPARED]


def _benchmark_made(folder: Path, _: BenchmarkPrepared) -> str:
    return identity.of_problems(folder / artefacts.PROBLEMS)


def _benchmark_plan(config: Config, stage: Stage) -> str:
    return f"the test problems of {task_of(config, stage).called}"


def _benchmark_outcome(results: BenchmarkPrepared) -> str:
    return f"{results['problems']} problems"


def _benchmark_facts(config: Config, stage: Stage) -> dict[str, Any]:
    return {"benchmark": identity.of_benchmark(config.benchmarks[stage.which])}


def _command_plan(config: Config, stage: Stage) -> str:
    return config.commands[stage.which].filled(config.commands[stage.which].command)


def _command_outcome(results: Measured) -> str:
    return ", ".join(f"{name} {one['value']:.4g}" for name, one in results["figures"].items())


def _command_facts(config: Config, stage: Stage) -> dict[str, Any]:
    return {"command": identity.commands(config)[stage.which]}


def wants_partial_credit(config: Config) -> bool:
    """Whether the judge runs every test of a program, and not only up to the first that fails."""
    return config.task.partial_credit and heeds_partial_credit(config.prune)


PREPARE = StageSpec(
    name="prepare",
    function="tpt.stages.prepare:prepare",
    inputs=lambda *_: [],
    made=_prepare_made,
    plan=_prepare_plan,
    outcome=_prepare_outcome,
    sections=("model", "task"),
    names=(
        *("task.files", "task.code", "model.path", "think.teacher.path"),
        *("model.template_file", "think.teacher.template_file"),
    ),
    shared=False,  # it also checks that this run's settings fit its model
    seeded=False,
)
THINK = StageSpec(
    name="think",
    function="tpt.stages.think:think",
    inputs=_think_inputs,
    made=partial(_files_made, shards(SAMPLES)),
    plan=_sampling_plan,
    outcome=_think_outcome,
    sections=("think", "sampler"),
    names=("task.code", "sampler.engine"),
    progress_files=(shards(SAMPLES),),
    draws=_think_draws,
    resources="think",
)
JUDGE = StageSpec(
    name="judge",
    function="tpt.stages.judge:judge_round",
    inputs=_judge_inputs,
    made=partial(_files_made, shards(VERDICTS)),
    plan=_judge_plan,
    outcome=_judge_outcome,
    progress_files=(shards(VERDICTS),),
    judges=lambda stage: Stage(stage.round, THINK.name),
    names=("task.code",),
    # Runs that differ only in how they prune share verdicts, unless one needs the tests that another stops before.
    facts=lambda config, _: {"partial": wants_partial_credit(config)},
    version=_judge_rules,
    seeded=False,
)
PRUNE = StageSpec(
    name="prune",
    function="tpt.stages.prune:prune_round",
    inputs=_prune_inputs,
    made=partial(_files_made, EXAMPLES),
    plan=_prune_plan,
    outcome=_prune_outcome,
    sections=("prune",),
    facts=_prune_facts,
    names=("prune.from_run", "prune.mode"),
)
TRAIN = StageSpec(
    name="train",
    function="tpt.stages.train:train",
    inputs=_train_inputs,
    made=_train_made,
    plan=_train_plan,
    outcome=_train_outcome,
    sections=("train",),
    progress_files=(f"{CHECKPOINTS}/{artefacts.every(STEP)}",),
    trains=True,
    resources="train",
)
EVALUATE = StageSpec(
    name="evaluate",
    function="tpt.stages.evaluate:evaluate",
    inputs=_evaluate_inputs,
    made=partial(_files_made, METRICS),
    plan=_sampling_plan,
    outcome=_evaluate_outcome,
    sections=("evaluate", "sampler"),
    names=("task.code", "sampler.engine"),
    version=_judge_rules,
    keeps=(shards(SAMPLES), artefacts.every(ENGINE)),
    progress_files=(shards(SAMPLES), shards(VERDICTS)),
    draws=_evaluate_draws,
    finishes="score",
    judges=lambda stage: stage,
    measures=True,
    resources="evaluate",
)
BENCHMARK = StageSpec(
    name="benchmark",
    function="tpt.stages.benchmark:prepare_benchmark",
    inputs=_benchmark_inputs,
    made=_benchmark_made,
    plan=_benchmark_plan,
    outcome=_benchmark_outcome,
    facts=_benchmark_facts,
    shared=False,  # it also checks that this run's model has room for its prompts
    seeded=False,
)
COMMAND = StageSpec(
    name="command",
    function="tpt.stages.command:measure",
    inputs=_command_inputs,
    made=partial(_files_made, METRICS),
    plan=_command_plan,
    outcome=_command_outcome,
    facts=_command_facts,
    computes=True,
    resources="evaluate",
    seeded=False,
)

START = (PREPARE, EVALUATE)  # before the first round
# The order of a round. A stage of another package is named here: "module:SPEC".
_ROUND: tuple[StageSpec | str, ...] = (
    THINK,
    JUDGE,
    PRUNE,
    TRAIN,
    EVALUATE,
)
ROUND: tuple[StageSpec, ...] = tuple(resolve_name(one) if isinstance(one, str) else one for one in _ROUND)
# Beside the rounds, as many as `evaluate.also` names.
FURTHER = (BENCHMARK, COMMAND)
SPECS = {spec.name: spec for spec in (*START, *ROUND, *FURTHER)}

PREPARED = Stage(0, PREPARE.name)


def of(stage: Stage) -> StageSpec:
    """What kind of stage one is."""
    return SPECS[stage.name]


def draws_of(config: Config, stage: Stage) -> Draws:
    """What a stage samples.

    Raises:
        TypeError: it does not sample.
    """
    draws = of(stage).draws
    if draws is None:
        raise TypeError(f"{stage} samples nothing")
    return draws(config, stage)


def by_server(config: Config, stage: Stage) -> bool:
    """Whether a server samples for a stage: it serves the teacher, or without one the model that is only evaluated."""
    if config.sampler.engine != SERVER or not of(stage).draws:
        return False
    return config.think.teacher is None or draws_of(config, stage).round is None


def judged_in(sampled: Stage) -> Stage:
    """The stage that writes the verdicts on another one's samples.

    Raises:
        ValueError: none does.
    """
    for spec in ROUND:
        stage = Stage(sampled.round, spec.name, sampled.which)
        if spec.judges and spec.judges(stage) == sampled:
            return stage
    raise ValueError(f"nothing judges what {sampled} samples")


def before(stage: Stage) -> Stage:
    """The stage of the same round that comes just before one."""
    names = [spec.name for spec in ROUND]
    return Stage(stage.round, names[names.index(stage.name) - 1])


def stages_of(config: Config, rounds: int) -> list[Stage]:
    """Every stage of a run of so many rounds, in the order of Algorithm 1."""
    benchmarks, commands = config.chosen_benchmarks, config.chosen_commands
    also = [name for name in config.evaluate.also if name not in commands]
    return list(think_prune_train(rounds, also, benchmarks, commands))


def think_prune_train(
    rounds: int, also: Sequence[str] = (), benchmarks: Sequence[str] = (), commands: Sequence[str] = ()
) -> Iterator[Stage]:
    """Algorithm 1 of arXiv 2504.18116 as its stages, in order.

    The paper's round i trains M(i) on what M(i-1) solved; here a round is: think with M(i-1), judge, prune, train M(i),
    evaluate M(i). Round 0 finds the model and the problems, and evaluates the base model.

    Args:
        also: further sets of problems and benchmarks that each evaluation measures the model on.
        benchmarks: those whose problems are not the task's own.
        commands: that measure each model as well.
    """
    for round in range(rounds + 1):
        for spec in ROUND if round else START:
            yield Stage(round, spec.name)
            if spec is PREPARE:
                yield from map(benchmark, benchmarks)
            if spec.measures:
                yield from (Stage(round, spec.name, which) for which in also)
                yield from (Stage(round, COMMAND.name, which) for which in commands)


def evaluation(round: int) -> Stage:
    """The main evaluation of a round's model; 0: the base model."""
    return Stage(round, EVALUATE.name)


def choosing(round: int) -> Stage:
    """The evaluation of a round's model on the dev set, by which rounds and arms are chosen."""
    return Stage(round, EVALUATE.name, DEV)


def training(round: int) -> Stage:
    """The training of a round's model."""
    return Stage(round, TRAIN.name)


def trained_on(round: int) -> Stage:
    """The stage whose examples a round trains on."""
    return before(training(round))
