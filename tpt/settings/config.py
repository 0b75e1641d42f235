"""A whole config, and what is wrong with one. Imports no torch and no vLLM.

`conf/` holds the values; `tpt.settings.compose` makes these dataclasses of them.
"""

import dataclasses
import os
import re
from dataclasses import dataclass
from typing import Any

from tpt.errors import ConfigError, nearest
from tpt.setting import check_all, default_of, facts_of, section, setting, walk
from tpt.settings.benchmarks import Benchmark, CommandConfig, check_benchmark, check_command, check_name
from tpt.settings.cluster import ClusterConfig
from tpt.settings.model import ModelConfig
from tpt.settings.prune import PruneConfig
from tpt.settings.sampler import SERVER, SamplerConfig
from tpt.settings.sampling import MAIN, EvaluateConfig, ThinkConfig
from tpt.settings.stop import StopConfig
from tpt.settings.tracker import TrackerConfig
from tpt.settings.train import BF16_TRUE_RATE, TrainConfig
from tpt.tasks.base import DEV, Task

DEV_SIZE = 200  # problems of a dev set where nothing says how many


@dataclass
class Config:
    """One run: `rounds` rounds of think, prune, train, evaluate."""

    model: ModelConfig
    task: Task
    think: ThinkConfig
    prune: PruneConfig
    train: TrainConfig
    evaluate: EvaluateConfig
    sampler: SamplerConfig
    cluster: ClusterConfig = section(runtime=True)
    tracker: TrackerConfig = section(runtime=True)
    stop: StopConfig = section(StopConfig, runtime=True)
    benchmarks: dict[str, Benchmark] = setting(
        {},
        "Tasks to evaluate beside the run's own, by names for `evaluate.also`: `benchmarks.NAME.task` and "
        "`benchmarks.NAME.evaluate` are a task's settings, and +task@benchmarks.NAME=TASK takes them from a task's "
        "file.",
        holds=(Benchmark,),
        runtime=True,  # part of the evaluations on them only, see `identity.settings_of`
    )
    commands: dict[str, CommandConfig] = setting(
        {},
        "Commands that measure each model, by names for `evaluate.also`; +command@commands.NAME=lm_eval begins with "
        "the settings of a file.",
        holds=(CommandConfig,),
        runtime=True,
    )
    rounds: int = setting(
        2,
        "How many rounds are done, or `auto`, see `stop`; a run of more rounds continues one of fewer.",
        low=0,
        runtime=True,
    )
    seed: int = setting(0, "The seed of all that is drawn.", low=0)
    seeds_share: str = setting(
        "baseline",
        "What runs that differ only in their seed share, drawn as with seed 0: nothing; the evaluation of the base "
        "model; or the samples of the first round as well.",
        choices=("nothing", "baseline", "samples"),
        added=True,
    )
    run_root: str = setting(
        "runs",
        "The folder of the run folders.",
        least=1,
        hint="name a folder; run_root=. is this one",
        runtime=True,
        path=True,
    )

    @property
    def chosen_benchmarks(self) -> list[str]:
        """The benchmarks that `evaluate.also` names."""
        return [name for name in self.evaluate.also if name in self.benchmarks]

    @property
    def chosen_commands(self) -> list[str]:
        """The commands that `evaluate.also` names."""
        return [name for name in self.evaluate.also if name in self.commands]


DECLARED = ("benchmarks", "commands")  # sections with an entry for each further benchmark
_TOP = [one for one in walk(Config) if "." not in one.key and one.key not in ("task", *DECLARED)]
SECTIONS: dict[str, Any] = {one.key: one.kind for one in _TOP if one.section}
SCALARS: dict[str, Any] = {one.key: one.kind for one in _TOP if not one.section}
ADDED: dict[str, Any] = {one.key: one.value for one in _TOP if one.facts.added}  # which older run folders lack


def to_dict(config: Any, runtime: bool = True) -> dict[str, Any]:
    """A config (or one of its sections) as plain nested dicts.

    Args:
        runtime: whether the settings that do not change results are part of it.
    """
    plain: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value, facts = getattr(config, item.name), facts_of(type(config), item.name)
        if not runtime and (facts.runtime or (facts.added and value == default_of(item))):
            continue
        plain[item.name] = _plain(value, runtime)
    return plain


def _plain(value: Any, runtime: bool) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one, runtime) for name, one in value.items()}
    return to_dict(value, runtime) if dataclasses.is_dataclass(value) else value


def expand_paths(config: Any) -> None:
    """Put the home folder in the place of `~`, and environment variables in the place of `$NAME`, in all paths.

    Raises:
        ConfigError: there is no such user or no such variable.
    """
    _expand(config, "")


def _expand(config: Any, prefix: str) -> None:
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            _expand(value, f"{prefix}{item.name}.")
        elif item.name in DECLARED and not prefix:
            for name, one in value.items():
                _expand(one, f"{item.name}.{name}.")
        elif facts_of(type(config), item.name).path and value:
            setattr(config, item.name, _expanded(prefix + item.name, value))


