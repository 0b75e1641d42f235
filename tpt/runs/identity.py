"""What results depend on, as hashes of content.

Of a file that a config names, what is in it counts: not how its path is spelled, not when it was written, not what lies
beside it. A task, an engine or a pruning mode that does not come with the package counts with its source.
"""

import dataclasses
import functools
import hashlib
import inspect
import json
import math
import operator
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tpt import artefacts, plugins, records, tasks
from tpt.errors import ConfigError, RunError
from tpt.records import Problem
from tpt.runs.stage import Stage, StageSpec
from tpt.setting import facts_of
from tpt.settings import config
from tpt.settings.benchmarks import Benchmark
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import BUILT_IN
from tpt.tasks.tables import SUFFIXES

# Raised when the meaning of a file in the run folder changes, or what the package's own tasks and judges do.
FORMAT = 6

Contents = dict[str, str]  # hashes of what a config names on this machine, by the keys of `NAMED`

# What is read of a checkpoint besides its config and its weights.
COMPANIONS = (
    *("generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt"),
    *("*.model", "*.tiktoken", "tekken.json", "chat_template*", "*.jinja", "additional_chat_templates/*.jinja"),
    "*.safetensors.index.json",
)


def digest(value: Any) -> str:
    """A hash of a value of plain JSON.

    Raises:
        TypeError: the value is not plain; its text could differ from process to process.
    """
    _check_plain(value)
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _check_plain(value: Any, where: str = "the value") -> None:
    match value:
        case None | str() | bool() | int():
            return
        case float() if math.isfinite(value):
            return
        case list():
            for number, one in enumerate(value):
                _check_plain(one, f"{where}[{number}]")
        case dict() if all(type(key) is str for key in value):
            for key, one in value.items():
                _check_plain(one, f"{where}.{key}")
        case _:
            raise TypeError(f"{where} is {value!r}, which has no stable text: a hash of it would mean nothing")


def contents(settings: Config) -> Contents:
    """Hashes of what a config names on this machine, as it is now.

    Raises:
        ConfigError: the source of a task that does not come with the package, or a chat template, cannot be found.
    """
    found = {key: hashed_of(settings) for key, hashed_of in NAMED.items()}
    return {key: hashed for key, hashed in found.items() if hashed}


def check(settings: Config, recorded: Contents, keys: Sequence[str]) -> None:
    """Check that what a config names is what it named when its run was made.

    Raises:
        RunError: it has changed.
    """
    for key in keys:
        now = NAMED[key](settings)
        if now and now != recorded.get(key):
            raise RunError(
                f"what {key} stands for has changed since this run was made",
                "undo the change, or give the command again: with other content it is another run, in its own folder",
            )


def settings_of(settings: Config, named: Contents) -> dict[str, Any]:
    """The settings that results depend on, as plain nested dicts, with hashes in the place of the paths they name."""
    found = config.to_dict(settings, runtime=False)
    if "task.files" in named:
        _drop_local(found["task"], settings.task)
    if settings.prune.decontaminate != "none" and settings.chosen_benchmarks:  # what is trained on depends on them
        found["benchmarks"] = benchmarks(settings)
    for key, hashed in named.items():
        *sections, name = key.split(".")
        functools.reduce(operator.getitem, sections, found)[name] = hashed
    return found


def benchmarks(settings: Config) -> dict[str, dict[str, Any]]:
    """What the figures of each benchmark that is evaluated depend on, by name."""
    return {name: of_benchmark(settings.benchmarks[name]) for name in settings.chosen_benchmarks}


def commands(settings: Config) -> dict[str, dict[str, Any]]:
    """What the figures of each command depend on, by name."""
    return {name: config.to_dict(settings.commands[name], runtime=False) for name in settings.chosen_commands}


def of_benchmark(benchmark: Benchmark) -> dict[str, Any]:
    """All that the figures of a benchmark depend on beside the model, as plain JSON."""
    task = config.to_dict(benchmark.task, runtime=False)
    files, code = benchmark.task.files(), _of_code(type(benchmark.task))
    if files:
        _drop_local(task, benchmark.task)
    named = {"files": of_files(files) if files else "", "code": code}
    return {"task": task, "evaluate": config.to_dict(benchmark.evaluate, runtime=False), **named}


def _drop_local(found: dict[str, Any], task: tasks.Task) -> None:
    """Leave out where the files of a task are on this machine."""
    for item in dataclasses.fields(task):
        if item.name in found and facts_of(type(task), item.name).path and _is_local(found[item.name]):
            del found[item.name]


def _is_local(path: str | None) -> bool:
    """Whether a task's path is on this machine, and not the id of a data set on the hub."""
    # One that was here when the run was made may have moved since, or the folder be a copy from another machine.
    return not path or path.startswith(("/", ".", "~")) or path.endswith(SUFFIXES) or Path(path).exists()


def fingerprint(settings: Config, named: Contents) -> str:
    """A hash of every setting that results depend on; the number of rounds is not one of them."""
    return digest({"config": settings_of(settings, named), "format": FORMAT})


def seed_of(spec: StageSpec, stage: Stage, settings: Config) -> int:
    """The run's seed, or 0 for what runs share that differ only in their seed (`seeds_share`)."""
    baseline = stage.round == 0
    samples = stage.round == 1 and spec.draws is not None and not spec.measures
    shared = {"nothing": False, "baseline": baseline, "samples": baseline or samples}[settings.seeds_share]
    return 0 if shared else settings.seed


