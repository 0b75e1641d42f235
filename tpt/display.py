"""What a person sees while a run goes on: a live line for the stage at work, a lasting line for each that is done."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from tpt.progress import State
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.terminal import Terminal

STAGE_WIDTH = 18


class Display(AbstractContextManager["Display"]):
    """Shows one run's stages on standard error; where the terminal is verbose, what their processes log as well."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal, self.console = terminal, terminal.progress
        self._log: Log | None = None
        ascii_only = self.console.options.ascii_only
        self._progress = Progress(
            SpinnerColumn("line" if ascii_only else "dots"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._print_log(whole=True)
        self._progress.stop()

    def begin(self, run: Run, stage: Stage) -> None:
        """A stage starts."""
        self._log = Log(run, stage) if self.terminal.verbose else None
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._task = self._progress.add_task(f"{stage} starting", total=None, rate="")
        self._stage = stage
        if not self.console.is_terminal:
            self.console.print(f"{stage} ...")

    def watch(self, states: list[State]) -> None:
        """What the stage's processes said of themselves, summed."""
        self._print_log()
        if not states:
            return
        rate = sum(state["rate"] for state in states)
        words = f"{rate:,.0f} {states[0]['rate_unit']}" if rate else ""
        self._progress.update(
            self._task,
            description=f"{self._stage} {states[0]['unit']}",
            completed=sum(state["done"] for state in states),
            total=sum(state["total"] for state in states),
            rate=words,
        )

    def end(self, run: Run, stage: Stage) -> None:
        """A stage is done."""
        self._print_log(whole=True)
        manifest = run.manifest(stage)
        took = f"{manifest['seconds']:>7.1f} s"
        self._print_line("done", "green", stage, f"{took}  {table.of(stage).outcome(manifest)}")
        for warning in manifest.get("warnings", []):
            self.terminal.warn(warning)

    def adopted(self, stage: Stage, origin: Path) -> None:
        """A stage was taken over from another run."""
        self._print_line("have", "cyan", stage, f"{'':9}  from {origin.parent.parent.name}, same settings")

    def _print_line(self, word: str, style: str, stage: Stage, text: str) -> None:
        self.console.print(Text.assemble((word, style), f" {stage!s:<{STAGE_WIDTH}} {text}"))

    def _print_log(self, whole: bool = False) -> None:
        for line in self._log.lines(whole) if self._log else ():
            self.console.print(Text(line, style="dim"))


class Log:
    """What a stage's processes print from now on, as their log files take it.

    Args:
        stage: whose processes have not started yet: what earlier attempts printed is left out.
    """

    def __init__(self, run: Run, stage: Stage) -> None:
        self._folder = run.log_path(stage).parent
        self._names = f"{run.log_path(stage, '*').stem}/attempt-*.log"
        self._read = {path: path.stat().st_size for path in self._folder.glob(self._names)}

    def lines(self, whole: bool = False) -> Iterator[str]:
        """The lines that have come since the last call.

        Args:
            whole: whether a line counts whose end has not come.
        """
        for path in sorted(self._folder.glob(self._names)):
            with path.open("rb") as handle:
                handle.seek(self._read.get(path, 0))
                found = handle.read()
            end = len(found) if whole else found.rfind(b"\n") + 1
            self._read[path] = self._read.get(path, 0) + end
            yield from found[:end].decode(errors="replace").splitlines()
