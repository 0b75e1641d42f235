"""Environment variables of every process of ours: what it may import, how its threads wait."""

import os


def variables() -> dict[str, str]:
    """The variables to set; those that the user has set stay as they are."""
    return {**_safe_imports(), **_threads()}


def _safe_imports() -> dict[str, str]:
    """With these Python, and whatever Python it starts, imports nothing from the working directory.

    There may lie another checkout's `tpt`, a folder `datasets`, a file `random.py`.
    """
    # Python takes an empty entry, as a colon too many leaves one, for the working directory.
    entries = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {"PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": os.pathsep.join(entries)} if "PYTHONPATH" in os.environ else {})


def _threads() -> dict[str, str]:
    return {}
