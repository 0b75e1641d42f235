"""A run of a user who is not root, through a real SLURM, under conditions as they are at computing centres."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import other_user
import pytest
from slurm_lab import cluster, missing_programs

from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing_programs()), reason=f"SLURM is not installed: {', '.join(missing_programs())}"),
    pytest.mark.skipif(bool(other_user.unavailable()), reason=other_user.unavailable()),
]

TPT = (sys.executable, "-m", "tpt.cli")
FROM_AN_ALLOCATION = ("salloc", "--quiet", "--ntasks=1", "--mem-per-cpu=100", "--gres=gpu:1")
# Set in many a ~/.bashrc: jobs that inherit nothing, with a memory that is not theirs, in a partition of no use here.
BASHRC = {"SBATCH_EXPORT": "NONE", "SBATCH_MEM_PER_CPU": "1G", "SBATCH_PARTITION": "short", "SQUEUE_PARTITION": "low"}


@pytest.fixture
def place() -> Iterator[Path]:
    with other_user.place() as folder, other_user.reachable():
        yield folder


def test_a_run_submitted_from_inside_an_allocation_goes_through_and_is_then_read_without_slurm(place: Path) -> None:
    shared = other_user.shared_folder(place / "Gemeinsame Läufe, it's")
    temporary = other_user.small_disk(place / "tmp", mebibytes=4)
    with cluster(place / "lab") as lab:
        user = other_user.variables(
            place, TMPDIR=str(temporary), TPT_CACHE=str(shared / "cache"), **lab.environment, **BASHRC
        )

        def tpt(*words: str, through: tuple[str, ...] = (), path: str = user["PATH"]) -> str:
            done = other_user.run(other_user.FIRST, [*through, *TPT, *words], user | {"PATH": path})
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout + done.stderr

        settings = ["experiment=smoke", "sampler=transformers", "rounds=0", "sampler.data_parallel=1", "cluster=slurm"]
        settings += ["cluster.partition=gpu", 'cluster.setup=["export OMP_NUM_THREADS=1"]']
        runs = shared / "läufe"
        escaped = str(runs).replace("'", "\\'")
        assert "submitted 4 jobs" in tpt("run", *settings, f"run_root='{escaped}'", through=FROM_AN_ALLOCATION)
        [root] = find(runs)
        assert "pass_at_k.png" in tpt("attach", str(root)).replace("\n", "")
        run = Run.open(root)
        assert not run.owed()
        script = next(root.glob("slurm/*/*_submission.sh")).read_text()
        assert "--partition=gpu" in script
        for path in (root, run.folder(Stage(0, "evaluate")), run.manifest_path(Stage(0, "evaluate"))):
            assert path.stat().st_mode & 0o060 == 0o060, f"{path} is for its owner alone, though the umask is 002"
        assert not os.listdir(place / "home")
    for command in ("status", "attach"):
        shown = tpt(command, str(root), path=str(place))  # where no command of SLURM's is
        assert shown.count("│ done") == 4
        assert "not known" not in shown
    assert "complete" in tpt("status", str(runs), path=str(place))
