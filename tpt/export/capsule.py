"""A capsule: a run folder without weights, small enough to share, from which others recompute every figure.

It is a run folder in all else, so `tpt verify`, `tpt report`, `tpt trace` and `tpt rejudge` read it as they read a run.
Paths of this machine and its name are left out; files that settings name are taken along.
"""

import dataclasses
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tpt import artefacts, files, plugins, tasks
from tpt.artefacts import CAPSULE, EXAMPLES, SAMPLES, shards
from tpt.errors import RunError
from tpt.explain import in_words
from tpt.export.capsule_readme import readme
from tpt.report.report import report
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.identity import of_files
from tpt.runs.manifests import now, versions
from tpt.setting import facts_of
from tpt.settings import config
from tpt.settings.loaded import IN_CAPSULE

ARCHIVE = (".tar.gz", ".tgz")
NAMED_FILES = "files"  # the folder of what the settings name
# What is taken of a stage's folder; of tables, all that are left in it.
TAKEN = ("*.parquet", "*.json", artefacts.STEPS)
LEFT_OUT = (artefacts.every(artefacts.PROGRESS), artefacts.every(artefacts.ERROR))
TEXTS = (shards(SAMPLES), EXAMPLES)  # what models wrote, as text and as tokens


@dataclass(frozen=True)
class Capsule:
    """What was written.

    Attributes:
        path: the folder or the archive.
        files: how many are in it.
        warnings: what whoever shares it should know.
    """

    path: Path
    files: int
    warnings: list[str]


