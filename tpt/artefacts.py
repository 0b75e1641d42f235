"""What every file of a run folder is called, and what the manifest of each stage holds. Each is written here only.

The columns of the parquet files are the fields of the classes in `tpt.records`.
"""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

# In a run folder
HEAD = "run.json"  # format, fingerprint, and hashes of what the settings name
CONFIG = "config.yaml"
BOOKS = "metrics.jsonl"  # a line for each finished stage
CAPSULE = "capsule.json"  # in a run folder without weights, as `tpt export --capsule` writes it
STOPPED = "stopped.json"  # where and why `rounds=auto` stopped
HOLDER = "lock.json"  # who holds the folder
LOGS = "logs"
SLURM = "slurm"
JOBS = "jobs.jsonl"  # in SLURM: a line for each submission
REPORT = "report"
TABLE, TABLE_CSV, TABLE_TEX = "table.md", "table.csv", "table.tex"  # in REPORT
ANALYSIS = "analysis"
EXPORT = "export"
WANDB = "wandb"
SHARED = ".stages"  # beside the run folders: where they find each other's stages

# In the folder of a sweep
SWEEP = "sweep.json"
SWEEPS = "sweeps"

# In the folder of every stage
MANIFEST = "manifest.json"  # written last: the stage is done
INPUTS = "inputs.json"  # which outcomes of its inputs it was begun from
PROGRESS = "progress-{}.json"
ERROR = "error-{}.json"

# What stages hand on
SAMPLES = "samples"  # a table in shards
VERDICTS = "verdicts"  # the same, shard by shard beside the samples
ENGINE = "engine-{}.json"  # what an engine said of itself
EXAMPLES = "examples.parquet"
CHECKPOINT = "model"  # the folder of an exported model
CHECKPOINTS = "checkpoints"  # the folder of those of an unfinished training
STEP = "step={}.ckpt"  # in CHECKPOINTS: after so many optimizer steps
STEPS = "metrics.jsonl"  # a line for each optimizer step
METRICS = "metrics.json"  # the figures of an evaluation
PER_PROBLEM = "per_problem.parquet"
SET_ASIDE = "set_aside.json"  # problems that cannot be judged
PROBLEMS = "problems.parquet"  # of a benchmark
COMMAND_OUT = "out"  # what a command wrote: a file or a folder
COMMAND_LOG = "command.log"  # what it printed

# In a folder with a model that was made on this machine
ORIGIN = "origin.json"  # where its weights are from

# In an export
EXPORT_MARK = "export.json"  # which round of which run it holds; written last
EXPORTED_MODEL = "model"
EXPORTED_EXAMPLES = "examples"


def problems(split: str) -> str:
    """The file of a set of problems, in the folder of the prepare stage."""
    return f"{split}.parquet"


def shard(table: str, number: int) -> str:
    """The file of one shard of a table."""
    return f"{table}-{number:05d}.parquet"


def shards(table: str) -> str:
    """A pattern for all shards of a table."""
    return f"{table}-[0-9]*.parquet"


def every(numbered: str) -> str:
    """A pattern for all files of a name with a number in it, such as `ERROR`."""
    return numbered.format("*")


class Marks(TypedDict, total=False):
    """What a task's judge says of every result that rests on it.

    Attributes:
        sandbox: what programs ran in.
        judge_python: the interpreter of programs in Python.
    """

    sandbox: str
    judge_python: str


class ModelDescription(TypedDict):
    """What is recorded of a checkpoint.

    Attributes:
        origin: where the weights are from.
        parameters: how many it has; tied ones count once.
        context: tokens of prompt and completion together; None if the config does not say.
        weight_bytes: size of its safetensors files.
        fingerprint: a hash of its config and of samples of its weights.
    """

    origin: dict[str, Any]
    parameters: int
    context: int | None
    weight_bytes: int
    fingerprint: str


class Served(TypedDict):
    """What a server said when it was first asked.

    Attributes:
        model: the name by which it knows the model.
        ids: whether it takes and gives token ids; if not, it exchanges text.
        context: tokens of prompt and completion together; None if it does not say.
        version: of vLLM; "" if it is another server.
    """

    model: str
    ids: bool
    context: int | None
    version: str


