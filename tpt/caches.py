"""Where the libraries that we use keep their caches."""

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tpt import explain
from tpt.environment import cache_dir
from tpt.errors import FileError

LIBRARIES = {  # what libraries otherwise write under the home folder, which jobs of a cluster may not even have
    "VLLM_CACHE_ROOT": "vllm",
    "TRITON_CACHE_DIR": "triton",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "MPLCONFIGDIR": "matplotlib",
    "WANDB_CACHE_DIR": "wandb",
    "WANDB_DATA_DIR": "wandb",
}
IN_COMMANDS = ("MPLCONFIGDIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR")  # of the libraries that commands themselves use


def library_caches(names: Iterable[str] = tuple(LIBRARIES)) -> dict[str, str]:
    """Variables that make libraries keep their caches under `cache_dir`, or in a temporary folder if it is read-only.

    Args:
        names: of `LIBRARIES`; a variable that is already set is left out.
    """
    return {name: str(_folder(LIBRARIES[name])) for name in names if name not in os.environ}


def _folder(name: str) -> Path:
    with contextlib.suppress(FileError):  # there is no home folder
        kept = cache_dir() / name
        if explain.may_write(kept):
            return kept
    return Path(_temporary().name) / name


@functools.cache
def _temporary() -> "tempfile.TemporaryDirectory[str]":
    """A folder that is deleted when this process, which outlives its stages, ends."""
    return tempfile.TemporaryDirectory(prefix="tpt-cache-")
