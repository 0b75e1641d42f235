"""The sandbox's command line and its contents on this machine."""

import json
import os
import resource
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tpt.errors import SandboxError
from tpt.sandbox import filter as seccomp
from tpt.sandbox import group
from tpt.sandbox.remedy import INSTALL

NOBODY = 65534  # an unprivileged user, which root becomes before the sandbox starts
HOLDS = "/judge"  # where our files are, inside the sandbox
PACKAGES = ("sortedcontainers",)  # that contest solutions may import, in addition to the standard library
OPEN = ("/tmp", "/var/tmp", "/dev/shm")  # folders that any user can usually enter
PRIVATE_BYTES = 256 * 2**20  # sizes of /tmp and of /dev/shm, each
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # makes the order of a set of strings the same every time
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass
class Sandbox:
    """How programs are started on this machine: a folder with the sandbox's files, to be closed at the end.

    It raises this process's stack limit to the hard limit, for the processes that it starts to inherit.

    Args:
        kind: `bwrap`; or `none` for no sandbox, only for trusted programs.
        python: the interpreter for solutions; under /usr, the only part of the system they can see.

    Raises:
        SandboxError: bubblewrap or the interpreter is missing.
    """

    kind: str = "bwrap"
    python: str = "/usr/bin/python3"
    bwrap: str = field(init=False)
    folder: Path = field(init=False)
    site_packages: list[str] = field(init=False)
    groups: Path | None = field(init=False)  # where control groups can be created

    def __post_init__(self) -> None:
        self.bwrap = shutil.which("bwrap") or ""
        if self.kind == "bwrap" and not self.bwrap:
            raise SandboxError("solutions are run in a sandbox, but bubblewrap (bwrap) is not installed", INSTALL)
        if not Path(self.python).exists():
            raise SandboxError(f"there is no Python {self.python} to run solutions with", "name one: task.python=PATH")
        if self.kind == "bwrap" and not Path(self.python).resolve().is_relative_to("/usr"):
            raise SandboxError(
                f"task.python={self.python} is outside /usr, the only folder that a sandbox can see",
                "install the system's python3, or one under /usr/local",
            )
        self.groups = None
        if self.kind == "bwrap":
            # Solutions recurse deeply. Inherited: setting it in the sandbox would take one more command per start.
            _, hard = resource.getrlimit(resource.RLIMIT_STACK)
            resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
            self.groups = group.place(Path("/proc/self/mounts").read_text(), Path("/proc/self/cgroup").read_text())
        drops_root = self.kind == "bwrap" and not os.geteuid()
        self.folder = Path(tempfile.mkdtemp(prefix="tpt-judge-", dir=_open_to_others() if drops_root else None))
        self._fill()

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, filter_fd: int) -> list[str]:
        """The command line that starts a sandbox with `inside.py` as its first process."""
        inside = [self.python, "-sS", f"{self._at}/inside.pyc"]
        if self.kind == "none":
            return inside
        return [*_nobody(), self.bwrap, *_walls(self.folder, filter_fd), *inside, "jailed"]

    def filter(self) -> int:
        """A file descriptor of the seccomp filter; the caller must close it."""
        return os.open(self.folder / "filter", os.O_RDONLY | os.O_CLOEXEC)

    def environment(self) -> dict[str, str]:
        """The variables of every process in the sandbox: the same on every machine, and none of this process's."""
        return ENVIRONMENT | {"PYTHONPATH": ":".join([f"{self._at}/packages", *self.site_packages])}

    @property
    def _at(self) -> str:
        return str(self.folder) if self.kind == "none" else HOLDS

    def _fill(self) -> None:
        """Compile `inside.py` with the sandbox's Python, once for all sandboxes, and copy the packages."""
        source = Path(__file__).with_name("inside.py")
        code = (
            "import json, py_compile, site, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True); "
            "print(json.dumps(site.getsitepackages()))"
        )
        command = [self.python, "-I", "-c", code, str(source), str(self.folder / "inside.pyc")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SandboxError(f"{self.python} cannot run the judge: {done.stderr[-300:]}", "give Python 3.9 or newer")
        self.site_packages = json.loads(done.stdout)
        for name in PACKAGES:
            found = find_spec(name)
            if found and found.submodule_search_locations:
                shutil.copytree(found.submodule_search_locations[0], self.folder / "packages" / name)
        (self.folder / "filter").write_bytes(seccomp.program())
        for folder, _, names in os.walk(self.folder):  # another user reads it inside the sandbox, whatever our umask is
            Path(folder).chmod(0o755)
            for name in names:
                (Path(folder) / name).chmod(0o644)


def _open_to_others() -> str:
    """A folder for temporary files that the user running the solutions can enter: TMPDIR, unless it is private."""
    tried = list(dict.fromkeys((tempfile.gettempdir(), *OPEN)))
    for folder in tried:
        place = Path(folder).resolve()
        if place.is_dir() and all(one.stat().st_mode & stat.S_IXOTH for one in (place, *place.parents)):
            return folder
    raise SandboxError(
        f"solutions run as the user nobody, who can enter none of {', '.join(tried)}",
        "set TMPDIR to a folder that any user can enter: chmod o+x the folder and those above it",
    )


def _nobody() -> list[str]:
    """The command with which root becomes another user before the sandbox starts: process limits do not bind root.

    A command and not an argument of `subprocess`, which would copy this process's page tables for every sandbox.
    """
    if os.geteuid():
        return []
    return ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]


def _walls(folder: Path, filter_fd: int) -> list[str]:
    size = ["--size", str(PRIVATE_BYTES), "--perms", "0700", "--tmpfs"]
    # fmt: off
    return [
        "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--as-pid-1", "--cap-drop", "ALL", "--hostname", "judge", "--seccomp", str(filter_fd),
        "--ro-bind", "/usr", "/usr", *_links(), "--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
        "--ro-bind", str(folder), HOLDS, "--proc", "/proc", "--dev", "/dev",
        "--dev-bind", "/dev/null", "/dev/zero",  # which could be mapped as memory that no file system's size bounds
        *size, "/dev/shm", *size, "/tmp", "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp",
    ]
    # fmt: on


@cache
def _links() -> list[str]:
    """/bin, /lib and the like, as they are on this machine."""
    found: list[str] = []
    for path in map(Path, ("/bin", "/sbin", "/lib", "/lib32", "/lib64")):
        if path.is_symlink():
            found += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            found += ["--ro-bind", str(path), str(path)]
    return found
