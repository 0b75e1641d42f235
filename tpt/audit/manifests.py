"""Whether what manifests say of settings, files and counts is so."""

from pathlib import Path
from typing import Any

from tpt import artefacts, files, models, records
from tpt.artefacts import CHECKPOINT, EXAMPLES, SAMPLES, VERDICTS, Prepared, shards
from tpt.audit.finding import Finding
from tpt.audit.recorded import Recorded, Unchecked
from tpt.audit.tools import Tools
from tpt.runs import table
from tpt.runs.identity import of_files
from tpt.runs.stage import Stage
from tpt.stages.judge import counted
from tpt.stages.think import summary

# What each kind of stage hands on, where it may have been deleted to save space.
HANDED_ON = {
    table.THINK.name: (shards(SAMPLES), "its samples are"),
    table.JUDGE.name: (shards(VERDICTS), "its verdicts are"),
    table.PRUNE.name: (EXAMPLES, "its examples are"),
    table.TRAIN.name: (f"{CHECKPOINT}/*.safetensors", "its weights are"),
}


def settings(run: Recorded, stage: Stage, found: Finding, _: Tools) -> None:
    """The settings, and the outcomes of its inputs, that a stage's results are recorded to rest on."""
    if any(run.rules_changed(one) for one in [stage, *_rests_on(run, stage, set())]):
        raise Unchecked("it was done under other rules than today's; `tpt rejudge` compares them")
    manifest = run.manifest(stage)
    now = run.fingerprint(stage)
    found.compare(
        manifest["fingerprint"] == now,
        f"its manifest names the settings {manifest['fingerprint']}, those of config.yaml are {now}",
    )
    for one in run.inputs(stage):
        recorded, made = manifest["inputs"].get(str(one)), run.made(one)
        found.compare(
            None in (recorded, made) or recorded == made, f"it was made from {one} as {recorded}, which now is {made}"
        )


def _rests_on(run: Recorded, stage: Stage, seen: set[Stage]) -> set[Stage]:
    """All that a stage was made from, each once; `seen` takes them."""
    for one in run.inputs(stage):
        if one not in seen:
            seen.add(one)
            _rests_on(run, one, seen)
    return seen


def digests(run: Recorded, stage: Stage, found: Finding, _: Tools) -> None:
    """The digest of what a stage handed on."""
    pattern, what = HANDED_ON.get(stage.name, ("", ""))
    if pattern and not any(run.folder(stage).glob(pattern)):
        raise Unchecked(f"{what} not in the folder")
    manifest = run.manifest(stage)
    now = table.of(stage).made(run.folder(stage), manifest)
    found.compare(now == manifest["made"], f"recorded {manifest['made']}, recomputed {now}")


def base_model(run: Recorded, _: Stage, found: Finding, __: Tools) -> None:
    """The digest of the base model."""
    prepared = run.results(table.PREPARED, Prepared)
    folder = Path(prepared["model_dir"])
    if not models_here(folder):
        raise Unchecked(f"the base model is not at {folder}")
    recorded, now = prepared["model"]["fingerprint"], models.fingerprint(folder)
    found.compare(recorded == now, f"recorded {recorded}, recomputed {now}")


def models_here(folder: Path) -> bool:
    """Whether a checkpoint with its weights is in a folder."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def counts(run: Recorded, stage: Stage, found: Finding, _: Tools) -> None:
    """How many samples, verdicts and examples the files hold."""
    manifest: dict[str, Any] = dict(run.manifest(stage))
    folder = run.folder(stage)
    if table.of(stage).draws:
        if not records.shards(folder, SAMPLES):
            raise Unchecked("its samples are not in the folder")
        drawn = summary(folder)
        now: dict[str, Any] = {name: drawn[name] for name in ("samples", "tokens", "cut_off")}
    elif stage.name == table.JUDGE.name:
        now = dict(counted(records.shards(folder, VERDICTS)))
    else:
        path = run.examples_path(stage.round)
        if not path.exists():
            raise Unchecked("the examples that it trained on are not in the folder")
        manifest = {"examples": manifest["examples"] + manifest["examples_left_out"]}
        now = {"examples": records.count(path)}
    found.compare_values("the manifest", manifest, now)


def books(run: Recorded) -> Finding:
    """The digests in the line that `metrics.jsonl` has of each stage."""
    found = Finding("books", artefacts.BOOKS, "lines")
    if not run.metrics_path.exists():
        found.why_not = "the file is not there"
    latest = {one["stage"]: one["made"] for one in files.read_jsonl(run.metrics_path, {"stage": str, "made": str})}
    for stage in run.stages():
        if str(stage) in latest and (made := run.made(stage)):
            line = latest[str(stage)]
            found.compare(line == made, f"{stage} has the digest {line}, its manifest {made}")
    return found


def capsule(run: Recorded) -> Finding:
    """The digest of each file of a capsule."""
    found = Finding("capsule", artefacts.CAPSULE, "files")
    listed = files.read_json(run.root / artefacts.CAPSULE, {"files": dict})["files"]
    for name, recorded in listed.items():
        path = run.root / name
        now = of_files([path]) if path.is_file() else "gone"
        found.compare(now == recorded, f"{name}: recorded {recorded}, now {now}")
    return found