class Prepared(Marks):
    """Results of the prepare stage; beside these, for each set of problems how many it has.

    Attributes:
        model_dir: the base model's checkpoint.
        model: what it is.
        train, test: problems.
        dev: problems, if there is a dev set.
        prompt_tokens: of the longest test prompt.
        teacher_dir: the teacher's checkpoint, if there is one; of a server's teacher, a folder with the tokenizer that
            its samples are encoded with.
        served: what the server of `sampler=server` offers.
        set_aside: problems that cannot be judged.
        warnings: what the user should know.
    """

    model_dir: str
    model: ModelDescription
    train: int
    test: int
    dev: NotRequired[int]
    prompt_tokens: int
    teacher_dir: NotRequired[str]
    served: NotRequired[Served]
    set_aside: NotRequired[int]
    warnings: NotRequired[list[str]]


class EngineDescription(TypedDict):
    """What an engine promises.

    Attributes:
        engine: its name.
        version: of the library.
        device: that it samples on.
        dtype: of the weights.
        rows: samples that it draws at a time.
        way: with transformers, how prompts share what is computed; with a server, what is exchanged.
        served: the name by which a server knows the model.
        encoded_again: whether the samples came as text and were encoded again, so that tokens may differ from those
            sampled.
        determinism: under which conditions samples come out the same, in words.
    """

    engine: str
    version: str
    device: str
    dtype: str
    rows: int
    way: NotRequired[str]
    served: NotRequired[str]
    encoded_again: NotRequired[bool]
    determinism: str


class Engine(EngineDescription):
    """What an engine says of itself.

    Attributes:
        python: the interpreter that it ran in.
        tokens: that it sampled.
        start_seconds: until it could sample.
        sample_seconds: that it sampled.
    """

    python: str
    tokens: int
    start_seconds: float
    sample_seconds: float


class Sampled(TypedDict):
    """Results of a stage that samples.

    Attributes:
        samples: how many.
        tokens: of all completions.
        cut_off: samples that hit `max_tokens`.
        tokens_per_second: of all engines together.
        engines: what each said of itself.
    """

    samples: int
    tokens: int
    cut_off: int
    tokens_per_second: float
    engines: list[Engine]


class Judged(Marks):
    """Results of the judge stage: samples, and how many of them are what.

    Attributes:
        judged: samples.
        correct: right by the strict reader.
        lenient: right by the lenient reader.
        partial: with partial credit only.
        unjudged: that could not be judged.
    """

    judged: int
    correct: int
    lenient: int
    partial: int
    unjudged: int


class Pruned(Marks):
    """Results of the prune stage; `prune.counts.PruneCounts` says what each means."""

    available: int
    correct: int
    lenient: int
    partial: int
    unjudged: int
    cut_off: int
    unusable: int
    flipped: int
    flipped_to_correct: int
    decontaminated: int
    decontaminated_samples: int
    candidates: int
    duplicates: int
    problems: int
    kept_by_source: dict[str, int]
    kept: int
    earlier: int
    examples: int
    by_threshold: dict[str, int]
    warnings: list[str]


class Trained(TypedDict):
    """Results of the train stage.

    Attributes:
        steps: of the optimizer.
        examples: that were trained on.
        examples_left_out: longer than `train.max_length`.
        label_tokens: tokens that the loss was computed on, over all epochs.
        first_loss, final_loss: of the first and the last step.
        tokens_per_second: label tokens.
        learning_rate, precision, device: as used.
        adapted_share: with LoRA, the share of the weights that the adapters change.
        warnings: what the user should know.
    """

    steps: int
    examples: int
    examples_left_out: int
    label_tokens: int
    first_loss: float
    final_loss: float
    tokens_per_second: float
    learning_rate: float
    precision: str
    device: str
    adapted_share: NotRequired[float]
    warnings: NotRequired[list[str]]


class Ends(TypedDict):
    """A figure and its interval."""

    value: float
    low: float
    high: float


# Keys as in the file; those that are no names need this form. Each maps k, as text, to a figure.
Figures = TypedDict("Figures", {"pass@k": dict[str, Ends], "correct@k": dict[str, float], "maj@k": dict[str, Ends]})


