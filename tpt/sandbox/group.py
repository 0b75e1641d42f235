"""A hard limit on the memory of a worker's sandboxes, through a control group (cgroup v2), if one can be created.

The watcher inside measures a run's memory twenty times a second. A control group also limits it between two
measurements, and includes what cannot be measured. It can be created if this process's group, or one above it,
delegates the memory controller and lets this user create groups: for root under systemd, or in a delegated group.
No process leaves a group that already limits its memory.

Without one, nothing limits what a run writes within 50 ms, on each core as fast as memory allows; what of that it
hides in shared mappings that it shrinks within that time; the kernel's records of mappings, about 13 MB for each of its
64 processes, and of file locks, about 25 MB for each second of CPU time; and what its terminals have not read yet,
about 40 MB. The kernel itself limits a user's pipes to 64 MB.
"""

import logging
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from os import getpid
from pathlib import Path

CONTROLLER = "memory"
ROOM = (
    256 * 2**20
)  # bytes for the sandboxes themselves, and so that the watcher notices a run before the kernel kills it
_JOIN = 'echo $$ > "$0" && exec "$@"'
_REMOVE_SECONDS = 2.0
_numbers = count()
_log = logging.getLogger(__name__)


@dataclass
class Group:
    """A control group created by this process.

    Args:
        folder: the group's folder, which exists.
    """

    folder: Path

    def __post_init__(self) -> None:
        self._killed = self._kills()

    def joined(self, command: list[str]) -> list[str]:
        """A command line that runs a command in the group."""
        return ["/bin/sh", "-c", _JOIN, str(self.folder / "cgroup.procs"), *command]

    def limit(self, memory: int) -> None:
        """Limit everything that runs in the group to `memory` bytes, plus `ROOM`, and no swap."""
        (self.folder / "memory.max").write_text(str(memory + ROOM))
        swap = self.folder / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")

    def ran_out(self) -> bool:
        """Whether the kernel has killed something in the group since the last call."""
        before, self._killed = self._killed, self._kills()
        return self._killed > before

    def remove(self) -> None:
        """Kill what is left in the group, and remove the group."""
        kill = self.folder / "cgroup.kill"
        if kill.exists():
            kill.write_text("1")
        deadline = time.monotonic() + _REMOVE_SECONDS
        while True:
            try:
                return self.folder.rmdir()
            except OSError as error:  # the kernel takes a moment to remove them
                if time.monotonic() > deadline:
                    return _log.warning("%s is left: %s", self.folder, error)
                time.sleep(0.01)

    def _kills(self) -> int:
        events = self.folder / "memory.events"
        lines = events.read_text().splitlines() if events.exists() else []
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def make(parent: Path) -> Group:
    """Create a group inside another."""
    folder = parent / f"tpt-judge-{getpid()}-{next(_numbers)}"
    folder.mkdir()
    return Group(folder)


def place(mounts: str, own: str) -> Path | None:
    """The group in which groups that limit memory can be created; None if there is none.

    Args:
        mounts: the text of `/proc/self/mounts`.
        own: the text of `/proc/self/cgroup`.
    """
    root = next((Path(line.split()[1]) for line in mounts.splitlines() if line.split()[2] == "cgroup2"), None)
    path = next((line[3:] for line in own.splitlines() if line.startswith("0::")), None)
    if root is None or path is None:
        return None
    here = root / path.lstrip("/")
    for folder in (here, *here.parents):
        if not (folder.is_relative_to(root) and (folder / "cgroup.subtree_control").exists()):
            return None
        if CONTROLLER in (folder / "cgroup.subtree_control").read_text().split() and _holds(folder):
            return folder
        limit = folder / "memory.max"
        if limit.exists() and limit.read_text().strip() != "max":
            return None
    return None


def _holds(parent: Path) -> bool:
    """Whether a process can be put into a new group there."""
    for left in parent.glob("tpt-judge-*"):  # left by a judge that was killed
        if not Path("/proc", left.name.split("-")[2]).exists():
            with suppress(OSError):
                left.rmdir()
    try:
        group = make(parent)
    except OSError:
        return False
    try:
        return not subprocess.run(group.joined(["/bin/true"]), capture_output=True, check=False).returncode
    finally:
        group.remove()
