"""A stage that the package does not know: declared by its spec and its place in a round, and nothing else."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from augmented import augmented

from tpt import files, records
from tpt.records import Example

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, warm_imports: dict[str, str]) -> dict[str, str]:
    """The variables of a process that knows the further stage."""
    made = augmented(tmp_path_factory.mktemp("augmented") / "code", warm_imports)
    return {**os.environ, **made, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}


@pytest.fixture
def call(environment: dict[str, str], tmp_path: Path) -> Call:
    """Run `tpt` with the further stage."""

    def run(*words: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [sys.executable, "-P", "-m", "tpt.cli", *words],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run


def test_a_further_stage_is_planned(call: Call, tiny_command: Callable[..., list[str]]) -> None:
    planned = call(*tiny_command("rounds=1"), "--dry-run").stdout
    lines = [line.split("│")[1].strip() for line in planned.splitlines() if line.startswith("│")]
    assert lines[lines.index("round-01/prune") + 1] == "round-01/augment"
    assert lines[lines.index("round-01/augment") + 1] == "round-01/train"
    assert "each example once more, marked" in planned


@pytest.mark.slow
def test_a_further_stage_is_run_killed_and_resumed_shared_and_reported(
    call: Call, environment: dict[str, str], tiny_command: Callable[..., list[str]], tmp_path: Path
) -> None:
    command = tiny_command("rounds=1")
    killed = subprocess.Popen(
        [sys.executable, "-P", "-m", "tpt.cli", *command],
        env={**environment, "AUGMENT_SECONDS": "600"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not list((tmp_path / "runs").glob("*/round-01/augment/progress-0.json")):
        assert killed.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    [root] = (path.parent for path in (tmp_path / "runs").glob("*/run.json"))
    assert not (root / "round-01/augment/manifest.json").exists()
    assert "round-01/augment" in call("status", str(root)).stdout

    call(*command)
    pruned, augmented = (
        list(records.read(root / "round-01" / name / "examples.parquet", Example)) for name in ("prune", "augment")
    )
    assert len(augmented) == 2 * len(pruned) > 0
    assert files.read_json(root / "round-01/train/manifest.json")["examples"] == len(augmented)
    assert f"{len(pruned)} marked copies" in call("status", str(root)).stdout

    other = call(*command, "train.epochs=2").stderr
    assert "have round-01/augment" in " ".join(other.split())

    call("report", str(root))
    with (root / "report/table.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["marked copies"] for row in rows] == ["", str(len(pruned))]
