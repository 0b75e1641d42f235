"""submitit's private parts are used in one file, and still do what that file expects of them."""

import re
from pathlib import Path

import submitit
from submitit.slurm import slurm as theirs

import tpt
from tpt.cluster import submitit_parts

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
