"""What a person sees while a run goes on: a live line for the stage at work, a lasting line for each that is done."""

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tpt.loop import Stage
from tpt.run import Run


class Display(AbstractContextManager["Display"]):
    """Shows one run's stages on a console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, stage: Stage) -> None:
        """A stage starts."""
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._task = self._progress.add_task(f"{stage} starting", total=None, rate="")
        self._stage = stage
        if not self.console.is_terminal:
            self.console.print(f"{stage} ...", highlight=False)

    def watch(self, states: list[dict[str, Any]]) -> None:
        """What the stage's processes said of themselves, summed."""
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
        manifest = run.manifest(stage)
        self.console.print(f"[green]done[/] {stage!s:<18} {manifest['seconds']:>7.1f} s  {outcome(stage, manifest)}")
        for warning in manifest.get("warnings", []):
            self.console.print(f"[yellow]warning[/] {warning}")

    def adopted(self, stage: Stage, origin: Path) -> None:
        """A stage was taken over from another run."""
        self.console.print(f"[cyan]have[/] {stage!s:<18}            from {origin.parent.parent.name}, same settings")


def outcome(stage: Stage, manifest: dict[str, Any]) -> str:
    """A finished stage's result in a few words."""
    match stage.name:
        case "prepare":
            return f"{manifest['train']} training and {manifest['test']} test problems"
        case "think":
            return f"{manifest['samples']:,} samples, {manifest['tokens_per_second']:,.0f} tokens/s"
        case "prune":
            dropped = manifest.get("decontaminated")
            overlap = f"; dropped {dropped:,} problems that overlap the test split" if dropped else ""
            return f"kept {manifest['kept']:,} of {manifest['available']:,} samples{overlap}"
        case "train":
            share = manifest.get("adapted_share")
            adapters = f"; adapters on {100 * share:.0f} % of the weights" if share is not None else ""
            loss = f"loss {manifest['first_loss']:.3f} -> {manifest['final_loss']:.3f}"
            return f"{manifest['steps']} steps, {loss}{adapters}"
        case _:
            strict = manifest["metrics"]["strict"]["pass@k"]
            return ", ".join(f"pass@{k} {100 * value['value']:.1f} %" for k, value in strict.items())