class PerProblem(TypedDict):
    """Counts of each problem, from which evaluations are paired: lists, or the arrays that `store.load` gives.

    Attributes:
        id: of the problem.
        n: samples.
        strict, lenient: how many of them each reader finds correct.
        strict_majority, lenient_majority: 1 if the most frequent answer is correct, else 0; programs are not voted on,
            and older evaluations did not keep it.
    """

    id: Sequence[str]
    n: Sequence[int]
    strict: Sequence[int]
    lenient: Sequence[int]
    strict_majority: NotRequired[Sequence[int]]
    lenient_majority: NotRequired[Sequence[int]]


class Headline(TypedDict):
    """The figures of one evaluation. Shares are between 0 and 1, of all samples, if nothing else is said.

    Attributes:
        problems, samples: how many.
        mean_tokens: of a completion.
        cut_off: share that hit `max_tokens`.
        well_formed: share in which the strict reader found an answer, and could judge it.
        judge_error, gold_unreadable: shares of which a reader could not say whether they are right.
        unfinished_thinking: share that ends inside the thinking.
        stopped: share that a stop string ended, if any; those that end by themselves are neither these nor cut off.
        thinking_tokens: of a completion, how many are its thinking, if any.
        distinct: different texts per problem.
        statuses: how many samples have each status.
        strict, lenient: for each reader `pass@k` and `maj@k` with intervals, and `correct@k` (the paper's count of
            problems solved at least once in k samples, expected where k is less than what was drawn).
    """

    problems: int
    samples: int
    mean_tokens: float
    cut_off: float
    well_formed: float
    judge_error: float
    gold_unreadable: float
    unfinished_thinking: float
    stopped: NotRequired[float]
    thinking_tokens: NotRequired[float]
    distinct: float
    statuses: dict[str, int]
    strict: Figures
    lenient: Figures


class Metrics(Headline):
    """The figures of one evaluation, and the counts of each problem."""

    per_problem: PerProblem


class Evaluated(Sampled, Marks):
    """Results of an evaluation.

    Attributes:
        metrics: what `evaluate.metrics.summarise` gave, except the counts of each problem.
        warnings: what the user should know.
    """

    metrics: Headline
    warnings: NotRequired[list[str]]


class BenchmarkPrepared(Marks):
    """Results of preparing a benchmark.

    Attributes:
        problems: how many there are.
        prompt_tokens: of the longest prompt.
        set_aside: problems that cannot be judged.
        warnings: what the user should know.
    """

    problems: int
    prompt_tokens: int
    set_aside: NotRequired[int]
    warnings: NotRequired[list[str]]


class Measurement(TypedDict):
    """A figure that a command measured.

    Attributes:
        value: as it is in the JSON.
        error: its standard error; None if the command gives none.
        count: of how many outcomes it is a share; None if the command does not say.
    """

    value: float
    error: float | None
    count: int | None


class Measured(TypedDict):
    """Results of a command.

    Attributes:
        figures: by name.
        command: its words.
        json: the file that the figures were read from, in the folder of the stage.
    """

    figures: dict[str, Measurement]
    command: list[str]
    json: str


class Head(TypedDict):
    """What `run.json` holds.

    Attributes:
        format: the version of the run folder.
        fingerprint: of every setting that results depend on.
        contents: hashes of what the settings name on this machine.
        tpt: the version that made the folder.
        created: when.
    """

    format: int
    fingerprint: str
    contents: dict[str, str]
    tpt: str
    created: str


class Manifest(TypedDict):
    """What the manifest of every stage holds; beside these, the stage's own results.

    Attributes:
        stage: as text, e.g. `round-01/think`.
        fingerprint: what its results depend on, as a hash.
        made: a hash of what it hands on.
        inputs: the same of its inputs, by stage.
        version: of the rules that it followed.
        seed: its own.
        seconds: that it took.
        finished: when.
        host: the machine.
        versions: of packages that results depend on.
        config: the run's settings.
        warnings: what the user should know.
    """

    stage: str
    fingerprint: str
    made: str
    inputs: dict[str, str | None]
    version: int
    seed: int
    seconds: float
    finished: str
    host: str
    versions: dict[str, str]
    config: dict[str, Any]
    warnings: NotRequired[list[str]]
