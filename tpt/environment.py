"""Environment variables for every process that tpt starts: imports, how its threads wait, where models are kept."""

import os
from pathlib import Path

from tpt.errors import FileError

# With GNU's OpenMP, which torch ships with, threads spin for some milliseconds while they wait for each other: longer
# than most pieces of their work. If other programs need the cores, the threads being waited for cannot run meanwhile.
# LLVM's and Intel's OpenMP, which may be loaded instead, spin for 200 ms.
WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
POLICIES = (*WAITING, "OMP_WAIT_POLICY")  # what a user may have set already
SET_CACHE = "set TPT_CACHE (where models built on this machine are kept) to a folder of your own"


def variables() -> dict[str, str]:
    """The variables to set."""
    return {**safe_imports(), **waiting()}


def safe_imports() -> dict[str, str]:
    """Variables that keep Python, and any Python that it starts, from importing from the working directory.

    That directory may contain another checkout's `tpt`, a folder `datasets` or a file `random.py`.
    """
    # To Python an empty entry, which one colon too many produces, is the working directory.
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": os.pathsep.join(entries)} if "PYTHONPATH" in os.environ else {})


def waiting() -> dict[str, str]:
    """Variables that set how long threads spin before they sleep; none if the user has set this already."""
    return {} if any(name in os.environ for name in POLICIES) else WAITING


def cache_dir() -> Path:
    """Where models built on this machine are kept: `$TPT_CACHE`, or `~/.cache/tpt`.

    Raises:
        FileError: TPT_CACHE is not set and the user has no home folder.
    """
    try:
        return Path(os.environ.get("TPT_CACHE") or "~/.cache/tpt").expanduser()
    except RuntimeError:
        raise FileError("you have no home folder to keep models in", SET_CACHE) from None
