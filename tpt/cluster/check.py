"""Checks whether SLURM would accept a job, before any is submitted."""

import re

from tpt.cluster import resources, slurm, wrap
from tpt.cluster.graph import Job
from tpt.cluster.planning import Planned
from tpt.cluster.slurm import Nodes
from tpt.cluster.submit import parameters_of_kind, script
from tpt.errors import ClusterError, nearest
from tpt.runs.folder import Run

# Characters that SLURM expands in the names of logs, or that end a line of the script or an entry of PYTHONPATH.
UNUSABLE = {"%": "%", "\\": "a backslash", ":": "a colon", "\n": "a line break"}
OWN_OPTIONS = ("array", "dependency", "output", "error", "open-mode", "time")


def check_cluster(planned: list[Planned]) -> None:
    """Check that SLURM would accept each kind of job: in our own words if we can tell, then in SLURM's.

    Raises:
        ClusterError: there is no SLURM, no such partition, no node that has what a job requests, or another reason
            why a job would be rejected or would not find its files.
    """
    there = slurm.nodes()
    _check_arrays(planned)
    for one in {parameters_of_kind(job): job for job in planned}.values():
        check_path(one.run)
        wrap.check_there(one.run.config.cluster)
        _check_options(one)
        _check_nodes(one, there)
        _ask(one)


def check_path(run: Run) -> None:
    """Check that a job can use the path of a run.

    Raises:
        ClusterError: a character in it has a special meaning to SLURM or Python.
    """
    path = str(run.root.resolve())
    found = [word for character, word in UNUSABLE.items() if character in path]
    found += ["bytes that are not UTF-8"] if path != path.encode(errors="replace").decode() else []
    if found:
        raise ClusterError(
            f"SLURM jobs cannot use a path with {' and '.join(found)}: {path!r}", "set run_root= to another folder"
        )


def _check_options(planned: Planned) -> None:
    """Check that no further option of sbatch conflicts with those that every job is given."""
    kind = planned.job.kind
    for name in resources.of_job(planned.run.config, planned.job).extra:
        option = name.replace("_", "-")
        if option in OWN_OPTIONS:
            hint = f"set cluster.{kind}.minutes=" if option == "time" else "leave it out"
            raise ClusterError(f"cluster.{kind}.extra.{name}: tpt sets --{option} itself", hint)


def _check_arrays(planned: list[Planned]) -> None:
    widest = max((one.job.workers for one in planned), default=1)
    most = slurm.largest_array() if widest > 1 else None
    if most is not None and widest > most:
        raise ClusterError(
            f"sampler.data_parallel={widest} makes job arrays of {widest} tasks; this cluster allows {most}",
            f"set sampler.data_parallel={most} or less (MaxArraySize in `scontrol show config`)",
        )


def _check_nodes(planned: Planned, there: list[Nodes]) -> None:
    config, kind = planned.run.config, planned.job.kind
    own = resources.of_job(config, planned.job)
    name = resources.place(config, planned.job, "partition")
    names = {one.partition for one in there}
    if name and name not in names:
        raise ClusterError(f"there is no partition '{name}' here", nearest(name, names))
    kinds = [one for one in there if (one.partition == name if name else one.default)]
    if not kinds:
        raise ClusterError("this cluster has no default partition", f"set cluster.partition=, one of: {sorted(names)}")
    where = f"partition {kinds[0].partition}"
    limit = kinds[0].minutes
    if not kinds[0].up:
        raise ClusterError(f"{where} is down", "choose another: cluster.partition=")
    if limit is not None and own.minutes > limit:
        raise ClusterError(
            f"cluster.{kind}.minutes={own.minutes} is more than the {limit} that {where} allows",
            f"set cluster.{kind}.minutes={limit}: a stage that needs longer is requeued and continues where it stopped",
        )
    nodes, tasks = resources.tasks(config, planned.job)
    count = sum(one.count for one in kinds)
    if count < nodes:
        raise ClusterError(
            f"train.nodes={nodes} is more than the {count} that {where} has",
            f"set train.nodes={count}, or choose another partition: cluster.train.partition=",
        )
    gpus = resources.gpus_per_node(config, planned.job)
    memory = own.memory_gb or 0.0
    needs = {
        f"{gpus} GPUs": [one for one in kinds if one.gpus >= gpus],
        f"{own.cpus * tasks} CPUs": [one for one in kinds if one.cpus >= own.cpus * tasks],
        f"{memory:g} GB": [one for one in kinds if one.memory_gb >= memory],
    }
    fitting = kinds
    for what, enough in needs.items():
        fitting = [one for one in fitting if one in enough]
        if sum(one.count for one in fitting) < nodes:
            raise ClusterError(
                f"{kind} jobs need {nodes} nodes with {', '.join(needs)} each; {where} has too few with {what}",
                f"see `sinfo -p {kinds[0].partition} -o '%D %c %m %G'`; change {_settings(planned.job)}",
            )


def _settings(job: Job) -> str:
    """The settings that determine the size of a job."""
    amounts = f"cluster.{job.kind}.cpus= cluster.{job.kind}.memory_gb= cluster.partition="
    if job.trains:
        return f"train.nodes= train.devices= {amounts}"
    return f"sampler.tensor_parallel= {amounts}" if job.sampling else amounts


def _ask(planned: Planned) -> None:
    """Let SLURM itself say whether it would accept a job: accounts, QOS, constraints, limits."""
    try:
        slurm.command("sbatch", "--test-only", text=script(planned, dependencies=False))
    except ClusterError as error:
        raise ClusterError(f"SLURM would reject a {planned.job.kind} job: {error.message}", _advice(error)) from error


def _advice(error: ClusterError) -> str:
    option = re.search(r"unrecognized option '--([\w-]+)", error.message)
    return nearest(option[1], slurm.options()) if option else "change cluster.*"
