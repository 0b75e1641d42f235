"""A sweep: several points of one `tpt run -m`, and the run folders that they are."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tpt import files
from tpt.cluster import ledger
from tpt.errors import RunError, TptError
from tpt.run.folder import Run


@dataclass
class Sweep:
    """One sweep and its folder, which gets the report on all of its runs.

    Args:
        folder: under `<run_root>/sweeps`.
        runs: its runs, each once: points that differ in `rounds` alone are the same run.
        left_out: why others of its runs cannot be read.
    """

    folder: Path
    runs: list[Run]
    left_out: list[TptError] = field(default_factory=list)

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
        """An existing sweep's folder; a run of it that cannot be read stops none of the others.

        Raises:
            RunError: it is none.
            Damaged: its `sweep.json` cannot be read.
        """
        if not (folder / "sweep.json").exists():
            raise RunError(f"{folder} is not a sweep's folder", "sweeps are folders under run_root/sweeps")
        root = folder.resolve().parent.parent
        then = "the same `tpt run -m` as before writes it again"
        names = files.read_json(folder / "sweep.json", {"runs": list}, then)["runs"]
        return cls(folder, *readable(root / str(name) for name in names if (root / str(name) / "run.json").exists()))

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    def write(self, points: Sequence[list[str]]) -> None:
        """Record which runs belong to the sweep."""
        record = {"points": list(points), "runs": [run.name for run in self.runs]}
        files.write_json(self.folder / "sweep.json", record)


@dataclass(frozen=True)
class Found:
    """The runs that a path names.

    Attributes:
        runs: that can be read.
        sweep: the folder of the sweep that they are of; None: the path is a run folder.
        left_out: why other runs of the sweep cannot be read.
    """

    runs: list[Run]
    sweep: Path | None = None
    left_out: list[TptError] = field(default_factory=list)


def runs_at(path: Path) -> Found:
    """The run of a run folder, or the runs of a sweep's folder.

    Raises:
        RunError: the path is neither.
        TptError: the run, or each run of the sweep, cannot be read.
    """
    if (path / "run.json").exists():
        return Found([opened(path)])
    if (path / "sweep.json").exists():
        sweep = Sweep.open(path)
        if sweep.left_out and not sweep.runs:
            raise sweep.left_out[0]
        return Found(sweep.runs, path, sweep.left_out)
    raise RunError(f"{path} is neither a run folder nor a sweep's", "`tpt status` lists the run folders under run_root")


def opened(folder: Path) -> Run:
    """A run folder of which everything can be read that says what is done, what is owed, and which jobs are at it.

    Raises:
        RunError: it is none, or of another version.
        Damaged: a file cannot be read.
    """
    run = Run.open(folder)
    run.owed()
    ledger.latest(run)
    return run


def readable(folders: Iterable[Path]) -> tuple[list[Run], list[TptError]]:
    """Open some run folders; one that cannot be read stops none of the others.

    Returns:
        the runs, and why the others cannot be read.
    """
    runs: list[Run] = []
    left_out: list[TptError] = []
    for folder in folders:
        try:
            runs.append(opened(folder))
        except TptError as error:
            left_out.append(error)
    return runs, left_out
