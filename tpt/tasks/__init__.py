"""The tasks, each in one file. Importing this package imports them all, which registers them."""

import pkgutil
from importlib import import_module

from tpt.tasks.base import BROKEN, REGISTRY, Split, Task, register
from tpt.tasks.finding import check_loaded, defining, find, make

# The modules that come with the package: `identity.FORMAT` covers what they do. Of any other task the source counts.
SHIPPED = (
    *("base", "code", "columns", "finding", "generated", "judging", "rows", "tables", "templates"),
    *(
        "code_contests",
        "code_puzzles",
        "functions",
        "gsm8k",
        "live_code_bench",
        "leetcode",
        "qa",
        "reasoning_gym",
        "word_problems",
    ),
)


def load() -> None:
    """Import every module of this package. One that fails is recorded in `BROKEN` and does not affect the others."""
    for found in pkgutil.iter_modules(__path__):
        name = f"{__name__}.{found.name}"
        try:
            import_module(name)
        except (Exception, SystemExit) as error:  # whatever a user's file raises: the other tasks can still be used
            BROKEN[name] = error
            for task in [one for one, kind in REGISTRY.items() if kind.__module__ == name]:
                del REGISTRY[task]  # registered before the file failed


load()

__all__ = [
    "BROKEN",
    "REGISTRY",
    "SHIPPED",
    "Split",
    "Task",
    "check_loaded",
    "defining",
    "find",
    "load",
    "make",
    "register",
]
