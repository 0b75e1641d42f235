"""This process's place among those that train together."""

import os
from collections.abc import Mapping

# Set by a job whose tasks train together: SLURM's variables then describe this training, not some interactive shell.
TASKS = "TPT_TASKS"

# How launchers (torchrun, accelerate, Lightning, srun) tell a process its place among others. A shell that one of them
# started still has these variables, but there they describe other processes than those of a stage.
PLACES = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "ROLE_RANK"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", TASKS),
)
MEETING = ("MASTER_ADDR", "MASTER_PORT")  # how they find each other; some clusters require the user to set this


def by_srun() -> bool:
    """Whether srun, and not Lightning, started the processes of this training."""
    return TASKS in os.environ


def alone(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables without those that make a process one of several."""
    return {name: value for name, value in variables.items() if name not in (*PLACES, *MEETING)}


def together(count: int) -> dict[str, str]:
    """The variables of each of `count` processes that srun started to train together."""
    return {TASKS: str(count)} | {name: os.environ[name] for name in MEETING if name in os.environ}


def rank() -> int:
    """This process's number among those that train together; process 0 writes the logs and results."""
    return int(os.environ.get("SLURM_PROCID" if by_srun() else "LOCAL_RANK", "0"))