def write(run: Run, out: Path | None = None, texts: bool = True, force: bool = False) -> Capsule:
    """Write a run's capsule.

    Args:
        out: a new folder, or a file that ends in `.tar.gz`; None: the run's own place for it.
        texts: whether what models wrote goes in; without it nobody can judge again.
        force: overwrite what is there.

    Raises:
        RunError: nothing of the run is evaluated yet, or `out` is there already.
        FileError: it cannot be written.
        DiskFull: it does not fit on the disk.
    """
    out = (out or run.root / artefacts.EXPORT / "capsule" / run.name).absolute()
    if not any(table.of(stage).measures and run.done(stage) for stage in run.stages()):
        raise RunError(f"nothing of {run.name} is evaluated yet", "the same `tpt run` as before continues")
    if out.exists() and not force and not (out.is_dir() and not any(out.iterdir())):
        raise RunError(f"{out} is there already", "give another place (--out PATH), or --force to overwrite it")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of an export that was killed
    folder = partial / run.name
    try:
        with in_words(out):
            _fill(run, folder, texts)
            count = sum(path.is_file() for path in folder.rglob("*"))
            _put(out, partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Capsule(out, count, _warnings(run))


def _fill(run: Run, folder: Path, texts: bool) -> None:
    folder.mkdir(parents=True)
    public = _without_paths(run)
    left_out = [] if texts else list(TEXTS)
    for path in _taken(run, left_out):
        _copy(path, folder / path.relative_to(run.root), public)
    settings = _settings(run, folder, public)
    files.write_text(folder / artefacts.CONFIG, OmegaConf.to_yaml(OmegaConf.create(settings)))
    digests = {path.relative_to(folder).as_posix(): of_files([path]) for path in sorted(_files(folder))}
    told = {"run": run.name, "texts": texts, "left_out": ["weights", *left_out], "files": digests}
    files.write_json(folder / CAPSULE, {**told, "exported": now(), "versions": versions()})
    report([Run.open(folder)], folder / artefacts.REPORT)
    files.write_text(folder / "README.md", readme(run, texts))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _taken(run: Run, left_out: list[str]) -> Iterator[Path]:
    """The files of a run that go into its capsule, its config apart."""
    yield from (path for path in (run.head_path, run.metrics_path, run.stopped_path) if path.exists())
    for stage in run.stages():
        if not run.manifest_path(stage).exists():
            continue
        for path in sorted(path for pattern in TAKEN for path in run.folder(stage).glob(pattern)):
            if not any(path.match(pattern) for pattern in (*LEFT_OUT, *left_out)):
                yield path
        if stage.name == table.COMMAND.name:
            yield from (path for path in (run.folder(stage) / artefacts.COMMAND_OUT).rglob("*.json") if path.is_file())


def _copy(path: Path, target: Path, public: Callable[[Any], Any]) -> None:
    """Copy a file; what is JSON without what only this machine knows."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json" and path.name != artefacts.HEAD and artefacts.COMMAND_OUT not in path.parts:
        with files.reading(path):
            files.write_json(target, public(_read(path)))
    elif path.name == artefacts.BOOKS and path.parent.name != table.TRAIN.name:
        for line in files.read_jsonl(path):
            files.append_jsonl(target, public(line))
    else:
        shutil.copyfile(path, target)


def _read(path: Path) -> Any:
    import json

    return json.loads(path.read_text(encoding="utf-8"))


def _without_paths(run: Run) -> Callable[[Any], Any]:
    """Takes paths of this machine and its name out of plain JSON; of a path, its last name stays."""
    places = [str(run.root.resolve()), str(run.root)]

    def public(value: Any) -> Any:
        match value:
            case dict():
                return {key: "" if key == "host" else public(one) for key, one in value.items()}
            case list():
                return [public(one) for one in value]
            case str() if value.startswith(("/", "~", "./", "../")) and "\n" not in value:
                return Path(value).name
            case str():
                for place in places:
                    value = value.replace(place, run.name)
                return value
            case _:
                return value

    return public


def _settings(run: Run, folder: Path, public: Callable[[Any], Any]) -> dict[str, Any]:
    """The config of the capsule: files that tasks and pruning need lie in the capsule, other paths are last names."""
    settings = config.to_dict(run.config)
    commands, named = settings.pop("commands"), _Named(folder)
    found: dict[str, Any] = public(settings)
    found["run_root"] = "."
    found["task"] = _of_task(run.config.task, settings["task"], named)
    for name, one in run.config.benchmarks.items():
        found["benchmarks"][name]["task"] = _of_task(one.task, settings["benchmarks"][name]["task"], named)
    if plugins.names_function(run.config.prune.mode):
        path, function = plugins.split(run.config.prune.mode)
        found["prune"]["mode"] = f"{plugins.PYTHON}{named.take(path)}:{function}"
    for section, model in (("model", run.config.model), ("teacher", run.config.think.teacher)):
        if model and model.template_file:
            where = found["model"] if section == "model" else found["think"]["teacher"]
            where["template_file"] = named.take(Path(model.template_file).expanduser())
    return found | {"commands": commands}


class _Named:
    """Takes files that settings name into the capsule.

    Args:
        folder: of the capsule.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder / NAMED_FILES, 0

    def take(self, path: Path, only: list[Path] | None = None) -> str:
        """Copy a file, or of a folder these files; gives the path as the capsule's config has it."""
        self._count += 1
        target = self._folder / str(self._count) / path.name
        target.parent.mkdir(parents=True)
        if path.is_dir():
            for one in only or []:
                (target / one.relative_to(path)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(one, target / one.relative_to(path))
        else:
            shutil.copyfile(path, target)
        return f"{IN_CAPSULE}{target.relative_to(self._folder.parent).as_posix()}"


def _of_task(task: tasks.Task, settings: dict[str, Any], named: _Named) -> dict[str, Any]:
    """The settings of a task; the local files that they name lie in the capsule."""
    found, listed = dict(settings), task.files()
    for item in dataclasses.fields(task):
        value = getattr(task, item.name)
        if not facts_of(type(task), item.name).path or not value:
            continue
        path = Path(value).expanduser()
        if path.is_file() or path.is_dir():
            found[item.name] = named.take(path, [one for one in listed if one.is_relative_to(path)])
    return found


def _put(out: Path, partial: Path, folder: Path) -> None:
    """Put what was written where it belongs, all of it or nothing."""
    if out.name.endswith(ARCHIVE):
        with files.atomic(out) as temporary, tarfile.open(temporary, "w:gz") as archive:
            archive.add(folder, folder.name)
        return
    files.complete(folder)
    if out.exists():
        out.rename(partial / "old")
    folder.rename(out)


def _warnings(run: Run) -> list[str]:
    judge = str(getattr(run.config.task, "judge", ""))
    if judge.startswith(plugins.PYTHON):
        return [f"whoever opens the capsule needs the judge's file at its path: task.judge={judge}"]
    return []