def of_stage(spec: StageSpec, stage: Stage, settings: Config, named: Contents, inputs: Sequence[str]) -> str:
    """What the results of a stage depend on, as a hash: its settings, its round's seed, its inputs.

    Args:
        named: `contents` of these settings.
        inputs: the fingerprints of its inputs.
    """
    chosen = settings_of(settings, named)
    found: dict[str, Any] = {name: chosen[name] for name in spec.sections} | spec.facts(settings, stage)
    found |= {"stage": stage.name, "format": FORMAT, "inputs": list(inputs)}
    if spec.seeded:
        # The base model's evaluation and a round's work differ by seed; a round's number is part of the seed.
        found |= {"seed": seed_of(spec, stage, settings), "round": stage.round}
    if stage.which:
        found["which"] = stage.which
    version = spec.version(settings, stage)
    if version > 1:
        found["version"] = version
    return digest(found)


def of_files(paths: Sequence[Path]) -> str:
    """A hash of what is in some files, in this order; of several, their names count too."""
    return digest([[path.name if len(paths) > 1 else "", _of_file(path)] for path in paths if path.is_file()])


def of_checkpoint(folder: Path) -> str:
    """A hash of a checkpoint: its config, samples of its weights, and all of its tokenizer, template and end tokens."""
    companions = sorted({path for pattern in COMPANIONS for path in folder.glob(pattern) if path.is_file()})
    named = [[path.relative_to(folder).as_posix(), _of_file(path)] for path in companions]
    from tpt import models  # here: slow to import, and `tpt status` needs no hash of a model

    return digest([models.fingerprint(folder) if (folder / "config.json").is_file() else "", named])


def _of_data(settings: Config) -> str:
    found = settings.task.files()
    return of_files(found) if found else ""


def _of_file(path: Path) -> str:
    stat = path.stat()
    return _hashed(path.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ino)


@functools.lru_cache(maxsize=4096)
def _hashed(path: Path, *_: int) -> str:
    """A hash of a file; its size and time of change say when it has to be read again."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def of_problems(path: Path) -> str:
    """A hash of the problems in a file, however they are stored; of a missing file as of an empty one."""
    found = hashlib.sha256()
    if path.exists():
        for problem in records.read(path, Problem):
            found.update(repr(problem).encode())
    return found.hexdigest()


def _of_model(model: ModelConfig | None) -> str:
    """Of a model that is a local folder; else ""."""
    if model is None or model.source != "hub" or not model.path:
        return ""
    folder = Path(model.path).expanduser()
    return of_checkpoint(folder) if folder.is_dir() else ""


def _of_template(model: ModelConfig | None) -> str:
    """Of a chat template of the user's own; else ""."""
    if model is None or not model.template_file:
        return ""
    path = Path(model.template_file).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"model.template_file={model.template_file}: there is no such file", "name a chat template, a Jinja file"
        )
    return of_files([path])


def _of_examples(run: str | None) -> str:
    """Of another run's examples and the problems they belong to; "" where there are none yet."""
    root = Path(run).expanduser() if run else None
    found = sorted(root.glob(f"round-*/*/{artefacts.EXAMPLES}")) if root else []
    problems = sorted(root.glob(f"round-*/*/{artefacts.problems('train')}")) if root else []
    return digest([of_files([path]) for path in [*found, *problems]]) if found else ""


def _of_code(kind: type) -> str:
    """Of the source files of a task's classes, those left out that come with the package; "" where all do."""
    sources = []
    for one in kind.__mro__:
        package, _, module = one.__module__.rpartition(".")
        ours = package == tasks.__name__ and module in tasks.SHIPPED
        if not ours and one.__module__.partition(".")[0] not in sys.stdlib_module_names:
            sources.append(_source(one))
    return digest([_of_file(path) for path in sources]) if sources else ""


def _source(kind: type) -> Path:
    try:
        found = inspect.getsourcefile(kind)
    except (OSError, TypeError):
        found = None
    if not found:
        raise ConfigError(
            f"the source of the task's class {kind.__qualname__} cannot be found, and results depend on it",
            "define it in a file of its own",
        )
    return Path(found)


def _of_engine(name: str) -> str:
    """Of an engine that an installed package adds: its name, and the module that its entry point names; else ""."""
    if name in BUILT_IN:
        return ""
    path = plugins.source(plugins.ENGINES, name) if name in plugins.names(plugins.ENGINES) else None
    if path is None:
        raise ConfigError(
            f"the source of the engine {name} cannot be found, and results depend on it",
            "install its package in this environment too, with its Python files",
        )
    return digest([name, _of_file(path)])


def _of_mode(mode: str) -> str:
    """Of a pruning mode of the user's own: its name, and the file it is in; else ""."""
    if not plugins.names_function(mode):
        return ""
    path, name = plugins.split(mode)
    if not path.is_file():
        raise ConfigError(f"prune.mode: there is no Python file {path}", "prune.mode=python:FILE:FUNCTION")
    return digest([name, _of_file(path)])


# For each thing outside the config that results depend on, its hash; "" if there is none.
NAMED: dict[str, Callable[[Config], str]] = {
    "task.files": _of_data,
    "task.code": lambda settings: _of_code(type(settings.task)),
    "model.path": lambda settings: _of_model(settings.model),
    "think.teacher.path": lambda settings: _of_model(settings.think.teacher),
    "model.template_file": lambda settings: _of_template(settings.model),
    "think.teacher.template_file": lambda settings: _of_template(settings.think.teacher),
    "sampler.engine": lambda settings: _of_engine(settings.sampler.engine),
    "prune.mode": lambda settings: _of_mode(settings.prune.mode),
    "prune.from_run": lambda settings: _of_examples(settings.prune.from_run),
}
