"""The backend `local`: stages as plain processes on this machine."""

from tpt.cluster.backend import Here
from tpt.launch import local
from tpt.launch.local import Watch
from tpt.runs.folder import Run
from tpt.runs.stage import Stage


class Local(Here):
    """See `launch.local`."""

    def execute(self, run: Run, stage: Stage, watch: Watch) -> None:
        """Do one stage in processes of its own."""
        local.execute(run, stage, watch)
