"""Models built on this machine: each is made once, in one folder, however many processes need it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tpt import artefacts, explain, files, locks
from tpt.environment import SET_CACHE, cache_dir
from tpt.models.folder import check_folder


def cached(name: str) -> Path | None:
    """The cache's folder `name`; None if it has not been built yet."""
    folder = cache_dir() / name
    with explain.in_words(folder, SET_CACHE):
        # The folder is renamed into place with everything in it.
        return folder if (folder / artefacts.ORIGIN).exists() else None


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
