"""What hostile solutions come to, in real sandboxes."""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from sandboxed import NOBODY, sandboxed
from zoo import CALLED, ZOO

from tpt.judges.code.judge import Judge
from tpt.judges.code.spec import Result, Spec

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed: make sandbox"),
]

SPEC = Spec(tests=[("3 4\n", "7\n")], seconds=0.3, memory_mb=256)
EQUAL = "class Equal:\n    def __eq__(self, other):\n        return True"
CALLS = Spec(
    calls=[(["candidate(3)"], "_values[0] == 7")],
    entry_point="Solution().f",
    prelude=EQUAL,
    seconds=SPEC.seconds,
    memory_mb=SPEC.memory_mb,
)
RIGHT = "print(sum(map(int, input().split())))"
BOUND = 60.0  # seconds: on a busy machine a run may wait for ten times its wall limit of 2.9 s, and do so twice


@dataclass
class Visit:
    result: Result
    after: Result  # of a right solution, judged next
    seconds: float
    left: list[str]  # processes that outlived it
    grown: int  # bytes of our own memory


def alive() -> list[str]:
    """Processes that a sandbox could have left: all but the spare sandboxes, which wait for a program."""
    found = []
    for process in sandboxed():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = process.cmdline()
            if "jailed" not in words:
                found.append(" ".join(words))
    return found


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    """Where the judge's own files are, which another user can read."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def visits(temporary: Path) -> dict[str, Visit]:
    found: dict[str, Visit] = {}
    own = psutil.Process()
    with Judge(workers=1) as judge:
        for name, (source, _) in (ZOO | CALLED).items():
            before, started = own.memory_info().rss, time.monotonic()
            spec = CALLS if name in CALLED else SPEC
            [result] = judge.results([(spec, "python", source)], partial=False)
            seconds = time.monotonic() - started
            left, deadline = alive(), time.monotonic() + 2
            while left and time.monotonic() < deadline:  # the kernel takes a moment to bury them
                time.sleep(0.02)
                left = alive()
            [after] = judge.results([(SPEC, "python", RIGHT)], partial=False)
            found[name] = Visit(result, after, seconds, left, own.memory_info().rss - before)
    return found


def test_the_zoo_is_large() -> None:
    assert len(ZOO) >= 30


@pytest.mark.parametrize("name", ZOO | CALLED)
def test_a_hostile_solution_is_contained(name: str, visits: dict[str, Visit]) -> None:
    visit, (_, expected) = visits[name], (ZOO | CALLED)[name]
    assert visit.result.passed == 0
    assert visit.result.kind in expected, visit.result
    assert visit.seconds < BOUND
    assert visit.left == []
    assert visit.grown < 100 * 2**20
    assert (visit.after.passed, visit.after.total) == (1, 1), "the judge does not go on"


def test_the_zoo_left_no_file(visits: dict[str, Visit], temporary: Path) -> None:
    assert visits
    assert list(temporary.iterdir()) == []
    everywhere = [path for folder in ("/tmp", "/dev/shm", "/var/tmp") for path in Path(folder).iterdir()]
    assert [path for path in everywhere if of_nobody(path)] == []


def of_nobody(path: Path) -> bool:
    """Whether a file is of the user that solutions run as."""
    try:
        return path.lstat().st_uid == NOBODY
    except OSError:
        return False
