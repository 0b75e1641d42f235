"""submitit's private functions are used in one file only; they and its log are still what tpt expects."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import submitit
from submitit.slurm import slurm as theirs

import tpt
from tpt.cluster import submitit_log, submitit_parts

TODO = (
    f"submitit {submitit.__version__} has changed %s, which tpt/cluster/submitit_parts.py uses to show job scripts: "
    "adapt that file to the new submitit (compare with SlurmExecutor._make_submission_file_text), then this test"
)


def test_the_private_functions_are_there_and_take_what_we_give_them() -> None:
    assert callable(getattr(theirs, "_make_sbatch_string", None)), TODO % "_make_sbatch_string"
    assert isinstance(getattr(submitit.SlurmExecutor, "_submitit_command_str", None), property), (
        TODO % "_submitit_command_str"
    )


def test_a_script_has_the_options_the_array_and_the_command(tmp_path: Path) -> None:
    found = submitit_parts.script(tmp_path, "PYTHON", 3, {"job_name": "x", "time": 5, "wckey": None})
    assert "#SBATCH --job-name=x\n" in found, TODO % "the options in the script"
    assert "#SBATCH --array=0-2" in found, TODO % "job arrays"
    assert f"PYTHON -u -m submitit.core._submit {tmp_path}" in found, TODO % "the command of a job"
    assert "--array" not in submitit_parts.script(tmp_path, "PYTHON", 1, {"wckey": None}), TODO % "plain jobs"


def test_no_other_module_uses_private_parts_of_submitit() -> None:
    private = re.compile(r"from submitit\S* import .*\b_\w|_submitit_command_str|submitit\.\w+\._|read_job_id")
    package = Path(tpt.__file__).parent
    found = {path.name for path in package.rglob("*.py") if private.search(path.read_text(encoding="utf-8"))}
    assert found == {"submitit_parts.py"}


class Preempted:
    """A job that is preempted as soon as it begins, and does its work when it has been requeued."""

    def __call__(self) -> None:
        os.kill(os.getpid(), signal.SIGUSR2)

    def checkpoint(self) -> "submitit.helpers.DelayedSubmission":
        """What is requeued."""
        return submitit.helpers.DelayedSubmission(print, "a line of the job")


@pytest.mark.slow
def test_the_log_of_a_job_that_is_requeued_and_ends_well_has_the_sentences_that_we_look_for(tmp_path: Path) -> None:
    """The process of a job as SLURM starts it, twice; only `scontrol requeue` does nothing."""
    scontrol = tmp_path / "scontrol"
    scontrol.write_text("#!/bin/sh\n")
    scontrol.chmod(0o755)
    work = submitit.helpers.DelayedSubmission(Preempted())
    work.set_timeout(60, 3)
    work.dump(tmp_path / "7_submitted.pkl")
    job = {"SUBMITIT_EXECUTOR": "slurm", "SLURM_JOB_ID": "7", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    variables = {"PYTHONPATH": str(Path(__file__).parent), "PATH": f"{tmp_path}:{os.environ['PATH']}", **job}

    def attempt() -> list[str]:
        words = [sys.executable, "-u", "-m", "submitit.core._submit", str(tmp_path)]
        return subprocess.run(words, env=variables, capture_output=True, text=True, check=False).stdout.splitlines()

    todo = f"submitit {submitit.__version__} no longer logs this: adapt tpt/cluster/submitit_log.py"
    for last in (submitit_log.REQUEUED, submitit_log.ENDED_WELL):
        printed = attempt()
        own = [line for line in printed if submitit_log.LINE.match(line)]
        assert submitit_log.STARTED in own[0], todo
        assert own[-1].endswith(last), todo
        assert printed[-1] == own[-1], todo
    assert [line for line in printed if line not in own] == ["a line of the job"], todo
