"""A further backend is a class and a line; a stage of any kind, and each further evaluation, has jobs of its own."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from huge_model import checkpoint_of

from tpt.cli import main
from tpt.cluster import backend, ledger, status
from tpt.cluster.backend import Here
from tpt.cluster.graph import graph, jobs_of
from tpt.cluster.ledger import Submitted
from tpt.cluster.planning import Plan
from tpt.cluster.slurm import State
from tpt.errors import ConfigError
from tpt.launch.local import Watch
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.settings.config import Config

done: list[str] = []


class Plain(Here):
    """Stages as subprocesses, and nothing else."""

    def execute(self, run: Run, stage: Stage, watch: Watch) -> None:
        """Do one stage."""
        subprocess.run([sys.executable, "-m", "tpt.launch.worker", str(run.root), str(stage)], check=True)
        done.append(str(stage))


@pytest.mark.slow
@pytest.mark.usefixtures("warm_stages")
def test_a_further_backend_carries_out_a_run(
    tiny_command: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "cluster").mkdir(parents=True)
    (tmp_path / "conf" / "cluster" / "plain.yaml").write_text("name: plain\n")
    monkeypatch.setitem(backend.BACKENDS, "plain", f"{__name__}:Plain")
    done.clear()
    command = tiny_command("rounds=0", "cluster=plain", "tracker=none")
    assert main([*command, "--config-dir", str(tmp_path / "conf")]) == 0
    assert done == ["round-00/prepare", "round-00/evaluate"]


def test_an_unknown_backend_is_named_before_anything_is_run(
    tiny_command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tiny_command("cluster.name=slrm")) != 0
    assert "cluster.name=slrm is not known" in "".join(capsys.readouterr())


def test_a_training_over_nodes_needs_a_backend_that_has_several(
    tiny_command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = ("train.nodes=2", "train.devices=2", "train.batch_size=8")
    assert main(tiny_command(*nodes)) != 0
    said = "".join(capsys.readouterr())
    assert "train.nodes=2 is not possible with cluster=local" in said
    assert "set cluster=slurm, or" in said
    backend.check(compose(["cluster=slurm", *nodes]))
    # A further backend says so itself.
    monkeypatch.setitem(backend.BACKENDS, "plain", f"{__name__}:Plain")
    further = compose(["cluster.name=plain", *nodes])
    with pytest.raises(ConfigError, match="cluster=plain, which has one machine"):
        backend.check(further)
    monkeypatch.setattr(Plain, "has_several_nodes", True)
    backend.check(further)


def test_no_job_ends_before_the_command_in_it() -> None:
    echo = ("commands.mine.command=echo {checkpoint} {out}", "commands.mine.figures.acc=acc", "sampler=transformers")
    jobs = (*echo, "cluster=slurm", "cluster.signal_seconds=90", "evaluate.also=[mine]")
    for size in ("small", "medium", "large"):
        backend.check(compose([*jobs, f"model.size={size}"]))
    short = ("cluster.evaluate.minutes=60", "commands.mine.minutes=59")
    with pytest.raises(ConfigError) as caught:
        backend.check(compose([*jobs, *short]))
    assert "commands.mine.minutes=59 is too long for a job with cluster.evaluate.minutes=60" in caught.value.message
    assert "stops 1.5 minutes before" in caught.value.message
    assert caught.value.hint == "set cluster.evaluate.minutes=61 or more, or commands.mine.minutes=58.5 or less"
    with pytest.raises(ConfigError, match="too long") as caught:
        backend.check(compose([*jobs, "cluster.evaluate.minutes=1"]))
    assert caught.value.hint == "set cluster.evaluate.minutes=182 or more"
    for enough in ("commands.mine.minutes=58.5", "cluster.evaluate.minutes=61", "evaluate.also=[]", "cluster=local"):
        backend.check(compose([*jobs, *short, enough]))


@pytest.mark.parametrize("name", backend.BACKENDS)
def test_no_backend_begins_what_the_disk_has_no_room_for(
    name: str,
    tiny_command: Callable[..., list[str]],
    tiny_config: Callable[..., Config],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = (f"cluster={name}", "rounds=2")
    run = Run.create(tiny_config(*settings))
    run.finish(table.PREPARED, {"model_dir": str(checkpoint_of(tmp_path, parameters=2**38))}, 0.0)
    assert main(tiny_command(*settings)) == 1
    assert "2 rounds of tiny-random need about" in " ".join(capsys.readouterr().err.split())
    assert not any(run.folder(stage).exists() for stage in run.stages()[1:])


def test_a_sweep_is_submitted_as_a_whole_or_not_at_all() -> None:
    chosen = [compose([f"cluster={name}"]) for name in ("local", "submitit_local", "slurm")]
    assert backend.common(chosen[:2]) is None
    assert backend.common(chosen[2:]) is not None
    with pytest.raises(ConfigError, match="a sweep is either"):
        backend.common(chosen)


def test_each_further_evaluation_has_jobs_of_its_own(tiny_config: Callable[..., Config]) -> None:
    run = Run.create(tiny_config("cluster=slurm", "rounds=1", "evaluate.also=[train]", "sampler.data_parallel=2"))
    names = [job.name for job, _ in graph(run, run.stages())]
    assert len(names) == len(set(names))
    assert {"round-01-evaluate-train", "round-01-score-train", "round-00-score-train"} <= set(names)
    assert len({run.log_path(stage, job.label or 0) for stage in run.stages() for job in jobs_of(run, stage)}) == (
        len(names) - 1  # the report
    )


def test_a_further_kind_of_stage_is_planned_and_shown(
    tiny_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    augment = replace(table.JUDGE, name="augment", judges=None)
    monkeypatch.setattr(table, "ROUND", (*table.ROUND[:2], augment, *table.ROUND[2:]))
    monkeypatch.setitem(table.SPECS, "augment", augment)
    run = Run.create(tiny_config("cluster=slurm", "rounds=1"))
    [planned] = [one for one in Plan([run], {}).jobs if one.job.name == "round-01-augment"]
    assert planned.job.kind == "cpu"
    ledger.add(run, Submitted("round-01-augment", "7", 1))
    [row] = [row for row in status.rows(run, {"7": State("RUNNING")}) if row.job == "round-01-augment"]
    assert row.state == "running"