def _expanded(key: str, path: str) -> str:
    def value(found: "re.Match[str]") -> str:
        name = found[1]
        if name != "$" and name not in os.environ:
            raise ConfigError(
                f"{key}={path}: there is no environment variable {name}", "export it; $$ stands for a dollar sign"
            )
        return "$" if name == "$" else os.environ[name]

    filled = re.sub(r"\$(\$|[A-Za-z_][A-Za-z0-9_]*)", value, path)
    home = os.path.expanduser(filled)
    if home.startswith("~"):
        raise ConfigError(f"{key}={path}: there is no user {home[1:].partition('/')[0]}", "give the path from / on")
    return home


def with_rounds_of(config: Config, other: Config) -> Config:
    """A config with the rounds and the further evaluations that another one of the same run also requests.

    Of two numbers that is the larger one. Of a number and `auto` it is whatever `auto` comes to, and the number at
    least. Of two `auto` the first config's settings hold.
    """
    also = list(dict.fromkeys([*config.evaluate.also, *other.evaluate.also]))
    config = dataclasses.replace(
        config,
        evaluate=dataclasses.replace(config.evaluate, also=also),
        benchmarks=other.benchmarks | config.benchmarks,
        commands=other.commands | config.commands,
    )
    numbers = [one.rounds for one in (config, other) if not one.stop.auto]
    autos = [one.stop for one in (config, other) if one.stop.auto]
    if not autos:
        return dataclasses.replace(config, rounds=max(numbers))
    stop = dataclasses.replace(autos[0], least=max([*numbers, *(one.least for one in autos)]))
    return dataclasses.replace(config, rounds=max(stop.most, stop.least), stop=stop)


def with_dev(config: Config) -> Config:
    """A config that evaluates a dev set if something is chosen: by `rounds=auto`, `task.dev_size`, `evaluate.also`.

    If the data has no dev set and `task.dev_size` does not say how many problems, it is as large as the test split.
    """
    task, evaluate = config.task, config.evaluate
    if not (config.stop.auto or task.dev_size or DEV in evaluate.also):
        return config
    if DEV not in evaluate.also:
        evaluate = dataclasses.replace(evaluate, also=[DEV, *evaluate.also])
    if DEV not in task.sets and task.dev_size is None:
        task = dataclasses.replace(task, dev_size=task.test_size or DEV_SIZE)
    return dataclasses.replace(config, task=task, evaluate=evaluate)


def validate(config: Config) -> None:
    """Check what types cannot: what each setting may be, and contradictions between them.

    Raises:
        ConfigError: naming the setting, the value it has, and what it may be.
    """
    check_all(config)
    config.task.validate()
    if config.stop.auto and config.rounds != max(config.stop.most, config.stop.least):
        raise ConfigError(
            f"rounds={config.rounds} is a number, and stop.auto=true leaves the number open",
            "rounds=auto stop.most=N does N rounds at most",
        )
    _validate_dev(config)
    _validate_further(config)
    _validate_sampling(config)
    _validate_prune(config)
    _validate_precision(config.train)
    _validate_model(config)
    _validate_server(config)


def _validate_dev(config: Config) -> None:
    task = config.task
    if DEV in task.sets and task.dev_size:
        raise ConfigError(
            f"task.dev_size={task.dev_size}: the data of {task.name} has a dev set of its own",
            "leave task.dev_size out, or remove that set from the data",
        )
    if DEV in config.evaluate.also and DEV not in task.sets and not task.dev_size:
        chooses = "rounds=auto" if config.stop.auto else f"evaluate.also={config.evaluate.also}"
        raise ConfigError(
            f"{chooses} needs dev problems, and task.dev_size=0 sets none aside",
            "give task.dev_size=N, or leave it out",
        )


def _validate_further(config: Config) -> None:
    """Check the benchmarks and commands, and that `evaluate.also` names what there is."""
    task, also = config.task, config.evaluate.also
    sets = {MAIN, "train", DEV, *task.sets}
    for name, benchmark in config.benchmarks.items():
        check_name(f"benchmarks.{name}", name, sets, "a set of problems of the task")
        check_benchmark(f"benchmarks.{name}", benchmark)
        _validate_evaluation(f"benchmarks.{name}.evaluate", benchmark.evaluate)
    for name, command in config.commands.items():
        check_name(f"commands.{name}", name, sets, "a set of problems of the task")
        check_name(f"commands.{name}", name, config.benchmarks, "a benchmark")
        check_command(f"commands.{name}", command)
    known = [DEV, *(one for one in task.sets if one not in (MAIN, DEV)), *config.benchmarks, *config.commands]
    for name in also:
        if name not in known:
            hint = nearest(name, known)
            raise ConfigError(
                f"evaluate.also={also}: the task {task.name} has no further set '{name}', and no benchmark or command "
                "is declared by this name",
                hint if hint.startswith("did") else f"{hint}; +task@benchmarks.{name}=TASK declares a benchmark",
            )


