"""The run folder: which run it is, what it owes, and who holds it."""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self, cast

from omegaconf import OmegaConf

from tpt import __version__, artefacts, files, locks
from tpt.artefacts import Head, Metrics, Prepared
from tpt.errors import RunError, TptError
from tpt.evaluate.stop import Stop
from tpt.explain import in_words, may_write, refused
from tpt.nested import flatten
from tpt.runs import identity, rounds, table
from tpt.runs.identity import FORMAT
from tpt.runs.manifests import Manifests, now
from tpt.runs.stage import Stage
from tpt.settings import config, loaded
from tpt.settings.config import Config

logger = logging.getLogger(__name__)

LONGEST_BELOW = 200  # bytes of the longest path below a run folder
# What is written to again by whoever goes on with a run.
WRITTEN = (
    *(".*lock", artefacts.BOOKS, f"{artefacts.LOGS}/**/", "round-*/**/"),
    *(artefacts.SLURM, f"{artefacts.SLURM}/{artefacts.JOBS}"),
)

HEAD: files.Needs = {"fingerprint": str, "contents": dict}
NEW_HEAD = "the same `tpt run` as before writes it again, and finds everything that is done"


class Run(Manifests):
    """One run: its folder and its config."""

    @classmethod
    def of(cls, settings: Config) -> "Run":
        """The run of a config, whether or not its folder is there."""
        contents = identity.contents(settings)
        fingerprint = identity.fingerprint(settings, contents)
        name = f"{settings.model.name}-{settings.task.called}-{settings.prune.mode_name}-{fingerprint[:8]}"
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
        if run.head_path.exists() and run.config_path.exists():
            before = cls.open(run.root)
            before._check_measured(settings)
            kept = config.with_rounds_of(settings, before.config)
        elif run.head_path.exists():  # its config was removed because it was torn
            _head(run.root)
        else:
            fingerprint = identity.fingerprint(settings, run.contents)
            head: Head = {
                "format": FORMAT,
                "fingerprint": fingerprint,
                "contents": run.contents,
                "tpt": __version__,
                "created": now(),
            }
            files.write_json(run.head_path, head)
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
        if not may_write(self.shared_dir):
            logger.warning("%s; other runs will not find what %s does", refused(self.shared_dir).message, self.name)

    def _check_measured(self, settings: Config) -> None:
        """Check that what this run has measured by some name is what that name stands for now.

        Raises:
            RunError: a benchmark or command has other settings than its figures were measured with.
        """
        for kind, of in (("benchmarks", identity.benchmarks), ("commands", identity.commands)):
            asked, measured = of(settings), of(self.config)
            for name in asked.keys() & measured.keys():
                new, old = dict(flatten(asked[name])), dict(flatten(measured[name]))
                changed = [
                    f"{key}={old.get(key)}, now {new.get(key)}" for key in old | new if old.get(key) != new.get(key)
                ]
                if changed and any(self.done(one) for one in self.stages() if one.which == name):
                    raise RunError(
                        f"{kind}.{name} has been measured in this run with other settings: {'; '.join(changed[:3])}",
                        f"give it another name; or remove round-*/*-{name} in {self.root}, and it is measured again",
                    )

    @classmethod
    def open(cls, root: Path) -> Self:
        """An existing run folder.

        Raises:
            RunError: no run folder, or one of another version, or one whose config was edited by hand.
            Damaged: what says which run it is cannot be read.
        """
        if not (root / artefacts.HEAD).exists():
            raise RunError(f"{root} is not a run folder", "`tpt status` lists the run folders under run_root")
        recorded = _head(root)
        run = cls(root, loaded.load(root / artefacts.CONFIG, recorded.get("tpt", "")), recorded["contents"])
        if recorded["fingerprint"] != identity.fingerprint(run.config, run.contents):
            raise RunError(
                f"{root} holds results of another config than its config.yaml says",
                "undo the change to config.yaml, or give another run_root=",
            )
        return run

    def joined(self, other: "Run") -> "Run":
        """This run with the rounds that another point of a sweep, of the same run folder, also requests."""
        return Run(self.root, config.with_rounds_of(self.config, other.config), self.contents)

    def base_model(self) -> Path:
        """The checkpoint the run starts from, as the prepare stage found it."""
        found = Path(self.results(table.PREPARED, Prepared)["model_dir"])
        if not found.is_dir():
            raise RunError(
                f"the base model is no longer at {found}",
                f"remove {self.manifest_path(table.PREPARED)} and give the same command again: it looks for the model",
            )
        return found

    def model(self, round: int) -> Path:
        """The checkpoint after `round` rounds; 0 is the base model."""
        return self.trained_model(round) if round else self.base_model()

    def stopped(self) -> Stop | None:
        """Where and why `rounds=auto` stops; None: that is not known yet, or the number of rounds is fixed."""
        return rounds.stopped(self)

    @property
    def rounds(self) -> int:
        """How many rounds the run has, as far as its evaluations tell: at most `config.rounds`."""
        end = self.stopped()
        return max(end.after, self.config.stop.least) if end else self.config.rounds

    def stages(self) -> list[Stage]:
        """Every stage of the run, in the order of Algorithm 1."""
        return table.stages_of(self.config, self.rounds)

    def owed(self) -> list[Stage]:
        """The stages to do: those that are not done, and those made from one of them.

        The latter turn out to be done if what they are made from comes out as before.
        """
        found: list[Stage] = []
        known: dict[Stage, bool] = {}
        for stage in self.stages():
            if not self.is_done(stage, known) or any(one in found for one in self.inputs(stage)):
                found.append(stage)
        return found

    def written(self, stage: Stage) -> int | None:
        """When a finished stage was written, in nanoseconds; None: it is not done."""
        return self.manifest_path(stage).stat().st_mtime_ns if self.done(stage) else None

    def figures(self, stage: Stage) -> Metrics:
        """All figures of a finished evaluation, see `evaluate.store.load`.

        Raises:
            RunError: they are gone.
        """
        from tpt.evaluate import store  # slow to import, and most commands read no figures

        return store.load(self.folder(stage))

    def evaluation(self, round: int) -> Metrics:
        """The figures of a finished main evaluation, as `figures`."""
        return self.figures(table.evaluation(round))

    @contextmanager
    def hold(self, stage: Stage | None = None) -> Iterator[None]:
        """Wait until no other process takes over this stage (None: writes what is common to the run), then hold it."""
        with locks.locked(self.lock_path(stage.slug if stage else "books")):
            yield

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run folder; the operating system frees it when the process dies, however it dies.

        Raises:
            RunError: another process holds it.
            FileError: it cannot be locked.
        """
        holder = self.root / artefacts.HOLDER
        with ExitStack() as held:
            try:
                held.enter_context(locks.locked(self.lock_path(""), wait=False))
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
            f"behind: if you are sure that process is gone, {remove}",
        )
    if not _is_alive(who.get("pid")):
        return RunError(
            f"{message}, and there is no such process on this host",
            f"if no other `tpt` is using this folder, in a container or on another host of this name, {remove}",
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
    found = [one for one in run_root.iterdir() if os.path.lexists(one / artefacts.HEAD)]
    return sorted(found, key=lambda path: path.stat().st_ctime)


def _head(root: Path) -> Head:
    """What `run.json` says.

    Raises:
        RunError: the folder is of another format version.
        Damaged: the file cannot be read.
    """
    path = root / artefacts.HEAD
    recorded = files.read_json(path, {"format": int}, NEW_HEAD)
    if recorded["format"] != FORMAT:
        raise RunError(
            f"{root} was written by tpt {recorded.get('tpt')} (format {recorded['format']}); "
            f"this is tpt {__version__} (format {FORMAT})",
            f"read it with tpt {recorded.get('tpt')}; to go on with this one, give the same settings to `tpt run` "
            "again: it starts a new folder beside it",
        )
    return cast(Head, files.read_json(path, HEAD, NEW_HEAD))
