"""The tasks, each in one file. Importing this package registers them."""

from tpt.tasks import gsm8k, reasoning_gym, word_problems
from tpt.tasks.base import REGISTRY, Task, make, register

__all__ = ["REGISTRY", "Task", "gsm8k", "make", "reasoning_gym", "register", "word_problems"]
