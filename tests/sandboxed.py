"""What runs in sandboxes on this machine, as far as it is this test's."""

import psutil

NOBODY = 65534


def sandboxed() -> list[psutil.Process]:
    """bwrap, and nobody's processes: those below this process, and those that no program owns any more.

    What is below another program is a judge's that another test worker uses.
    """
    own = psutil.Process()
    line = {own.pid, *(one.pid for one in own.parents())}
    found = []
    for process in psutil.process_iter(["name", "uids", "status"]):
        uids = process.info["uids"]
        jailed = process.info["name"] == "bwrap" or (uids and uids.real == NOBODY)
        if jailed and process.info["status"] != psutil.STATUS_ZOMBIE and _is_ours(process, own.pid, line):
            found.append(process)
    return found


def _is_ours(process: psutil.Process, own: int, line: set[int]) -> bool:
    try:
        above = {one.pid for one in process.parents()}
    except psutil.NoSuchProcess:
        return False
    # Whoever outlives its parent becomes a child of one of our own ancestors, of init at last.
    return own in above or all(pid in line or _is_jailed(pid) for pid in above)


def _is_jailed(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == "bwrap" or process.uids().real == NOBODY
    except psutil.NoSuchProcess:
        return True
