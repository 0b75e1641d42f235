"""Other users of this machine: processes that root starts as them, and places made for them.

How to use it:

    reason = other_user.unavailable()                # "" where all of this can be had; else a reason to skip
    with other_user.place() as root, other_user.reachable():
        shared = other_user.shared_folder(root / "Gemeinsame Läufe")     # of GROUP, setgid
        other_user.small_disk(root / "tmp", mebibytes=4)                 # gone at the end of `reachable`
        variables = other_user.variables(root, TMPDIR=str(root / "tmp"))  # HOME is read-only
        other_user.run(other_user.FIRST, [sys.executable, "-m", "tpt.cli", ...], variables)

`reachable` puts the calling thread, and whatever it starts in the block (daemons, too), into a mount namespace of its
own in which every user reaches this interpreter and this repository, also where they lie below a closed folder such as
/root. In the block, such a folder holds what a run needs and nothing else.
"""

import contextlib
import ctypes
import functools
import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

FIRST, SECOND = "nobody", "games"  # users that come with every Linux, and need not log in
GROUP = "games"  # the primary group of both, in what is started here
UMASK = 0o002
REPOSITORY = Path(__file__).resolve().parent.parent
CLONE_NEWNS = 0x20000

Done = subprocess.CompletedProcess[str]


@functools.cache
def unavailable() -> str:
    """Why nothing can be run as another user here; "": it can."""
    if os.getuid():
        return "only root may start processes as another user"
    try:
        _ids(FIRST), _ids(SECOND), grp.getgrnam(GROUP)
    except KeyError as error:
        return f"a usual user or group is missing: {error}"
    try:
        with reachable():
            found = run(FIRST, [sys.executable, "-c", "import tpt.cli"], {"PATH": os.environ["PATH"]})
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no mount namespace of one's own can be made here: {error}"
    return f"{FIRST} cannot run this interpreter: {found.stderr[-300:]}" if found.returncode else ""


def run(user: str, command: Sequence[str], environment: Mapping[str, str], umask: int = UMASK) -> Done:
    """Run a command as a user whose only group is GROUP, with these variables and no others, in the root folder."""
    uid, gid = _ids(user)
    return subprocess.run(
        command,
        user=uid,
        group=gid,
        extra_groups=[],
        umask=umask,
        env=dict(environment),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def variables(root: Path, **more: str) -> dict[str, str]:
    """A login's few variables, with a HOME below `root` that its user may read and not write."""
    home = root / "home"
    home.mkdir(mode=0o555, exist_ok=True)
    found = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home), "COLUMNS": "500"}
    return found | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"} | more


@contextlib.contextmanager
def place() -> Iterator[Path]:
    """A new folder that every user may enter, as pytest's own are not; removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="tpt-users-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def shared_folder(path: Path) -> Path:
    """A new folder in which GROUP may write, and whose files and folders belong to GROUP."""
    path.mkdir()
    os.chown(path, 0, grp.getgrnam(GROUP).gr_gid)
    path.chmod(0o2775)
    return path


def small_disk(path: Path, mebibytes: int) -> Path:
    """A new folder on a small disk of its own, for all users as /tmp is; only inside `reachable`."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={mebibytes}m,mode=1777", "tmpfs", str(path))
    return path


def read_only(path: Path) -> Path:
    """A new folder on a file system that is mounted read-only; only inside `reachable`."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", "ro", "tmpfs", str(path))
    return path


@contextlib.contextmanager
def reachable() -> Iterator[None]:
    """A mount namespace in which every user reaches what a run needs; see the top of this file."""
    libc = ctypes.CDLL(None, use_errno=True)
    before, folder = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC), Path.cwd()
    try:
        _call(libc.unshare, CLONE_NEWNS)
        try:
            _mount("--make-rprivate", "/")
            _open_closed_folders()
            os.chdir(folder)
            yield
        finally:
            _call(libc.setns, before, CLONE_NEWNS)
            os.chdir(folder)
    finally:
        os.close(before)


def _open_closed_folders() -> None:
    """Put in the place of each folder that others may not enter an open one with what is needed of it."""
    closed: dict[Path, set[Path]] = {}
    for path in _needed():
        outermost = next((one for one in reversed(path.parents) if not one.stat().st_mode & 0o001), None)
        if outermost:
            closed.setdefault(outermost, set()).add(path)
    for outermost, paths in closed.items():
        kept = [path for path in sorted(paths) if not set(path.parents) & paths]
        with tempfile.TemporaryDirectory(prefix="tpt-mounts-") as aside:
            _mount("-t", "tmpfs", "tmpfs", aside)
            for number, path in enumerate(kept):
                Path(aside, str(number)).mkdir()
                _mount("--bind", str(path), f"{aside}/{number}")
            _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(outermost))
            for number, path in enumerate(kept):
                path.mkdir(parents=True)
                _mount("--bind", f"{aside}/{number}", str(path))
            subprocess.run(["umount", "--recursive", aside], check=True, capture_output=True)


def _needed() -> set[Path]:
    """The folders of this interpreter, its packages and this repository."""
    named = [sys.prefix, sys.base_prefix, str(REPOSITORY), *sys.path]
    folders = {Path(one).absolute() for one in named if one and Path(one).is_dir()}
    return folders | {one.resolve() for one in folders}


def _ids(user: str) -> tuple[int, int]:
    return pwd.getpwnam(user).pw_uid, grp.getgrnam(GROUP).gr_gid


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def _call(function: Callable[..., int], *arguments: int) -> None:
    if function(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
