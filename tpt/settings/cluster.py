"""Where stages run, and what jobs request."""

from dataclasses import dataclass
from typing import Any

from tpt.setting import section, setting


@dataclass
class Resources:
    """What a kind of job requests from SLURM. null: what `cluster.*` says, and then the cluster's own default."""

    partition: str | None = setting(None, "The partition, by the cluster's own name.", free=True)
    account: str | None = setting(None, "The account charged, by the cluster's own name.", free=True)
    qos: str | None = setting(None, "The quality of service, by the cluster's own name.", free=True)
    constraint: str | None = setting(None, "Features that nodes must have, by the cluster's own names.", free=True)
    cpus: int = setting(4, "Cores of a task; a training has one task for each of its devices.", low=1)
    memory_gb: float | None = setting(16.0, "GB of memory on a node.", low=0.1)
    minutes: int = setting(60, "The time limit; a job that reaches it is requeued and continues.", low=1)
    setup: list[str] = setting([], "Any shell lines, run after those of `cluster.setup`.", free=True)
    extra: dict[str, Any] = setting(
        {}, "Further options of sbatch, e.g. {exclude: node7}.", holds=(str, int, float, bool)
    )


@dataclass
class ClusterConfig:
    """Where stages run: on this machine, as jobs of a SLURM cluster, or through submitit's executors for one machine.

    How many GPUs a job gets follows from `sampler.tensor_parallel`, `train.devices` and `train.nodes`, and how many
    jobs sample at once from `sampler.data_parallel`.
    """

    name: str = setting(
        "local", "Where stages run: local, slurm, submitit_local, submitit_debug, or any further backend.", free=True
    )
    partition: str | None = setting(None, "The partition of all jobs, by the cluster's own name.", free=True)
    account: str | None = setting(None, "The account charged for all jobs, by the cluster's own name.", free=True)
    qos: str | None = setting(None, "The quality of service of all jobs, by the cluster's own name.", free=True)
    constraint: str | None = setting(
        None, "Features that the nodes of all jobs must have, by the cluster's own names.", free=True
    )
    gpus: bool = setting(True, "Whether the cluster has GPUs; without, everything runs on CPUs.")
    gpu_type: str | None = setting(None, "The type of GPU, by the cluster's own name, e.g. a100.", free=True)
    setup: list[str] = setting([], "Any shell lines to run before each job, e.g. `module load cuda`.", free=True)
    wrap: str | None = setting(
        None,
        "Any command line around each job's own, which takes the place of {command}: how a container is started.",
        free=True,
    )
    python: str | None = setting(
        None,
        "The interpreter of jobs, e.g. a container's, by its own name or path; null: the one that submits.",
        free=True,
    )
    cpu: Resources = section(Resources, "The jobs of the stages prepare and prune, and of the report.")
    think: Resources = section(Resources, "The jobs of the stage think.")
    train: Resources = section(Resources, "The jobs of the stage train.")
    evaluate: Resources = section(Resources, "The jobs of the stage evaluate.")
    prepare_here: bool = setting(
        False, "Whether to find the model in the shell that submits, for compute nodes that cannot reach the hub."
    )
    retries: int = setting(
        2, "How many times a stage's process is restarted after a failure that may be transient.", low=0
    )
    signal_seconds: int = setting(
        120, "How long before its time limit a stage is told to stop, so that it can be requeued.", low=5
    )
    max_jobs: int | None = setting(
        None, "Jobs of one `tpt run`, sweeps included, that may run at once; null: no limit.", low=1
    )
    sizes: dict[str, Any] = setting(
        {}, "What conf/cluster/slurm.yaml requests for each `model.size`, as a map of values.", holds=(dict,)
    )
