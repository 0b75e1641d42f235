"""`metrics.jsonl`: a line for each finished stage, which trackers mirror."""

from collections.abc import Iterator
from typing import Any

from tpt import files
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

LEFT_OUT = ("config", "versions", "version", "engines", "model", "inputs")  # the manifest has them


def record(run: Run, stage: Stage) -> dict[str, Any]:
    """A finished stage's line, appended unless it is there; of several the last counts."""
    manifest = run.manifest(stage)
    line = {name: value for name, value in manifest.items() if name not in LEFT_OUT}
    latest = {one["stage"]: one["made"] for one in files.read_jsonl(run.metrics_path, {"stage": str, "made": str})}
    if latest.get(str(stage)) != line["made"]:
        files.append_jsonl(run.metrics_path, line)
    return line


def history(run: Run) -> Iterator[tuple[Stage, dict[str, Any]]]:
    """The lines in the order of Algorithm 1, of several of one stage the last."""
    latest = {Stage.parse(line["stage"]): line for line in files.read_jsonl(run.metrics_path)}
    rounds = max((stage.round for stage in latest), default=0)
    named = [
        list(dict.fromkeys(stage.which for stage in sorted(latest) if stage.which and stage.name == spec.name))
        for spec in (table.EVALUATE, table.BENCHMARK, table.COMMAND)
    ]
    return ((stage, latest[stage]) for stage in table.think_prune_train(rounds, *named) if stage in latest)
