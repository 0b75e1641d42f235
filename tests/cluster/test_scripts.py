"""What jobs ask SLURM for: the sbatch scripts of three models, and the checks before them."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.cluster import slurm
from tpt.cluster.planning import Plan
from tpt.cluster.slurm import minutes_of
from tpt.cluster.submit import script
from tpt.runs.folder import Run
from tpt.settings.compose import compose
from tpt.settings.config import Config

GOLDEN = Path(__file__).parent / "golden"


def scripts(model: str, *overrides: str) -> str:
    """The scripts of a run of one round, without what differs from machine to machine."""
    settings = compose(
        [
            *("cluster=slurm", "cluster.partition=gpu", "cluster.account=nlp", "cluster.setup=['module load cuda']"),
            *(f"model={model}", "task=gsm8k", "rounds=1", "run_root=/runs", "sampler=transformers", *overrides),
        ]
    )
    run = Run.of(settings)
    found = []
    for planned in Plan([run], {}).jobs:
        if planned.job.name in ("round-01-think", "round-01-judge", "round-01-prune", "round-01-train", "report"):
            text = re.sub(r"code-[0-9a-f]{16}", "code-DIGEST", script(planned))
            text = re.sub(r"\S+ -u -m submitit", "PYTHON -u -m submitit", text)
            found.append(text.replace(run.name, "RUN").replace(run.name.rsplit("-", 1)[-1], "FINGERPRINT"))
    return "\n".join(found)


@pytest.mark.parametrize("model", ["gemma2-2b", "gemma2-9b", "llama3.3-70b"])
def test_the_scripts_are_those_that_were_reviewed(model: str) -> None:
    """`TPT_UPDATE_GOLDEN=1 pytest tests/cluster/test_scripts.py` writes them anew: review the difference."""
    path = GOLDEN / f"{model}.sbatch"
    found = scripts(model)
    if os.environ.get("TPT_UPDATE_GOLDEN"):
        path.write_text(found)
    assert found == path.read_text()


@pytest.mark.parametrize(
    ("model", "kind", "lines"),
    [
        ("gemma2-2b", "think", ["--array=0-3%4", "--gpus-per-node=1", "--nodes=1"]),
        ("gemma2-9b", "train", ["--gpus-per-node=8", "--ntasks-per-node=8", "--nodes=1"]),
        ("llama3.3-70b", "think", ["--array=0-3%4", "--gpus-per-node=4", "--nodes=1"]),
        ("llama3.3-70b", "train", ["--gpus-per-node=8", "--ntasks-per-node=8", "--nodes=4"]),
    ],
)
def test_a_models_size_sets_what_its_jobs_ask_for(model: str, kind: str, lines: list[str]) -> None:
    text = (GOLDEN / f"{model}.sbatch").read_text()
    [job] = [part for part in text.split("#!/bin/bash") if f"--job-name=round-01-{kind}." in part]
    for line in lines:
        assert f"#SBATCH {line}\n" in job


def test_a_kind_of_job_can_have_its_own_partition_gpus_and_options() -> None:
    text = scripts(
        "gemma2-2b",
        "cluster.cpu.partition=cpu",
        "cluster.gpu_type=h100",
        "cluster.think.extra={exclude: node7}",
        "cluster.max_jobs=2",
        "cluster.train.qos=long",
    )
    think, judge, prune, train, _ = text.split("#!/bin/bash")[1:]
    assert "#SBATCH --partition=gpu\n" in think
    assert "#SBATCH --exclude=node7\n" in think
    assert "#SBATCH --array=0-3%2\n" in think
    assert "#SBATCH --gpus-per-node=h100:1\n" in think
    assert "#SBATCH --partition=cpu\n" in prune
    assert "gpus" not in prune
    assert "#SBATCH --partition=cpu\n" in judge
    assert "gpus" not in judge
    assert "#SBATCH --qos=long\n" in train


def test_a_cluster_without_gpus_is_asked_for_none() -> None:
    assert "gpus" not in scripts("gemma2-2b", "cluster.gpus=false")


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [
        ("infinite", None),
        ("n/a", None),
        ("1:00", 1),
        ("30:00", 30),
        ("2:00:00", 120),
        ("1-02:00:00", 1560),
        ("0:30", 1),
    ],
)
def test_time_limits_are_read_as_slurm_prints_them(limit: str, minutes: int | None) -> None:
    assert minutes_of(limit) == minutes


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [("(null)", 0), ("gpu:4", 4), ("gpu:a100:8(S:0-1)", 8), ("gpu:a100:2,gpu:h100:2", 4), ("shard:8,gpu:1", 1)],
)
def test_gpus_are_counted_as_slurm_prints_them(gres: str, gpus: int) -> None:
    assert slurm._nodes("gpu*", "up", "infinite", "2", "64", "512000", gres).gpus == gpus


def test_no_slurm_is_said_in_the_users_words(
    tiny_command: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tpt.cli import main

    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(tiny_command("cluster=slurm")) == 1
    assert "there is no SLURM here: sinfo is not installed" in capsys.readouterr().err


def test_a_dry_run_prints_scripts_and_graph_and_submits_nothing(
    tiny_command: Callable[..., list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tiny_config: Callable[..., Config],
) -> None:
    from tpt.cli import main

    monkeypatch.setenv("PATH", str(tmp_path))  # a laptop without SLURM
    monkeypatch.setenv("COLUMNS", "200")
    assert main([*tiny_command("cluster=slurm", "rounds=1"), "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "#SBATCH --dependency='afterok:<round-00-prepare." in output
    assert "10 jobs, 0 stages shared between runs; nothing was submitted" in output
    run = Run.of(tiny_config("cluster=slurm", "rounds=1"))
    written = run.root / "slurm" / "dry-run" / "round-01-train.sbatch"
    assert "srun" in written.read_text()
    assert not (run.root / "slurm" / "jobs.jsonl").exists()
