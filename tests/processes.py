"""Processes of others, which may end between two looks at them."""

import psutil


def descendants(pid: int) -> list[int]:
    """The processes below one."""
    try:
        return [one.pid for one in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for its parent to take note."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return True
