"""Analyses of one run: what training does to diversity, where errors lie, what a gain is made of,
what the gradients are.

Each compares the base model (round 0) with the rounds after it, from the run folder alone.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tpt.analysis.outcome import Outcome
    from tpt.run.folder import Run

# (run, the folder to write to, seed) -> what was found; figures and NAME.json are written to the folder.
Analysis = Callable[["Run", Path, int], "Outcome"]


def _named(name: str) -> Analysis:
    def analyse(run: "Run", out: Path, seed: int) -> "Outcome":
        # Imported only now: these would slow down `tpt --help`; torch, matplotlib and sacrebleu, every command.
        from tpt import files
        from tpt.analysis.outcome import Outcome

        for kind in ("md", "json", "png"):
            files.check_writable(out / f"{name}.{kind}")
        out.mkdir(parents=True, exist_ok=True)
        found = import_module(f"tpt.analysis.{name}").analyse(run, out, seed)
        assert isinstance(found, Outcome)
        return found

    return analyse


NAMES = ("diversity", "error_locality", "gain", "gradient_equivalence")
ANALYSES: dict[str, Analysis] = {name: _named(name) for name in NAMES}
