"""What a job requests from SLURM according to the config: the parameters that submitit writes to its script."""

import os
from typing import Any

from tpt.cluster.graph import Job
from tpt.runs import table
from tpt.settings.cluster import Resources
from tpt.settings.config import Config

# If a rank fails, the others must not keep waiting; ranks that are done wait for rank 0, which writes the model.
TOGETHER = ("--kill-on-bad-exit=1", "--wait=0")


def of_job(config: Config, job: Job) -> Resources:
    """The section of `cluster.*` that applies to a job."""
    found = getattr(config.cluster, job.kind)
    assert isinstance(found, Resources)
    return found


def gpus_per_node(config: Config, job: Job) -> int:
    """GPUs that a job needs on each of its nodes."""
    served = job.stage is not None and table.by_server(config, job.stage)
    needs = job.trains or job.sampling or (job.stage is not None and table.of(job.stage).computes)
    if not config.cluster.gpus or served or not needs:
        return 0
    return config.train.devices if job.trains else config.sampler.tensor_parallel


def tasks(config: Config, job: Job) -> tuple[int, int]:
    """(nodes, tasks on each node): a training has one task for each device, any other job has one task."""
    return (config.train.nodes, config.train.devices) if job.trains else (1, 1)


def place(config: Config, job: Job, name: str) -> str | None:
    """Where a job runs or who is charged: by its kind's setting, the cluster's, or the user's SBATCH_ variable.

    Args:
        name: of sbatch's option, e.g. `partition`.
    """
    for settings in (of_job(config, job), config.cluster):
        if getattr(settings, name, None):
            return str(getattr(settings, name))
    return os.environ.get(f"SBATCH_{name.upper()}") or None


def parameters(config: Config, job: Job, name: str, exports: list[str]) -> dict[str, Any]:
    """The keyword arguments of submitit's SLURM executor for one job; without dependencies and arrays.

    Args:
        name: the job's name in squeue.
        exports: shell lines before the user's own setup lines.
    """
    cluster, own = config.cluster, of_job(config, job)
    nodes, per_node = tasks(config, job)
    gpus = gpus_per_node(config, job)
    found: dict[str, Any] = {
        "job_name": name,
        "nodes": nodes,
        "ntasks_per_node": per_node,
        "cpus_per_task": own.cpus,
        "time": own.minutes,
        "signal_delay_s": cluster.signal_seconds,
        "stderr_to_stdout": True,
        "setup": [*exports, *cluster.setup, *own.setup],
        # Since 22.05, srun no longer inherits sbatch's CPUs; and what `setup` exports must reach the job.
        "srun_args": [f"--cpus-per-task={own.cpus}", "--export=ALL", *(TOGETHER if nodes * per_node > 1 else [])],
        "wckey": place(
            config, job, "wckey"
        ),  # None: submitit's own key would be rejected by clusters that enforce keys
    }
    for key in ("partition", "account", "qos", "constraint"):
        found[key] = place(config, job, key)
    if own.memory_gb:
        found["mem"] = f"{int(own.memory_gb * 1024)}MB"
    if gpus:
        found["gpus_per_node"] = f"{cluster.gpu_type}:{gpus}" if cluster.gpu_type else gpus
    # A job whose dependencies can never be satisfied must not wait forever; one whose node fails must start again.
    found["additional_parameters"] = {"kill-on-invalid-dep": "yes", "requeue": True, **own.extra}
    if place(config, job, "reservation"):
        found["additional_parameters"].setdefault("reservation", place(config, job, "reservation"))
    return {key: value for key, value in found.items() if value is not None or key == "wckey"}
