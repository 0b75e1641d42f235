"""A sweep: several points of one `tpt run -m`, and the run folders that they are."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tpt import files
from tpt.errors import RunError
from tpt.run import Run


@dataclass
class Sweep:
    """One sweep and its folder, which gets the report on all of its runs.

    Args:
        folder: under `<run_root>/sweeps`.
        runs: its runs, each once: points that differ in `rounds` alone are the same run.
    """

    folder: Path
    runs: list[Run]

    @classmethod
    def of(cls, points: Sequence[list[str]], runs: list[Run]) -> "Sweep":
        """The sweep of some points, whether or not its folder is there; the same points are the same sweep."""
        longest: dict[Path, Run] = {}
        for run in runs:
            longest[run.root] = run.joined(longest[run.root]) if run.root in longest else run
        digest = hashlib.sha256(json.dumps(list(points)).encode()).hexdigest()[:8]
        return cls(runs[0].root.parent / "sweeps" / digest, list(longest.values()))

    @classmethod
    def open(cls, folder: Path) -> "Sweep":
        """An existing sweep's folder.

        Raises:
            RunError: it is none.
        """
        if not (folder / "sweep.json").exists():
            raise RunError(f"{folder} is not a sweep's folder", "sweeps are folders under run_root/sweeps")
        root = folder.resolve().parent.parent
        names = files.read_json(folder / "sweep.json")["runs"]
        return cls(folder, [Run.open(root / name) for name in names if (root / name / "run.json").exists()])

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def write(self, points: Sequence[list[str]]) -> None:
        """Record which runs belong to the sweep."""
        record = {"points": list(points), "runs": [run.name for run in self.runs]}
        files.write_json(self.folder / "sweep.json", record)


def runs_at(path: Path) -> tuple[list[Run], Path | None]:
    """The runs that a path names.

    Returns:
        the run of a run folder, or the runs of a sweep's folder; and that folder, where it is a sweep's.
    Raises:
        RunError: it is neither.
    """
    if (path / "run.json").exists():
        return [Run.open(path)], None
    if (path / "sweep.json").exists():
        return Sweep.open(path).runs, path
    raise RunError(f"{path} is neither a run folder nor a sweep's", "`tpt status` lists the run folders under run_root")
