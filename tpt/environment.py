"""Environment variables of every process of ours: what it may import, how its threads wait, where it keeps models."""

import os
from pathlib import Path

from tpt.errors import FileError

# GNU's OpenMP, which torch comes with, has threads spin while they wait for each other: for some ms, which is longer
# than most of their work. Where other programs want the cores, those that are waited for do not get on meanwhile.
# LLVM's and Intel's, which may be loaded in its place, spin for 200 ms.
WAITING = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "1"}
POLICIES = (*WAITING, "OMP_WAIT_POLICY")  # what a user may have set
SET_CACHE = "set TPT_CACHE, where the models that are made here are kept, to a folder of your own"


def variables() -> dict[str, str]:
    """The variables to set."""
    return {**safe_imports(), **waiting()}


def safe_imports() -> dict[str, str]:
    """With these Python, and whatever Python it starts, imports nothing from the working directory.

    There may lie another checkout's `tpt`, a folder `datasets`, a file `random.py`.
    """
    # Python takes an empty entry, as a colon too many leaves one, for the working directory.
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": os.pathsep.join(entries)} if "PYTHONPATH" in os.environ else {})


def waiting() -> dict[str, str]:
    """How long threads spin before they sleep, unless the user has said so."""
    return {} if any(name in os.environ for name in POLICIES) else WAITING


def cache_dir() -> Path:
    """Where models made here are kept: `$TPT_CACHE`, or `~/.cache/tpt`.

    Raises:
        FileError: there is neither.
    """
    try:
        return Path(os.environ.get("TPT_CACHE") or "~/.cache/tpt").expanduser()
    except RuntimeError:
        raise FileError("you have no home folder in which models could be kept", SET_CACHE) from None
