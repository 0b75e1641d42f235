"""A sweep: the points of one `tpt run -m`, and the runs they are."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpt import artefacts, files
from tpt.runs.folder import Run

RECORD = artefacts.SWEEP


@dataclass
class Sweep:
    """One sweep and its folder, which also takes the report on all of its runs.

    Args:
        folder: under `<run_root>/sweeps`.
        runs: its runs, each once: points that differ only in `rounds` are the same run.
    """

    folder: Path
    runs: list[Run]

    @classmethod
    def of(cls, points: Sequence[list[str]], runs: list[Run]) -> "Sweep":
        """The sweep of some points, whether or not its folder exists; the same points are the same sweep."""
        longest: dict[Path, Run] = {}
        for run in runs:
            longest[run.root] = run.joined(longest[run.root]) if run.root in longest else run
        digest = hashlib.sha256(json.dumps(list(points)).encode()).hexdigest()[:8]
        return cls(runs[0].root.parent / artefacts.SWEEPS / digest, list(longest.values()))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def write(self, points: Sequence[list[str]]) -> None:
        """Record which runs belong to the sweep."""
        record = {"points": list(points), "runs": [run.name for run in self.runs]}
        files.write_json(self.folder / RECORD, record)


def members(folder: Path) -> list[Path]:
    """The run folders of a recorded sweep that exist.

    Raises:
        Damaged: the record cannot be read.
    """
    root = folder.resolve().parent.parent
    names = files.read_json(folder / RECORD, {"runs": list}, "`tpt run -m` with the same settings writes it again")[
        "runs"
    ]
    return [root / str(name) for name in names if (root / str(name) / artefacts.HEAD).exists()]
