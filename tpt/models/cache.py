"""Models built on this machine: each is made once, in one folder, however many processes need it."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from tpt import explain, files, locks
from tpt.errors import FileError
from tpt.models.folder import check_folder

SET_CACHE = "set TPT_CACHE (where models built on this machine are kept) to a folder of your own"


def cache_dir() -> Path:
    """Where models built on this machine are kept: `$TPT_CACHE`, or `~/.cache/tpt`.

    Raises:
        FileError: TPT_CACHE is not set and the user has no home folder.
    """
    try:
        return Path(os.environ.get("TPT_CACHE") or "~/.cache/tpt").expanduser()
    except RuntimeError:
        raise FileError("you have no home folder to keep models in", SET_CACHE) from None


def cached(name: str) -> Path | None:
    """The cache's folder `name`; None if it has not been built yet."""
    folder = cache_dir() / name
    with explain.in_words(folder, SET_CACHE):
        # The folder is renamed into place with everything in it.
        return folder if (folder / "origin.json").exists() else None


def build_once(name: str, build: Callable[[Path], None]) -> Path:
    """The cache's folder `name`, built only once even if two processes ask for it at the same time.

    Args:
        build: writes the model into a folder that does not exist yet.

    Raises:
        FileError: it has not been built yet and cannot be written there.
    """
    folder = cache_dir() / name
    if cached(name):
        return folder
    with explain.in_words(folder, SET_CACHE):
        folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{name}.lock")
    with explain.in_words(folder, SET_CACHE), locks.locked(lock, elsewhere=SET_CACHE):
        if not cached(name):
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary:
                made = Path(temporary) / name
                build(made)
                files.complete(made)
                check_folder(made).rename(folder)
    return folder
