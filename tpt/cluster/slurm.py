"""SLURM's commands: which partitions it has, the states of jobs, and cancelling jobs."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
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
GONE = "GONE"  # SLURM no longer knows the job
UNKNOWN = "UNKNOWN"  # SLURM does not answer

# What SLURM's commands read in addition to their options, and what a job passes to everything started in it. To sbatch,
# such variables take precedence over the options of a script; it also passes them to the job, whose srun reads them.
_INPUTS = re.compile(r"(SLURM|SLURMD|SBATCH|SRUN|SALLOC|SQUEUE|SINFO|SACCT|SCANCEL|SCONTROL)_")
_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_JWT")  # which SLURM to talk to, and as whom
_GPUS = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL", "ZE_AFFINITY_MASK")  # of one job alone


@dataclass(frozen=True)
class State:
    """The state in SLURM of a job or of a task of an array.

    Attributes:
        state: in SLURM's words, e.g. PENDING, RUNNING, COMPLETED, FAILED; GONE if SLURM no longer knows the job,
            UNKNOWN if SLURM does not answer.
        reason: why it is waiting or ended, if SLURM gives a reason.
        node: where it runs or ran.
        restarts: how often it was requeued; 0 if SLURM no longer knows.
    """

    state: str
    reason: str = ""
    node: str = ""
    restarts: int = 0

    @property
    def live(self) -> bool:
        """Whether it is waiting, running, or about to."""
        return self.state not in (*ENDED, GONE, UNKNOWN)

    @property
    def held(self) -> bool:
        """Whether it waits until somebody releases it (JobHeldUser, or a start on a node that failed)."""
        return self.live and "held" in self.reason.lower()

    @property
    def ended_badly(self) -> bool:
        """Whether it has failed or was cancelled, as far as SLURM knows."""
        return self.state in ENDED and self.state != ENDED_WELL


@dataclass(frozen=True)
class Nodes:
    """A kind of node of a partition: how many there are, and what each has.

    Attributes:
        default: whether the partition is the default.
        minutes: the partition's time limit; None: unlimited.
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


def environment() -> dict[str, str]:
    """The variables for SLURM's commands: ours, without those that would change what is submitted or printed.

    Such variables come from the job that this shell may be in, and from users who set `SBATCH_...` permanently;
    `resources.place` reads the latter.
    """
    in_a_job = "SLURM_JOB_ID" in os.environ
    found = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or not (_INPUTS.match(name) or (in_a_job and name in _GPUS))
    }
    clusters = os.environ.get("SBATCH_CLUSTERS")
    return found | ({"SLURM_CLUSTERS": clusters} if clusters else {})  # the other commands must ask the same clusters


@contextlib.contextmanager
def clean_environment() -> Iterator[None]:
    """For the duration of a block, make `environment()` this process's own: submitit starts sbatch with that."""
    before, clean = dict(os.environ), environment()
    for name in before.keys() - clean.keys():
        del os.environ[name]
    os.environ.update(clean)
    try:
        yield
    finally:
        for name in clean.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)


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
            "run this on a machine that can submit jobs, usually a login node; or set cluster=local",
        )
    try:
        done = subprocess.run(
            arguments,
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment(),
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{arguments[0]} did not answer in {SECONDS:.0f} s", "try again later") from None
    if done.returncode:
        raise ClusterError(f"{arguments[0]} failed: {reason(arguments[0], done.stderr)}", "is the controller up?")
    return done.stdout


def reason(program: str, said: str) -> str:
    """The line in the output of a failed SLURM command that says why it failed.

    >>> reason("sbatch", "sbatch: unrecognized option '--nodlist=n1'\\nTry \\"sbatch --help\\" for more information")
    "sbatch: unrecognized option '--nodlist=n1'"
    """
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("Try ")]
    own = [line for line in lines if line.startswith(program)]
    return next(reversed(own or lines), "no reason given")


def states(ids: Iterable[str]) -> dict[str, State]:
    """The states of jobs and of tasks of arrays (`12`, `13_0`), by id.

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
    """Cancel jobs; those that have ended are not affected."""
    chosen = sorted(ids)
    if chosen:
        command("scancel", *chosen)


def largest_array() -> int | None:
    """How many tasks a job array can have; None if SLURM does not say."""
    try:
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", command("scontrol", "show", "config"), re.MULTILINE)
    except ClusterError:  # some clusters do not let users read it
        return None
    return int(found[1]) if found else None


def options() -> set[str]:
    """The options that sbatch accepts here, including those of plugins, without their dashes."""
    return set(re.findall(r"^\s+(?:-\w, )?--([a-z][a-z-]*)", command("sbatch", "--help"), re.MULTILINE))


def nodes() -> list[Nodes]:
    """The kinds of node in every partition."""
    lines = command("sinfo", "--noheader", "--all", "--format=%P|%a|%l|%D|%c|%m|%G").splitlines()
    return [_nodes(*line.split("|")) for line in lines]


def _from_queue(wanted: set[str]) -> dict[str, State]:
    """Jobs that are waiting or running, and those that ended a few minutes ago."""
    columns = "JobArrayID:40|,State:40|,Reason:60|,NodeList:200|,RestartCnt:10"
    text = command("squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}", f"--Format={columns}")
    found = {}
    for line in text.splitlines():
        job, state, reason, node, restarts = (part.strip() for part in line.split("|"))
        if job in wanted:
            found[job] = State(state, "" if reason == "None" else reason, node, int(restarts or 0))
    return found


def _from_accounting(wanted: set[str]) -> dict[str, State]:
    """Jobs that ended earlier; none if the cluster keeps no accounting records."""
    if not wanted or not shutil.which("sacct"):
        return {}
    jobs = ",".join(sorted({one.split("_")[0] for one in wanted}))
    try:
        text = command(
            "sacct", f"--jobs={jobs}", "--noheader", "--parsable2", "--allocations", "--format=JobID,State,NodeList"
        )
    except ClusterError:
        return {}
    found: dict[str, State] = {}
    for line in text.splitlines():
        job, state, node = line.split("|")
        found |= dict.fromkeys(_tasks(job), State(state.split()[0].rstrip("+"), "", node))
    return {job: state for job, state in found.items() if job in wanted}


def _tasks(job: str) -> list[str]:
    """The ids in one of sacct's: `12`, `13_0`, or `13_[2-4,7%2]` for tasks that ended before they began.

    >>> _tasks("13_[2-4,7%2]")
    ['13_2', '13_3', '13_4', '13_7']
    """
    array = re.fullmatch(r"(\d+)_\[([\d,-]+)(?:%\d+)?\]", job)
    if not array:
        return [job] if re.fullmatch(r"\d+(_\d+)?", job) else []  # sacct cuts off a list that is too long, with dots
    spans = [span.split("-") for span in array[2].split(",") if span]
    return [f"{array[1]}_{one}" for span in spans for one in range(int(span[0]), int(span[-1]) + 1)]


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
    """A time limit as SLURM prints it, `D-HH:MM:SS` or shorter, in whole minutes; None: no limit.

    >>> minutes_of("1-02:00:00"), minutes_of("30:00"), minutes_of("infinite")
    (1560, 30, None)
    """
    parts = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if not parts:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return (days * 24 + hours) * 60 + minutes + (seconds > 0)
