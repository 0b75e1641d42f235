"""A run that is killed, again and again, ends as one that was left alone."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from processes import descendants, ended

from tpt import files, records
from tpt.cli import main
from tpt.records import Example, Sample, Verdict
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

Command = Callable[..., list[str]]
Counts = dict[str, int]


def counts(root: Path) -> Counts:
    """Rows of every table of a run, and its other lasting files."""
    kinds = {"samples": Sample, "verdicts": Verdict, "examples": Example}
    found: Counts = {}
    for path in sorted(root.rglob("*.parquet")):
        kind = kinds.get(path.name.split("-")[0].removesuffix(".parquet"))
        rows = sum(1 for _ in records.read(path, kind)) if kind else 1
        found[str(path.relative_to(root))] = rows
    for path in sorted([*root.rglob("manifest.json"), *root.rglob("*.safetensors")]):
        found[str(path.relative_to(root))] = 1
    return found


def start(command: list[str], variables: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tpt.cli", *command],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow
def test_twenty_kills_at_random_moments_lose_nothing(
    tiny_command: Command, tmp_path: Path, warmed: warm.Warmed
) -> None:
    """kill -9 to the run or to the stage it is in, at least 20 times and in every stage that takes a while."""
    calm = tmp_path / "calm"
    rng = random.Random(0)
    command = tiny_command("rounds=2")
    kills, struck, long = 0, set[str | None](), {"think", "train", "evaluate"}

    def at_work(since: int) -> str | None:
        """The stage begun last, and since a time, told by its log: opening the run would take as long as a stage."""
        logs = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/logs/*/attempt-*.log")}
        newest = max(logs, key=lambda path: logs[path], default=None)
        return newest.parent.name.split("-")[2] if newest and logs[newest] > since else None

    root, others = None, set(descendants(warmed.pid))
    begun_calm = time.monotonic()
    assert start([*command, f"run_root={calm}"], warmed.environment).wait() == 0
    calm_seconds = time.monotonic() - begun_calm  # on a busy machine all that follows takes as much longer
    for _ in range(200):
        begun = time.time_ns()
        process = start(command, warmed.environment)
        # A kill falls anywhere in the start of Python and the first stages that are owed. Where chance has left out
        # a stage, it is waited for.
        missed = long - struck if kills >= 10 else set()
        deadline = time.monotonic() + rng.uniform(0.02, 0.3) * calm_seconds
        while process.poll() is None and (at_work(begun) not in missed if missed else time.monotonic() < deadline):
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 0.3) if missed else 0.0)  # the shortest of them takes half a second
        if process.poll() is None:
            victims = sorted({process.pid, *descendants(process.pid), *descendants(warmed.pid)} - others)
            struck.add(at_work(begun))
            try:
                os.kill(rng.choice(victims), signal.SIGKILL)
            except ProcessLookupError:  # it has just ended by itself
                process.kill()
            process.wait()
            kills += 1
        root = find(tmp_path / "runs")
        if root and not Run.open(root[0]).owed():
            if kills >= 20 and struck >= long:
                break
            # Done before it was killed often enough: tear down its last round and go on.
            for stage in Run.open(root[0]).stages()[2:]:
                Run.open(root[0]).manifest_path(stage).unlink(missing_ok=True)
                for path in Run.open(root[0]).folder(stage).rglob("*-0000[1-9].parquet"):
                    path.unlink()
    assert kills >= 20
    assert struck >= long
    assert main(command) == 0
    [disturbed], [undisturbed] = find(tmp_path / "runs"), find(calm)
    assert counts(disturbed) == counts(undisturbed)
    stages = [line["stage"] for line in files.read_jsonl(disturbed / "metrics.jsonl")]
    assert set(stages) == {str(stage) for stage in Run.open(disturbed).stages()}
    assert not list(disturbed.rglob(f"*{files.TEMPORARY_SUFFIX}"))


@pytest.mark.slow
def test_ctrl_c_leaves_a_resumable_run_and_says_how_to_resume(
    tiny_command: Command, tmp_path: Path, warmed: warm.Warmed, warm_stages: None
) -> None:
    command, others = tiny_command("rounds=1"), set(descendants(warmed.pid))
    process = subprocess.Popen(
        [sys.executable, "-m", "tpt.cli", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while not list(tmp_path.rglob("samples-*.parquet")):
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        time.sleep(0.05)
    stage_processes = {*descendants(process.pid), *descendants(warmed.pid)} - others
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "to continue: tpt run experiment=smoke" in " ".join(output.split())
    assert stage_processes
    deadline = time.monotonic() + 10
    while left := [pid for pid in stage_processes if not ended(pid)]:
        assert time.monotonic() < deadline, f"outlive their run: {left}"
        time.sleep(0.05)
    assert main(command) == 0
    [root] = find(tmp_path / "runs")
    assert not Run.open(root).owed()


@pytest.mark.slow
def test_a_torn_and_a_missing_shard_are_owed_again_and_nothing_else(tiny_command: Command, tmp_path: Path) -> None:
    command = tiny_command("rounds=1")
    assert main(command) == 0
    [root] = find(tmp_path / "runs")
    folder = root / "round-01" / "think"
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("samples-*.parquet")}
    (folder / "manifest.json").unlink()
    (folder / "samples-00001.parquet").unlink()
    (folder / "samples-00002.parquet").write_bytes(before["samples-00002.parquet"][1][:-9])
    (root.parent / ".stages").rename(root.parent / ".elsewhere")
    assert main(command) == 0
    after = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("samples-*.parquet")}
    assert after.keys() == before.keys()
    changed = {name for name in before if after[name][0] != before[name][0]}
    assert changed == {"samples-00001.parquet", "samples-00002.parquet"}
    assert {name: value[1] for name, value in after.items()} == {name: value[1] for name, value in before.items()}


@pytest.mark.slow
def test_samples_that_are_drawn_again_differently_are_judged_pruned_and_trained_on_again(
    tiny_command: Command, tmp_path: Path
) -> None:
    command = tiny_command("rounds=1")
    assert main(command) == 0
    [root] = find(tmp_path / "runs")
    run = Run.open(root)
    before = {stage: run.made(stage) for stage in run.stages()}
    think, judge, prune = (Stage(1, name) for name in ("think", "judge", "prune"))
    shard = records.shard_path(run.folder(think), "samples", 0)
    drawn = list(records.read(shard, Sample))
    for one in drawn:
        one.text, one.completion_ids = f"Something else {one.index}", [*one.completion_ids, 3]
    records.write(shard, Sample, drawn)
    run.manifest_path(think).unlink()
    assert main(command) == 0
    after = Run.open(root)
    assert not after.owed()
    assert {stage.name for stage in before if after.made(stage) != before[stage]} >= {
        "think",
        "judge",
        "prune",
        "train",
    }
    assert after.made(Stage(0, "evaluate")) == before[Stage(0, "evaluate")]
    examples = list(records.read(after.folder(prune) / "examples.parquet", Example))
    texts = {one.text for one in records.read(records.shards(after.folder(think), "samples"), Sample)}
    assert {one.text for one in examples} <= texts
    verdicts = records.shards(after.folder(judge), "verdicts")
    assert [path.stat().st_mtime_ns > shard.stat().st_mtime_ns for path in verdicts] == [True] * len(verdicts)
