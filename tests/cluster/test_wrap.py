"""`cluster.wrap`: what is refused, and what a job's command finds inside what it starts. The shell is real."""

import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tpt
from tpt.cluster import backend, wrap
from tpt.cluster.planning import Plan
from tpt.cluster.submit import script
from tpt.errors import ClusterError, ConfigError
from tpt.runs.folder import Run
from tpt.settings.cluster import ClusterConfig

CODE = Path(tpt.__file__).resolve().parents[1]
AWKWARD = """it's "quoted", $HOME; `ls` {command} & more"""
INSIDE = """
import json, os, subprocess, sys
print(json.dumps({"arguments": sys.argv[1:], "variables": dict(os.environ)}))
if "requeue" in sys.argv:
    subprocess.run(["scontrol", "requeue", "7_3"], check=True)
sys.exit(3)
"""


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], str]]:
    """Run a job's command in what has no variables and no commands of its host, as a container.

    Returns what the command saw, and how SLURM's own scontrol was called outside.
    """
    place = tmp_path / "a container"
    (place / "bin").mkdir(parents=True)
    for name in ("sh", "env"):
        (place / "bin" / name).symlink_to(f"/usr/bin/{name}")
    start, scontrol, called = place / "start", tmp_path / "host" / "scontrol", tmp_path / "called"
    scontrol.parent.mkdir()
    start.write_text(f'#!/bin/sh\nshift\nexec /usr/bin/env -i PATH={shlex.quote(str(place / "bin"))} "$@"\n')
    scontrol.write_text(f'#!/bin/sh\necho "$@" >>{shlex.quote(str(called))}\n')
    for one in (start, scontrol):
        one.chmod(0o755)

    def run(*arguments: str) -> tuple[dict[str, Any], str]:
        settings = ClusterConfig(name="slurm", wrap=f'{shlex.quote(str(start))} --name="$SLURM_JOB_ID" {{command}}')
        wrap.check(settings)
        wrap.check_there(settings)
        line = f"{wrap.python(settings, CODE)} -c {shlex.join([INSIDE, *arguments, str(tmp_path)])}"
        variables = {"SLURM_JOB_ID": "41", "SLURM_PROCID": "0", "TPT_TASKS": "2", "PYTHONPATH": str(CODE)}
        secrets = {"SLURM_JWT": "key", "WANDB_API_KEY": "key", "PATH": f"{scontrol.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["/bin/bash", "-c", line], env=variables | secrets, capture_output=True, text=True, check=False
        )
        assert done.returncode == 3, done.stderr
        return json.loads(done.stdout), called.read_text() if called.exists() else ""

    return run


def test_a_command_arrives_as_it_is_with_the_variables_that_it_needs_and_no_keys(
    job: Callable[..., tuple[dict[str, Any], str]], tmp_path: Path
) -> None:
    seen, called = job(AWKWARD)
    assert seen["arguments"] == [AWKWARD, str(tmp_path)]
    assert {"SLURM_JOB_ID", "SLURM_PROCID", "TPT_TASKS", "PYTHONPATH"} <= set(seen["variables"])
    assert "key" not in seen["variables"].values()
    assert called == ""


def test_a_requeue_that_is_asked_for_inside_is_done_outside(job: Callable[..., tuple[dict[str, Any], str]]) -> None:
    assert job("requeue")[1] == "requeue 41\n"
    assert job("another")[1] == "requeue 41\n", "once"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("apptainer exec image.sif", "must contain {command} once"),
        ("a {command} {command}", "must contain {command} once"),
        ("sh -c '{command}'", "without quotes"),
        ("sh -c 'exec {command} -x'", "without quotes"),
        ("run --{command}", "as a word of its own"),
        ("module load apptainer && apptainer exec image.sif {command}", "more than one command"),
        ("run {command} > log", "more than one command"),
        ("{command} --verbose", "starts nothing around"),
        ("run 'image.sif {command}", "cannot be read: No closing quotation"),
    ],
)
def test_what_is_no_command_around_another_is_refused(given: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        wrap.check(ClusterConfig(name="slurm", wrap=given))
    assert message in caught.value.message


@pytest.mark.parametrize("given", ["wrap=run {command}", "python=python3"])
def test_only_submitted_jobs_are_wrapped(given: str, tiny_config: Callable[..., Any]) -> None:
    backend.check(tiny_config("cluster=slurm", f"cluster.{given}"))
    with pytest.raises(ConfigError, match="cluster=local submits none"):
        backend.check(tiny_config(f"cluster.{given}"))


def test_a_program_and_an_image_that_are_not_there_are_said(tmp_path: Path) -> None:
    def refused(given: str, *setup: str) -> str:
        with pytest.raises(ClusterError) as caught:
            wrap.check_there(ClusterConfig(name="slurm", wrap=given, setup=list(setup)))
        return caught.value.message

    assert refused("no-such-program {command}") == "cluster.wrap starts no-such-program, which is not on this machine"
    assert "/no/such" in refused("A=1 /no/such {command}", "module load it")
    assert "image.sif, which is not there" in refused(f"env {tmp_path}/image.sif {{command}}")
    (tmp_path / "image.sif").touch()
    for fine in (f"env {tmp_path}/image.sif {{command}}", "env $IMAGES/image.sif {command}", "$RUNTIME {command}"):
        wrap.check_there(ClusterConfig(name="slurm", wrap=fine))
    wrap.check_there(ClusterConfig(name="slurm", wrap="apptainer-of-the-nodes {command}", setup=["module load it"]))


def test_every_task_of_a_job_starts_in_the_wrap(tiny_config: Callable[..., Any]) -> None:
    """srun starts the line for each task, and what a task starts is below it."""
    run = Run.of(tiny_config("cluster=slurm", "cluster.wrap=run a.sif {command}", "cluster.python=python3", "rounds=1"))
    for planned in Plan([run], {}).jobs:
        [line] = [one for one in script(planned).splitlines() if one.startswith("srun ")]
        words = shlex.split(line)
        at = words.index("/bin/bash")
        assert words[at + 1].endswith("/tpt/cluster/wrapped.sh")
        assert words[at + 2 : at + 7] == ["run a.sif {command}", "python3", "-u", "-m", "submitit.core._submit"]
