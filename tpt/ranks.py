"""Which of the processes that train together this one is."""

import os
from collections.abc import Mapping

# Set by a job whose tasks train together: then SLURM's variables are about this training, and not about some shell.
TASKS = "TPT_TASKS"

# What launchers (torchrun, accelerate, Lightning, srun) tell a process of its place among others. A shell that one of
# them started still has it: there it is about other processes than those of a stage.
PLACES = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "ROLE_RANK"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", TASKS),
)
MEETING = ("MASTER_ADDR", "MASTER_PORT")  # where they find each other; a cluster's user may have to say so


def by_srun() -> bool:
    """Whether srun has started the processes of this training, and not Lightning."""
    return TASKS in os.environ


def alone(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables without what makes the process that gets them one of several."""
    return {name: value for name, value in variables.items() if name not in (*PLACES, *MEETING)}


def together(count: int) -> dict[str, str]:
    """The variables of one of `count` processes that srun has started to train together."""
    return {TASKS: str(count)} | {name: os.environ[name] for name in MEETING if name in os.environ}


def rank() -> int:
    """This process's number among them; 0 keeps the books."""
    return int(os.environ.get("SLURM_PROCID" if by_srun() else "LOCAL_RANK", "0"))
