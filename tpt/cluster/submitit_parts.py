"""The private functions of submitit that tpt uses, in one place; `tests/cluster/test_submitit_parts.py` guards them.

submitit has no public way to show the script of a job without submitting it, but `--dry-run` and the check with
`sbatch --test-only` need the script. What tpt recognises in its logs is in `submitit_log`.
"""

from pathlib import Path
from typing import Any

from submitit import SlurmExecutor
from submitit.slurm.slurm import _make_sbatch_string

from tpt.cluster import slurm


def script(folder: Path, python: str, tasks: int, parameters: dict[str, Any]) -> str:
    """The sbatch script that submitit would submit.

    Args:
        folder: where submitit keeps what it needs for the job.
        python: the command that starts Python in the job.
        tasks: of the job array; 1: a plain job.
        parameters: the keyword arguments of `SlurmExecutor.update_parameters`.
    """
    executor = SlurmExecutor if slurm.installed() else _WithoutSlurm
    command = executor(folder=folder, python=python)._submitit_command_str
    return str(_make_sbatch_string(command, folder, map_count=tasks if tasks > 1 else None, **parameters))


class _WithoutSlurm(SlurmExecutor):
    """submitit's executor for a machine without SLURM, where it otherwise cannot be created."""

    @classmethod
    def affinity(cls) -> int:
        """Available, whatever is installed."""
        return 1
