"""Runs and sweeps through a real SLURM, and what it and the world do to them."""

import contextlib
import csv
import functools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import real_round
import warm
from augmented import augmented
from slurm_lab import Slurm, cluster, missing_programs

from tpt import files, records
from tpt.artefacts import Measured, Pruned
from tpt.cli import main
from tpt.cluster import ledger, slurm
from tpt.records import Example
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.tracking.figures import run_id

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_programs()), reason=f"SLURM is not installed: {', '.join(missing_programs())}"),
]

ONE_THREAD = "export OMP_NUM_THREADS=1"  # sums of floats depend on the number of threads
TINY = (
    "experiment=smoke",
    "sampler=transformers",
    "cluster=slurm",
    "cluster.partition=gpu",
    "sampler.data_parallel=2",
    f'cluster.setup=["{ONE_THREAD}"]',
    "cluster.signal_seconds=20",
)
ONE_ENGINE = "sampler.data_parallel=1"  # where arrays are not the point: each process takes seconds to start
# A training of some seconds whose only checkpoint is the one that a signal asks for.
LONG_TRAINING = ("train.epochs=60", "train.checkpoint_every=100000")
SECONDS = 300.0
SAVE_SECONDS = 6.0  # within which slurmctld has written down what it knows of a job

Tpt = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Slurm]:
    """A cluster of two nodes. Its folder's path is short, for sockets, and readable by all, for munge."""
    root = Path(tempfile.mkdtemp(prefix="tpt-slurm-"))
    root.chmod(0o755)
    with cluster(root / "lab") as running:
        yield running
    root.rmdir()


