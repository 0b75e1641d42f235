"""Analyses of one run: what training does to diversity, where errors lie, what a gain is made of,
what the gradients are.

Each compares the base model (round 0) with the rounds after it, from the run folder alone.
"""

import inspect
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tpt.errors import ConfigError

if TYPE_CHECKING:
    from tpt.analysis.outcome import Outcome
    from tpt.runs.folder import Run
    from tpt.terminal import PlainConsole


class Analysis(Protocol):
    """An analysis of one run."""

    def __call__(
        self, run: "Run", out: Path, seed: int, given: Sequence[str] = (), console: "PlainConsole | None" = None
    ) -> "Outcome":
        """Analyse a run, and write figures and NAME.json to a folder.

        Args:
            out: the folder.
            given: settings of the analysis that differ from its defaults, as `KEY=VALUE`.
            console: for progress and warnings; None: standard error.

        Returns:
            what was found.
        """
        ...


def _named(name: str) -> Analysis:
    def analyse(
        run: "Run", out: Path, seed: int, given: Sequence[str] = (), console: "PlainConsole | None" = None
    ) -> "Outcome":
        # Imported only now: these would slow down `tpt --help`; torch, matplotlib and sacrebleu, every command.
        from tpt import files
        from tpt.analysis.outcome import Outcome
        from tpt.terminal import PlainConsole

        for kind in ("md", "json", "png"):
            files.check_writable(out / f"{name}.{kind}")
        out.mkdir(parents=True, exist_ok=True)
        module = import_module(f"tpt.analysis.{name}")
        takes = inspect.signature(module.analyse).parameters
        if given and "given" not in takes:
            raise ConfigError(f"{name} has no settings, and {given[0]} was given", "leave it out")
        more = {"given": given, "console": console or PlainConsole(stderr=True)}
        found = module.analyse(run, out, seed, **{key: value for key, value in more.items() if key in takes})
        assert isinstance(found, Outcome)
        return found

    return analyse


NAMES = ("diversity", "error_locality", "gain", "gradient_equivalence", "mixing")
ANALYSES: dict[str, Analysis] = {name: _named(name) for name in NAMES}