def _validate_sampling(config: Config) -> None:
    _validate_evaluation("evaluate", config.evaluate)
    if config.think.temperature == 0 and config.think.samples_per_problem > 1:
        raise ConfigError(
            "think.temperature=0 draws the same completion every time",
            "set think.samples_per_problem=1, or a temperature above 0",
        )


def _validate_evaluation(key: str, evaluate: EvaluateConfig) -> None:
    for k in evaluate.ks:
        if k > evaluate.samples_per_problem:
            raise ConfigError(
                f"pass@{k} cannot be estimated from {key}.samples_per_problem={evaluate.samples_per_problem}",
                f"choose every k in {key}.ks between 1 and {evaluate.samples_per_problem}, or draw more samples",
            )
    if evaluate.temperature == 0 and evaluate.samples_per_problem > 1:
        raise ConfigError(
            f"{key}.temperature=0 draws the same completion every time",
            f"set {key}.samples_per_problem=1 {key}.ks=[1], or a temperature above 0",
        )


def _validate_prune(config: Config) -> None:
    prune = config.prune
    mixed = dataclasses.asdict(prune.mix)
    if prune.source == "mix" and not any(mixed.values()):
        raise ConfigError(
            "prune.source=mix takes nothing from any source", "give counts, e.g. prune.mix.self=500 prune.mix.human=500"
        )
    if prune.source != "mix" and any(mixed.values()):
        raise ConfigError(
            f"prune.mix has counts but prune.source={prune.source}", "set prune.source=mix, or leave prune.mix out"
        )
    uses_run = prune.source == "run" or prune.mix.run > 0
    if uses_run and not prune.from_run:
        raise ConfigError("examples from another run need prune.from_run=", "name that run's folder")
    if prune.from_run and not uses_run:
        raise ConfigError("prune.from_run is set but no source uses it", "set prune.source=run, or prune.mix.run=N")


def _validate_precision(train: TrainConfig) -> None:
    if train.precision == "bf16-true" and not train.lora.rank and train.learning_rate < BF16_TRUE_RATE:
        raise ConfigError(
            f"train.precision=bf16-true would train next to nothing with train.learning_rate={train.learning_rate:g}: "
            "bfloat16 weights round such small steps away",
            "set train.precision=bf16-mixed, which keeps float32 weights; to save memory, "
            "train.gradient_checkpointing=true, train.micro_batch=1, or train=lora",
        )


def _validate_model(config: Config) -> None:
    if config.train.strategy == "fsdp" and config.train.lora.rank:
        raise ConfigError(
            "train.strategy=fsdp shards all weights; adapters cannot be merged from shards",
            "set train.lora.rank=0, or train=lora with train.strategy=ddp",
        )
    for key, model in (("model", config.model), ("think.teacher", config.think.teacher)):
        if model and model.source == "hub" and not model.path:
            raise ConfigError(f"{key}.path is empty", "give a hub id, or a folder with a checkpoint")
        if model and model.chat is False and (model.template or model.template_file):
            raise ConfigError(
                f"{key}.chat=false makes prompts plain text, and the settings of {key}.template would do nothing",
                f"leave one of them out: {key}.chat or {key}.template",
            )


def _validate_server(config: Config) -> None:
    """Check what a server can do in this run: it serves one model, and does not learn what a round trains."""
    sampler, teacher = config.sampler, config.think.teacher
    if config.model.source == "server":
        raise ConfigError(
            "model.source=server: only a teacher can be a model of which nothing is here",
            "give model.path a folder or a hub id; the tokenizer makes the prompts and the weights are trained",
        )
    if sampler.engine != SERVER:
        unused = "sampler.urls" if sampler.urls else "think.teacher.source=server" if _is_served(teacher) else ""
        if unused:
            raise ConfigError(f"{unused} needs a server to sample from", "set sampler=server sampler.urls=[ADDRESS]")
        return
    if not sampler.urls:
        raise ConfigError(
            "sampler=server needs the address of a server", "give sampler.urls=[http://localhost:8000/v1]"
        )
    if config.rounds and not teacher:
        raise ConfigError(
            f"sampler=server samples a model that stays as it is, and this run trains {config.model.name}: the server "
            "would not have the checkpoints of its rounds",
            "to think with the model on the server, name it as teacher: +model@think.teacher=NAME (it may be the base "
            "model); to evaluate it, set rounds=0; to sample what is trained, set sampler=auto",
        )
    if teacher and _is_served(teacher) and (teacher.template_file or teacher.chat is not None):
        raise ConfigError(
            "think.teacher.source=server: the server writes prompts in its own chat template, so the settings "
            "think.teacher.template_file and think.teacher.chat do nothing",
            "leave them out; variables of its template can be given: think.teacher.template",
        )
    if sampler.require_ids and _is_served(teacher):
        raise ConfigError(
            "sampler.require_ids=true needs the teacher's tokenizer, and think.teacher.source=server has none here",
            "leave it out, or give the teacher's folder or hub id: think.teacher.source=hub think.teacher.path=",
        )


def _is_served(model: ModelConfig | None) -> bool:
    """Whether nothing of a model is on this machine."""
    return model is not None and model.source == SERVER
