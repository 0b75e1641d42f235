"""Asking SLURM: which partitions there are, what became of jobs; and cancelling them."""

import getpass
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

from tpt.errors import ClusterError

SECONDS = 60.0
ENDED_WELL = "COMPLETED"
ENDED = (
    ENDED_WELL,
    "BOOT_FAIL",
    "CANCELLED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "TIMEOUT",
)
GONE = "GONE"  # SLURM knows nothing of the job any more


@dataclass(frozen=True)
class State:
    """What SLURM says of a job or of a task of an array.

    Attributes:
        state: SLURM's word, e.g. PENDING, RUNNING, COMPLETED, FAILED; GONE where it knows nothing.
        reason: why it waits or ended, where SLURM says.
        node: where it runs or ran.
        restarts: how often it was requeued; 0 where SLURM no longer knows.
    """

    state: str
    reason: str = ""
    node: str = ""
    restarts: int = 0

    @property
    def live(self) -> bool:
        """Whether it waits, runs, or is about to."""
        return self.state not in (*ENDED, GONE)


@dataclass(frozen=True)
class Nodes:
    """A kind of nodes of a partition: how many, and what one has.

    Attributes:
        default: whether the partition is the one for jobs that name none.
        minutes: the partition's time limit; None: none.
        memory_gb: GiB.
    """

    partition: str
    default: bool
    up: bool
    minutes: int | None
    count: int
    cpus: int
    memory_gb: float
    gpus: int


def installed() -> bool:
    """Whether jobs can be submitted from this machine."""
    return bool(shutil.which("sbatch") and shutil.which("srun"))


def command(*arguments: str, text: str | None = None) -> str:
    """What a SLURM command prints.

    Args:
        text: its standard input.

    Raises:
        ClusterError: it is not installed, failed, or did not answer.
    """
    if not shutil.which(arguments[0]):
        raise ClusterError(
            f"there is no SLURM here: {arguments[0]} is not installed",
            "run this where jobs are submitted, usually a login node; or set cluster=local",
        )
    try:
        done = subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{arguments[0]} did not answer in {SECONDS:.0f} s", "try again later") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ClusterError(f"{arguments[0]} failed: {said[-1] if said else done.returncode}", "is the controller up?")
    return done.stdout


def states(ids: Iterable[str]) -> dict[str, State]:
    """What became of jobs and of tasks of arrays (`12`, `13_0`), by id.

    Raises:
        ClusterError: SLURM does not answer.
    """
    wanted = set(ids)
    if not wanted:
        return {}
    found = _from_queue(wanted)
    found |= _from_accounting(wanted - found.keys())
    return {one: found.get(one, State(GONE)) for one in wanted}


def cancel(ids: Iterable[str]) -> None:
    """End jobs; those that have ended are left alone."""
    chosen = sorted(ids)
    if chosen:
        command("scancel", *chosen)


def nodes() -> list[Nodes]:
    """The kinds of nodes of every partition."""
    lines = command("sinfo", "--noheader", "--all", "--format=%P|%a|%l|%D|%c|%m|%G").splitlines()
    return [_nodes(*line.split("|")) for line in lines]


def _from_queue(wanted: set[str]) -> dict[str, State]:
    """Jobs that wait or run, and those that ended a few minutes ago."""
    columns = "JobArrayID:40|,State:40|,Reason:60|,NodeList:200|,RestartCnt:10"
    text = command(
        "squeue", "--noheader", "--array", "--states=all", f"--user={getpass.getuser()}", f"--Format={columns}"
    )
    found = {}
    for line in text.splitlines():
        job, state, reason, node, restarts = (part.strip() for part in line.split("|"))
        if job in wanted:
            found[job] = State(state, "" if reason == "None" else reason, node, int(restarts or 0))
    return found


def _from_accounting(wanted: set[str]) -> dict[str, State]:
    """Jobs that ended earlier; none where the cluster keeps no accounts."""
    if not wanted or not shutil.which("sacct"):
        return {}
    jobs = ",".join(sorted({one.split("_")[0] for one in wanted}))
    options = ["--noheader", "--parsable2", "--allocations", "--array", "--format=JobID,State,NodeList"]
    try:
        text = command("sacct", f"--jobs={jobs}", *options)
    except ClusterError:
        return {}
    found = {}
    for line in text.splitlines():
        job, state, node = line.split("|")
        if job in wanted:
            found[job] = State(state.split()[0].rstrip("+"), "", node)
    return found


def _nodes(partition: str, up: str, limit: str, count: str, cpus: str, memory: str, gres: str) -> Nodes:
    # gpu:4, gpu:a100:4(S:0-1), gpu:a100:2,gpu:h100:2
    gpus = sum(int(number) for number in re.findall(r"gpu(?::[^:,(]+)?:(\d+)", gres))
    return Nodes(
        partition.rstrip("*"),
        partition.endswith("*"),
        up == "up",
        minutes_of(limit),
        int(count),
        int(cpus.rstrip("+")),
        int(memory.rstrip("+")) / 1024,
        gpus,
    )


def minutes_of(limit: str) -> int | None:
    """A time limit of SLURM's, `D-HH:MM:SS` or its shorter forms, in whole minutes; None: no limit.

    >>> minutes_of("1-02:00:00"), minutes_of("30:00"), minutes_of("infinite")
    (1560, 30, None)
    """
    parts = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if not parts:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return (days * 24 + hours) * 60 + minutes + (seconds > 0)
