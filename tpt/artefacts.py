"""What every file of a run folder is called. Each name is written here and nowhere else.

The columns of the parquet files are the fields of the classes in `tpt.records`; what a stage's manifest holds is in
`tpt.run.manifests`.
"""

# In a run folder
HEAD = "run.json"  # format, fingerprint, and hashes of what the settings name
CONFIG = "config.yaml"
BOOKS = "metrics.jsonl"  # a line for each finished stage
STOPPED = "stopped.json"  # where and why `rounds=auto` stopped
HOLDER = "lock.json"  # who holds the folder
LOGS = "logs"
SLURM = "slurm"
JOBS = "jobs.jsonl"  # in SLURM: a line for each submission
REPORT = "report"
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
CHECKPOINTS = "checkpoints"  # of an unfinished training
STEPS = "metrics.jsonl"  # a line for each optimizer step
METRICS = "metrics.json"  # the figures of an evaluation
PER_PROBLEM = "per_problem.parquet"
SET_ASIDE = "set_aside.json"  # problems that cannot be judged

# In an export
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
