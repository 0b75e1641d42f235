"""The tasks, each in one file. Importing this package imports them all, which registers them."""

import pkgutil
from importlib import import_module

from tpt.tasks.base import REGISTRY, Split, Task, make, register

# The modules that come with the package: `identity.FORMAT` covers what they do. Any other task counts with its source.
SHIPPED = (
    *("base", "code", "generated", "rows"),
    *("code_contests", "code_puzzles", "gsm8k", "leetcode", "reasoning_gym", "word_problems"),
)

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "SHIPPED", "Split", "Task", "make", "register"]