@pytest.fixture(scope="module")
def lab(slurm_cluster: Slurm) -> Iterator[Slurm]:
    """The cluster, which other files' tests do not see."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", slurm_cluster.environment["SLURM_CONF"])
        yield slurm_cluster


def call(*arguments: str, ok: bool = True, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run `tpt` as a user does: in a process that is gone when it returns."""
    done = subprocess.run(
        [sys.executable, "-m", "tpt.cli", *arguments],
        env={**os.environ, "COLUMNS": "500", "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done


@pytest.fixture
def cold_tpt(lab: Slurm) -> Iterator[Tpt]:
    """Run `tpt`; in the end no job is left."""
    yield call
    jobs = lab.command("squeue", "-h", "-o", "%A").split()
    if jobs:
        lab.command("scancel", *jobs)
        until(lambda: not lab.command("squeue", "-h").strip(), "an empty queue", 60)


@pytest.fixture
def tpt(cold_tpt: Tpt, warm_imports: dict[str, str]) -> Tpt:
    """The same where it does not matter how a stage's process starts: its imports are done already, see `warm`."""
    return functools.partial(cold_tpt, **warm_imports)


def until(condition: Callable[[], object], what: str, seconds: float = SECONDS, every: float = 0.3) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            queue = subprocess.run(["squeue", "--states=all"], capture_output=True, text=True, check=False).stdout
            raise AssertionError(f"{what} did not come in {seconds:.0f} s\n{queue}")
        time.sleep(every)


def the_run(tmp_path: Path) -> Run:
    [root] = find(tmp_path / "runs")
    return Run.open(root)


def at_work(run: Run) -> list[str]:
    """Ids of the run's jobs that wait or run."""
    entries = ledger.latest(run).values()
    states = slurm.states(one for entry in entries for one in entry.task_ids())
    return [entry.id for entry in entries if any(states[one].live for one in entry.task_ids())]


def finish(run: Run, seconds: float = SECONDS) -> None:
    until(lambda: not run.owed() and not at_work(run), f"the end of {run.name}", seconds)


def examples(root: Path, round: int = 1) -> list[Example]:
    return list(records.read(root / f"round-{round:02d}/prune/examples.parquet", Example))


def curve(root: Path, round: int = 1) -> list[dict[str, Any]]:
    return list(files.read_jsonl(root / f"round-{round:02d}/train/metrics.jsonl"))


def restarts(lab: Slurm, job: str) -> int:
    return int(re.findall(r"Restarts=(\d+)", lab.command("scontrol", "show", "job", job))[0])


def preempt(lab: Slurm) -> None:
    """A job of a partition of higher priority takes both nodes for some seconds."""
    lab.command("sbatch", "-p", "gpu", "--exclusive", "-N", "2", "-o", "/dev/null", "--wrap", "sleep 3")


def run_here(root: Path, warm_imports: dict[str, Any], *settings: str) -> Path:
    """A run of the tests' settings on this machine, without SLURM."""
    tpt: Tpt = call
    tpt("run", *TINY, ONE_ENGINE, "cluster=local", *settings, f"run_root={root}", **warm_imports)
    return find(root)[0]


def writers(log: Path) -> set[int]:
    """The processes whose output is a log."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may end between two looks
            if os.readlink(path / "fd" / "1") == str(log):
                found.add(int(path.name))
    return found


def send(processes: set[int], number: signal.Signals) -> None:
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def told_to_end(pid: int) -> bool:
    """Whether a process that stands still has been sent what stages end for."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    return any(int(one, 16) >> (signal.SIGUSR2 - 1) & 1 for one in re.findall(r"(?:Sig|Shd)Pnd:\s*(\w+)", status))


def interrupt(run: Run, stage: Stage, disturb: Callable[[], object]) -> None:
    """Disturb a stage, which stands still until that has reached it: on a fast machine it would be done before."""
    log, halted = run.log_path(stage).resolve(), set[int]()

    def reached() -> bool:
        now = writers(log)
        send(now - halted, signal.SIGSTOP)
        halted.update(now)
        # SLURM lets processes go on where it ends them, so they may be gone.
        return bool(halted) and (not now or any(map(told_to_end, now)))

    reached()
    disturb()
    until(reached, f"the end of an attempt of {stage}", 120)
    send(halted, signal.SIGCONT)


def container(folder: Path) -> tuple[str, Path]:
    """What a container amounts to: none of the job's variables and none of SLURM's commands.

    Returns the setting that puts jobs into it, and its log: a line for each task that it started.
    """
    log, programs = folder / "container.log", folder / "container"
    programs.mkdir()
    for name in ("sh", "env"):
        (programs / name).symlink_to(f"/usr/bin/{name}")
    start = programs / "start"
    line = f'echo "$SLURM_JOB_ID" "$SLURM_PROCID" >>{log}\nexec /usr/bin/env -i PATH={programs} HOME={folder} "$@"\n'
    start.write_text(f"#!/bin/sh\n{line}")
    start.chmod(0o755)
    return f"cluster.wrap={start} {{command}}", log


@pytest.fixture(scope="module")
def undisturbed(warm_imports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run which nothing happens to."""
    return run_here(tmp_path_factory.mktemp("undisturbed"), warm_imports, *LONG_TRAINING, "rounds=1")


@pytest.mark.xdist_group("slurm rounds")
def test_two_rounds_go_through_the_cluster_though_the_shell_that_submitted_them_is_gone(
    tpt: Tpt, tmp_path: Path
) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    cache = os.environ.get("TPT_CACHE") or str(Path.home() / ".cache" / "tpt")
    elsewhere = {"HOME": str(home), "TMPDIR": str(temporary), "TPT_CACHE": cache}
    hold = tmp_path / "hold"  # the first job goes on when the same line has been given again
    hold.touch()
    setup = f'cluster.setup=["{ONE_THREAD}","while test -e {hold}; do sleep 0.1; done"]'
    arguments = ("run", *TINY, setup, "rounds=2", "tracker=wandb_offline", f"run_root={tmp_path / 'runs'}")
    said = tpt(*arguments, **elsewhere).stdout  # which returns, though no job is done
    assert "submitted 16 jobs" in said
    run = the_run(tmp_path)
    assert re.search(r"running|waiting", tpt("status", str(tmp_path / "runs")).stdout)
    # The same line again, while the jobs are running, submits none of them twice.
    again = tpt(*arguments, **elsewhere).stdout
    assert "submitted 0 jobs; 16 of earlier submissions are still waiting or running" in again
    hold.unlink()
    followed = tpt("attach", str(run.root)).stdout
    assert "pass_at_k.png" in followed.replace("\n", "")
    finish(run)
    assert (run.report_dir / "table.md").exists()
    assert {line["stage"] for line in files.read_jsonl(run.metrics_path)} == {str(stage) for stage in run.stages()}
    assert not [path for path in (*home.rglob("*"), *temporary.rglob("*")) if path.is_file()]
    # One W&B run, to which each job added its stages.
    [offline] = run.wandb_dir.glob("offline-run-*")  # each job had one, with all that was done before it
    assert offline.name.endswith(run_id(run))
    mirrored = files.read_json(run.wandb_dir / "offline.json")["holds"]
    assert mirrored[:-1] == list(map(str, run.stages()))
    assert mirrored[-1].startswith("report ")
    assert "nothing is owed" in tpt(*arguments).stdout
    table = tpt("status", str(run.root)).stdout
    assert re.search(r"round-02-think +│ \d+ +│ done +│ 4/4 shards", table)
    assert "owed: 0 of 12 stages" in table
    assert run.manifest(Stage(1, "think"))["seconds"] > 1  # of sampling, not of counting shards


@pytest.mark.xdist_group("slurm rounds")
def test_a_stage_of_another_package_is_submitted_cancelled_resubmitted_shown_and_reported(
    cold_tpt: Tpt, tmp_path: Path, warm_imports: dict[str, str]
) -> None:
    tpt = functools.partial(cold_tpt, **augmented(tmp_path / "code", warm_imports))
    assert "submitted 11 jobs" in tpt("run", *TINY, ONE_ENGINE, "rounds=1", f"run_root={tmp_path / 'runs'}").stdout
    run = the_run(tmp_path)
    jobs = ledger.latest(run)
    assert jobs["round-01-train"].needs == sorted([jobs["round-00-prepare"].id, jobs["round-01-augment"].id])
    tpt("cancel", str(run.root))
    until(lambda: not at_work(run), "the end of all jobs")
    assert "round-01-augment" in tpt("resubmit", str(run.root)).stdout
    until((run.report_dir / "table.csv").exists, "the report")
    until(lambda: not at_work(run), "the end of all jobs")
    [line] = [one for one in tpt("status", str(run.root)).stdout.splitlines() if "round-01-augment" in one]
    assert "marked copies" in line
    with (run.report_dir / "table.csv").open() as handle:
        assert [bool(row["marked copies"]) for row in csv.DictReader(handle)] == [False, True]


@pytest.mark.xdist_group("slurm sweep")
def test_a_sweep_of_four_is_submitted_at_once_and_what_its_points_share_runs_once(tpt: Tpt, tmp_path: Path) -> None:
    arguments = (
        *("run", "-m", *TINY, "cluster.max_jobs=3", f"run_root={tmp_path / 'runs'}"),
        *("train.learning_rate=1e-3,1e-4", "rounds=0,1"),
    )
    said = tpt(*arguments).stdout
    assert "4 stages are shared with other runs" in said  # the baseline, and the first round until it trains
    [sweep] = (tmp_path / "runs" / "sweeps").iterdir()
    busiest = 0
    runs = [Run.open(root) for root in find(tmp_path / "runs")]
    while any(at_work(run) for run in runs):
        running = subprocess.run(["squeue", "-h", "-r", "-t", "R"], capture_output=True, text=True, check=True).stdout
        busiest = max(busiest, len(running.splitlines()))
        time.sleep(1)
    assert 1 < busiest <= 3
    until((sweep / "table.md").exists, "the sweep's report", 60)
    assert len(runs) == 2
    for run in runs:
        assert not run.owed()
    for shared in ("round-00/evaluate", *(f"round-01/{name}" for name in ("think", "judge", "prune"))):
        finished = [json.loads((run.root / shared / "manifest.json").read_text())["finished"] for run in runs]
        assert finished[0] == finished[1]
    assert curve(runs[0].root) != curve(runs[1].root)
    assert "owed: 0 of 14 stages" in tpt("status", str(sweep)).stdout
    assert "nothing is owed" in tpt(*arguments).stdout


@pytest.mark.xdist_group("slurm faults")
def test_preemption_at_the_start_in_think_and_in_train_changes_no_bit(
    lab: Slurm, tpt: Tpt, tmp_path: Path, undisturbed: Path
) -> None:
    # A Python that goes on starting until it is let go: preempted before, it is not yet one that heeds signals.
    hold = tmp_path / "hold"
    hold.touch()
    wait = f"import os, time\nwhile os.path.exists({str(hold)!r}):\n    time.sleep(0.1)\n"
    (tmp_path / "sitecustomize.py").write_text(wait + (warm.HERE / "sitecustomize.py").read_text())
    setup = f'cluster.setup=["{ONE_THREAD}","export PYTHONPATH={tmp_path}:$PYTHONPATH"]'
    settings = (*TINY, *LONG_TRAINING, setup, "cluster.partition=low", "rounds=1")
    tpt("run", *settings, f"run_root={tmp_path / 'runs'}")
    run = the_run(tmp_path)
    jobs = ledger.latest(run)
    think, train = Stage(1, "think"), Stage(1, "train")
    first = jobs["round-00-prepare"].id
    until(lambda: slurm.states([first])[first].state == "RUNNING", "the first job")
    preempt(lab)
    until(lambda: restarts(lab, first) > 0, "a requeue of the first job")
    hold.unlink()
    until(lambda: run.log_path(think).exists(), "thinking", every=0.02)
    interrupt(run, think, lambda: preempt(lab))
    until(lambda: restarts(lab, jobs["round-01-think"].task_ids()[0]) > 0, "a requeue of think")
    until(lambda: len(curve(run.root)) > 20, "training", every=0.02)
    interrupt(run, train, lambda: preempt(lab))
    until(lambda: restarts(lab, jobs["round-01-train"].id) > 0, "a requeue of train")
    steps_before = len(curve(run.root))
    finish(run, 900)
    assert 20 < steps_before < len(curve(run.root))
    assert "Traceback" not in (run.log_path(train).with_suffix("") / "attempt-001.log").read_text()
    assert examples(run.root) == examples(undisturbed)
    assert curve(run.root) == curve(undisturbed)
    weights = "round-01/train/model/model.safetensors"
    assert (run.root / weights).read_bytes() == (undisturbed / weights).read_bytes()


@pytest.mark.xdist_group("slurm faults")
def test_a_training_longer_than_the_time_limit_ends_through_requeues(
    lab: Slurm, tpt: Tpt, tmp_path: Path, undisturbed: Path
) -> None:
    # The warning comes up to a minute early: 0 to 40 seconds after the start.
    limits = ("cluster.train.partition=short", "cluster.train.minutes=2", "cluster.signal_seconds=80")
    wrap, started = container(tmp_path)
    tpt("run", *TINY, ONE_ENGINE, *LONG_TRAINING, *limits, wrap, "rounds=1", f"run_root={tmp_path / 'runs'}")
    run, train = the_run(tmp_path), Stage(1, "train")
    until(lambda: len(curve(run.root)) > 20, "training", every=0.02)
    interrupt(run, train, lambda: None)
    finish(run)
    assert not (run.folder(train) / "checkpoints").exists()
    times = restarts(lab, ledger.latest(run)["round-01-train"].id)
    assert times >= 1
    jobs = [line.split()[0] for line in started.read_text().splitlines()]
    assert len(jobs) == len(ledger.latest(run)) + times, "each job, and each requeue, through cluster.wrap"
    assert examples(run.root) == examples(undisturbed)
    assert curve(run.root) == curve(undisturbed)


@pytest.mark.xdist_group("slurm stops")
def test_a_cancelled_stage_takes_its_dependents_along_cancel_ends_all_and_resubmit_goes_on(
    lab: Slurm, tpt: Tpt, tmp_path: Path
) -> None:
    tpt("run", *TINY, "think.max_tokens=400", "rounds=1", f"run_root={tmp_path / 'runs'}")  # thinks for some seconds
    run = the_run(tmp_path)
    until(lambda: run.log_path(Stage(1, "think")).exists(), "thinking")
    lab.command("scancel", ledger.latest(run)["round-01-think"].id)
    until(lambda: not at_work(run), "the end of all dependents", 120)
    table = tpt("status", str(run.root)).stdout
    assert re.search(r"round-01-think +│ \d+ +│ cancelled", table)
    assert re.search(r"round-01-train +│ \d+ +│ cancelled .* waited for round-01-think, which was cancelled", table)
    refused = tpt("resubmit", str(run.root), "train.epochs=2", ok=False)
    assert "would change this run's results" in refused.stdout + refused.stderr
    again = tpt("resubmit", str(run.root), "cluster.think.minutes=77", "sampler.data_parallel=1").stdout
    assert re.search(r"round-01-think +│ \d+ +│ 1 .* 1:17", again)
    assert "cancelled" in tpt("cancel", str(run.root)).stdout
    until(lambda: not at_work(run), "the end of all jobs", 60)
    assert "no job is waiting or running" in tpt("cancel", str(run.root)).stdout
    assert run.done(Stage(0, "prepare"))
    tpt("resubmit", str(run.root))
    training = ledger.latest(run)["round-01-train"].id
    lab.command("scontrol", "hold", training)
    held = tpt("status", str(run.root)).stdout
    assert re.search(rf"round-01-train +│ {training} +│ held .* scontrol release {training}", held)
    lab.command("scontrol", "release", training)
    finish(run)


@pytest.mark.xdist_group("slurm faults")
def test_a_node_that_dies_in_mid_stage_and_a_restarted_controller_cost_time_only(
    lab: Slurm, tpt: Tpt, tmp_path: Path, undisturbed: Path
) -> None:
    tpt("run", *TINY, ONE_ENGINE, *LONG_TRAINING, "rounds=1", f"run_root={tmp_path / 'runs'}")
    run = the_run(tmp_path)
    jobs = ledger.latest(run)
    until(lambda: len(curve(run.root)) > 20, "training", every=0.02)
    # It stands still: a job that begins or ends while there is no controller may be held back afterwards.
    send(writers(run.log_path(Stage(1, "train")).resolve()), signal.SIGSTOP)
    try:
        time.sleep(SAVE_SECONDS)  # a job that it has forgotten it would start a second time
        lab.stop_controller()
        time.sleep(3)
        lab.start_controller()
        node = lab.command("squeue", "-h", "-j", jobs["round-01-train"].id, "-o", "%N").strip()
        lab.crash_node(int(node.removeprefix("n")))
        until(lambda: restarts(lab, jobs["round-01-train"].id) > 0, "a requeue of train")
        finish(run)
    finally:
        lab.start()
    assert examples(run.root) == examples(undisturbed)
    assert curve(run.root) == curve(undisturbed)


@pytest.mark.xdist_group("slurm stops")
def test_a_chain_that_stops_says_why_each_time_and_resubmit_goes_on(tpt: Tpt, tmp_path: Path) -> None:
    def ended(how: str) -> None:
        until(lambda: not at_work(run), "the end of all jobs")
        assert re.search(how, tpt("status", str(run.root)).stdout)

    # A step that srun refuses, for variables that contradict each other: no process of ours has begun.
    settings = (*TINY, "rounds=0", "cluster.retries=1")
    tpt("run", *settings, 'cluster.setup=["export SLURM_MEM_PER_CPU=1"]', f"run_root={tmp_path / 'runs'}")
    run = the_run(tmp_path)
    ended(r"round-00-prepare +│ \d+ +│ failed .*srun: fatal: SLURM_MEM_PER_CPU.*mutually exclusive.*_0_log\.out")
    assert tpt("status", str(run.root)).stdout.count("waited for round-00-prepare, which failed") == 3

    # A Python that takes longer to start than the job may run.
    slow = tmp_path / "sitecustomize.py"
    slow.write_text("import time\ntime.sleep(600)\n")
    limit = ("cluster.cpu.partition=short", "cluster.cpu.minutes=1")
    tpt("resubmit", str(run.root), *limit, f'cluster.setup=["export PYTHONPATH={tmp_path}:$PYTHONPATH"]')
    ended(r"round-00-prepare +│ \d+ +│ timeout .*it reached its time limit of 1 min before it had started")
    slow.unlink()

    # Code that was changed after the submission.
    enough = ("cluster.cpu.partition=gpu", "cluster.cpu.minutes=30")
    tpt("resubmit", str(run.root), *enough, f'cluster.setup=["{ONE_THREAD}","sleep 6"]')
    [copy] = (run.root / "slurm").glob("code-*/tpt/prompt.py")
    copy.write_text(copy.read_text() + "\n# changed\n")
    ended(r"round-00-prepare +│ \d+ +│ failed .*the code in")

    # A folder where a shard should be: it would be there at the next attempt as well, so there is none.
    obstacle = run.folder(Stage(0, "evaluate")) / "samples-00001.parquet"
    (obstacle / "in the way").mkdir(parents=True)
    tpt("resubmit", str(run.root), *enough, f'cluster.setup=["{ONE_THREAD}"]')
    ended(r"round-00-evaluate +│ \d+ +│ failed 1, ended 1 .*samples-00001")
    assert len(list(run.log_path(Stage(0, "evaluate"), 1).with_suffix("").glob("*.log"))) == 1
    assert re.search(r"round-00-score +│ \d+ +│ cancelled", tpt("status", str(run.root)).stdout)
    attached = tpt("attach", str(run.root), ok=False)
    assert "tpt resubmit" in attached.stdout + attached.stderr
    (obstacle / "in the way").rmdir()
    obstacle.rmdir()
    tpt("resubmit", str(run.root), *enough, f'cluster.setup=["{ONE_THREAD}"]')
    finish(run)


MULTI_NODE = (
    # Virtual nodes have no names that resolve, and both are this machine.
    f'cluster.setup=["{ONE_THREAD}","export MASTER_ADDR=127.0.0.1 GLOO_SOCKET_IFNAME=lo"]',
    *("train.nodes=2", "train.devices=2", "train.batch_size=8"),
)


SHORT_TRAINING = ("train.epochs=15", "train.checkpoint_every=100000", "rounds=1", "task.train_size=24")


@pytest.fixture(scope="module")
def one_process(warm_imports: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose training is one process with the batch that two nodes with two tasks each share."""
    return run_here(tmp_path_factory.mktemp("alone"), warm_imports, "train.batch_size=8", *SHORT_TRAINING)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.xdist_group("slurm nodes")
def test_two_nodes_with_two_tasks_each_train_what_one_process_trains(
    lab: Slurm, tpt: Tpt, tmp_path: Path, one_process: Path, strategy: str
) -> None:
    wrap, started = container(tmp_path)
    settings = (*TINY, ONE_ENGINE, *MULTI_NODE, *SHORT_TRAINING, f"train.strategy={strategy}", wrap)
    tpt("run", *settings, f"run_root={tmp_path / 'runs'}")
    run = the_run(tmp_path)
    until(lambda: len(curve(run.root)) > 5, "training", every=0.02)
    job = ledger.latest(run)["round-01-train"].id
    interrupt(run, Stage(1, "train"), lambda: lab.command("scancel", "--signal=USR2", job))  # what a preemption sends
    finish(run)
    assert restarts(lab, job) == 1
    assert examples(run.root) == examples(one_process)
    losses = [[line["loss"] for line in curve(root)] for root in (run.root, one_process)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert [line["step"] for line in curve(run.root)] == list(range(15 * 3))
    ranks = {path.name for path in (run.root / "logs").glob("round-01-train-*.log")}
    assert ranks == {f"round-01-train-{rank}.log" for rank in range(4)}
    tasks = [line.split()[1] for line in started.read_text().splitlines() if line.startswith(f"{job} ")]
    assert sorted(tasks) == [*"00112233"], "cluster.wrap is around every task on every node"


@pytest.mark.xdist_group("slurm real")
def test_the_real_model_goes_through_a_round_with_vllm(
    lab: Slurm, cold_tpt: Tpt, tmp_path: Path, smollm2: Path
) -> None:
    pytest.importorskip("vllm")
    cluster_settings = ("cluster=slurm", "cluster.gpus=false", "cluster.train.cpus=2", "cluster.think.cpus=2")
    cold_tpt(
        *("run", "model=smollm2-135m", *cluster_settings, "cluster.evaluate.cpus=2", "sampler.data_parallel=1"),
        *(*real_round.SHORT, "tracker=none", f"run_root={tmp_path / 'runs'}"),
    )
    run = the_run(tmp_path)
    finish(run, 900)
    real_round.check(run, "vllm", smollm2)
    assert 0 < run.results(Stage(1, "prune"), Pruned)["kept"] <= real_round.PROBLEMS
    assert (run.report_dir / "pass_at_k.png").exists()


@pytest.mark.xdist_group("slurm small")
def test_a_benchmark_and_a_command_are_added_to_a_run_as_jobs_of_their_own(tpt: Tpt, tmp_path: Path) -> None:
    here = (*TINY, ONE_ENGINE, "rounds=0", f"run_root={tmp_path / 'runs'}")
    tpt("run", *here)
    finish(the_run(tmp_path))
    small = ("benchmarks.wp.task.test_size=3", "benchmarks.wp.evaluate.max_tokens=4")
    score = tmp_path / "score.sh"
    score.write_text("""echo '{"acc": 0.5}' > $2""")
    line = f"commands.mine.command=sh {score} {{checkpoint}} {{out}}"
    figure = "commands.mine.figures.acc=acc"
    more = ("+task@benchmarks.wp=word_problems", *small, figure, line, "evaluate.also=[wp,mine]")
    assert "submitted 5 jobs" in tpt("run", *here, *more).stdout  # the engine and the judge are two; and the report
    run = the_run(tmp_path)
    finish(run)
    measured = run.results(Stage(0, "command", "mine"), Measured)
    assert measured["figures"]["acc"]["value"] == 0.5
    assert run.figures(Stage(0, "evaluate", "wp"))["problems"] == 3
    assert "acc (mine)" in (run.root / "report" / "table.md").read_text()


@pytest.mark.xdist_group("slurm small")
def test_a_full_disk_stops_the_chain_in_words_and_loses_nothing(tpt: Tpt, tmp_path: Path) -> None:
    disk = tmp_path / "runs"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        tpt("run", *TINY, "rounds=0", "sampler.data_parallel=1", f"run_root={disk}")
        run = the_run(tmp_path)
        until(lambda: run.done(Stage(0, "prepare")), "the end of prepare")
        filler = disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"\0" * 4096)
                file.flush()
        until(lambda: not at_work(run), "the end of all jobs")
        log = run.log_path(Stage(0, "evaluate")).resolve()
        assert not run.done(Stage(0, "evaluate"))
        filler.unlink()
        again = tpt("resubmit", str(run.root)).stdout
        assert "submitted 3 jobs" in again
        finish(run)
        assert log.exists()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.xdist_group("slurm small")
def test_an_engine_killed_for_its_memory_goes_on_with_a_smaller_batch(lab: Slurm, tpt: Tpt, tmp_path: Path) -> None:
    tpt("run", *TINY, "rounds=0", "sampler.data_parallel=1", "evaluate.max_tokens=400", f"run_root={tmp_path / 'runs'}")
    run = the_run(tmp_path)

    def engines() -> list[str]:
        words = ["pgrep", "-f", f"tpt.launch.worker {run.root} round-00/evaluate"]
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()

    def killed() -> bool:
        for engine in engines():  # it may end, or become another process, between the look and the kill
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(engine), 9)
                return True
        return False

    until(killed, "evaluating", every=0.1)
    finish(run)
    [log] = run.root.glob(f"slurm/*/{ledger.latest(run)['round-00-evaluate'].id}_0_log.out")
    assert "trying again with sampler.max_num_seqs=128" in log.read_text()


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("cluster.partition=gpux", "there is no partition 'gpux' here"),
        ("cluster.partition=short", "is more than the 2 that partition short allows"),
        ("sampler.tensor_parallel=9", "has too few with 9 GPUs"),
        ("cluster.train.memory_gb=9999", "has too few with 9999 GB"),
        ("cluster.think.extra={nodelist: nowhere}", "SLURM would reject a think job"),
        ("cluster.think.extra={nodlist: n1}", "did you mean 'nodelist'?"),
        ("sampler.data_parallel=1002", "set sampler.data_parallel=1001 or less"),
        ("train.nodes=3", "train.nodes=3 is more than the 2 that partition gpu has"),
        ("model=gemma2-2b", "the model hub cannot be reached"),
    ],
)
@pytest.mark.usefixtures("lab")
@pytest.mark.xdist_group("slurm small")
def test_what_the_cluster_would_refuse_is_refused_before_anything_is_submitted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    override: str,
    reason: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    assert main(["run", *TINY, override, f"run_root={tmp_path / 'runs'}"]) == 1
    assert reason in "".join(capsys.readouterr())
    assert not find(tmp_path / "runs")


