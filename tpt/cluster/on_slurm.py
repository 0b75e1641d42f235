"""The backend `slurm`: all jobs of a run or a sweep are submitted to SLURM at once."""

from collections.abc import Sequence

from tpt.cluster import commands
from tpt.cluster.backend import Submits
from tpt.settings.config import Config
from tpt.terminal import Terminal


class Slurm(Submits):
    """See `cluster.commands`."""

    def submit(self, settings: Sequence[Config], points: Sequence[list[str]] | None, console: Terminal) -> int:
        """Check, submit, and print the plan."""
        return commands.submit_runs(settings, points, console)

    def dry_run(self, settings: Sequence[Config], console: Terminal) -> int:
        """Write and print the sbatch scripts."""
        return commands.dry_run(settings, console)
