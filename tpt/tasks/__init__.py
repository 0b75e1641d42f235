"""The tasks, each in one file. Importing this package imports them all, which registers them."""

import pkgutil
from importlib import import_module

from tpt.tasks.base import BROKEN, REGISTRY, Split, Task, check_loaded, make, register

# The modules that come with the package: `identity.FORMAT` covers what they do. Any other task counts with its source.
SHIPPED = (
    *("base", "code", "generated", "rows"),
    *("code_contests", "code_puzzles", "gsm8k", "leetcode", "reasoning_gym", "word_problems"),
)


def load() -> None:
    """Import every module of this package. One that fails is kept in `BROKEN`, and stops nobody who needs it not."""
    for found in pkgutil.iter_modules(__path__):
        name = f"{__name__}.{found.name}"
        try:
            import_module(name)
        except (Exception, SystemExit) as error:  # whatever a file of a user's raises: the other tasks can be used
            BROKEN[name] = error
            for task in [one for one, kind in REGISTRY.items() if kind.__module__ == name]:
                del REGISTRY[task]  # registered before the file failed


load()

__all__ = ["BROKEN", "REGISTRY", "SHIPPED", "Split", "Task", "check_loaded", "load", "make", "register"]