@pytest.mark.xdist_group("slurm auto")
def test_rounds_auto_cancels_the_rounds_that_it_turns_out_not_to_need_and_reports(tpt: Tpt, tmp_path: Path) -> None:
    arguments = ("run", *TINY, "rounds=auto", "stop.patience=1", "stop.most=4", f"run_root={tmp_path / 'runs'}")
    assert "submitted 38 jobs" in tpt(*arguments).stdout  # prepare, the baseline's two on test and dev, 4 x 8, report
    run = the_run(tmp_path)
    assert "rounds=auto stopped after round 1" in tpt("attach", str(run.root)).stdout  # random weights gain nothing
    until(lambda: not at_work(run), "the end of all jobs", 60)
    assert not run.owed()
    assert "rounds=auto stopped after round 1" in (run.report_dir / "table.md").read_text()
    last = ledger.latest(run)["round-04-train"].id
    assert slurm.states([last])[last].state == "CANCELLED"
    never_begun = set(ledger.latest(run)["round-04-think"].task_ids())
    assert {one: state.state for one, state in slurm._from_accounting({*never_begun, last}).items()} == dict.fromkeys(
        {*never_begun, last}, "CANCELLED"
    )
    assert not run.folder(Stage(3, "train")).exists()
    assert "nothing is owed" in tpt(*arguments).stdout
    # A number goes on from there.
    tpt("run", *TINY, "rounds=2", "task.dev_size=6", f"run_root={tmp_path / 'runs'}")
    finish(Run.open(run.root))
    assert run.done(Stage(2, "evaluate"))
    assert "rounds=auto would have stopped after round 1" in tpt("status", str(run.root)).stdout
