"""How a running stage reports its progress: a small file that the progress bar and `tpt status` read."""

import json
import time
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from tpt import files
from tpt.errors import Damaged


class State(TypedDict):
    """What a running stage reports.

    Attributes:
        done, total: units of work.
        unit: what they are.
        rate: in `rate_unit`, e.g. tokens per second.
        seconds: since the stage started.
        note: anything else worth showing.
    """

    done: int
    total: int
    unit: str
    rate: float
    rate_unit: str
    seconds: float
    note: NotRequired[str]


NEEDS: files.Needs = {
    **dict.fromkeys(("done", "total"), int),
    **dict.fromkeys(("unit", "rate_unit"), str),
    **dict.fromkeys(("rate", "seconds"), float | int),
}


def read(path: Path) -> State | None:
    """A running stage's last report; None if there is none that can be read."""
    try:
        return cast("State", files.read_json(path, NEEDS))  # as NEEDS checks
    except Damaged:
        return None


class Progress:
    """Writes `{"done", "total", "unit", "rate", "rate_unit", "note"}` to a file, at most twice a second.

    Args:
        path: the file; None to report nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.started = time.monotonic()
        self._written = 0.0

    def __call__(
        self, done: int, total: int, unit: str = "", rate: float = 0.0, rate_unit: str = "", note: str = ""
    ) -> None:
        """Report `done` of `total` units, and a rate (e.g. tokens per second)."""
        now = time.monotonic()
        if self.path is None or (now - self._written < 0.5 and done < total):
            return
        self._written = now
        state: State = {
            "done": done,
            "total": total,
            "unit": unit,
            "rate": round(rate, 2),
            "rate_unit": rate_unit,
            "seconds": round(now - self.started, 1),
            "note": note,
        }
        # Not fsynced: it is written often, and losing it does no harm.
        temporary = self.path.with_suffix(".partial")
        temporary.write_text(json.dumps(state), encoding="utf-8")
        temporary.replace(self.path)
