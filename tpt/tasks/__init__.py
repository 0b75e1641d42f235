"""The tasks, each in one file. Importing this package imports them all, which registers them."""

import pkgutil
from importlib import import_module

from tpt.tasks.base import REGISTRY, Split, Task, make, register

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "Split", "Task", "make", "register"]
