"""Which of the processes that train together this one is."""

import os

# Set by a job whose tasks train together: then SLURM's variables are about this training, and not about some shell.
TASKS = "TPT_TASKS"


def by_srun() -> bool:
    """Whether srun has started the processes of this training, and not Lightning."""
    return TASKS in os.environ


def rank() -> int:
    """This process's number among them; 0 keeps the books."""
    return int(os.environ.get("SLURM_PROCID" if by_srun() else "LOCAL_RANK", "0"))
