"""What carries out a run's stages: the interface that each backend implements, and the list of backends.

A further backend is a class in a file of its own, a line in `BACKENDS`, and a file in conf/cluster/.
"""

import math
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tpt import models
from tpt.cluster import wrap
from tpt.errors import ConfigError, DataError, nearest
from tpt.launch.local import Watch
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.benchmarks import naming
from tpt.settings.config import Config
from tpt.stages import command
from tpt.stages.prepare import check_disk
from tpt.terminal import Terminal

# By `cluster.name`; a module is imported only if its backend is chosen.
BACKENDS = {
    "local": "tpt.cluster.here:Local",
    "slurm": "tpt.cluster.on_slurm:Slurm",
    "submitit_local": "tpt.cluster.executor:SubmititLocal",
    "submitit_debug": "tpt.cluster.executor:SubmititDebug",
}


class Backend(ABC):
    """What every backend has.

    Attributes:
        has_several_nodes: whether a training can span several nodes.
    """

    has_several_nodes: ClassVar[bool]

    def check(self, run: Run) -> None:
        """Check what can be checked within seconds before any stage of a run is started or submitted.

        Raises:
            ModelError, DataError: the model or the problems are not available.
            DiskFull: the disk has no room for what the run still owes.
        """
        model = run.base_model() if run.done(table.PREPARED) else self.look(run)
        if model and run.owed():
            check_disk(run, model)

    @abstractmethod
    def look(self, run: Run) -> Path | None:
        """Look at what the prepare stage of a run, which has not been done, is going to need.

        Returns:
            the base model's folder, if it is to be checked and on this machine.
        Raises:
            ModelError, DataError: the model or the problems are not available.
        """


class Here(Backend):
    """A backend that carries out stages one after another while the command waits."""

    has_several_nodes = False

    def check(self, run: Run) -> None:
        """As every backend, and that there are the programs that measure the models of the rounds.

        Raises:
            CommandError: one is not on this machine.
        """
        owed = {stage.which for stage in run.stages() if stage.name == table.COMMAND.name and not run.done(stage)}
        for name in sorted(owed):
            command.check_program(f"commands.{name}", run.config.commands[name])
        super().check(run)

    def look(self, run: Run) -> Path | None:
        """Nothing: the prepare stage comes next, and looks itself."""
        return None

    @abstractmethod
    def execute(self, run: Run, stage: Stage, watch: Watch) -> None:
        """Do one stage and leave its manifest.

        Args:
            watch: to be called a few times a second with the progress of each worker, if it is known.

        Raises:
            StageFailed: with the stage's own message.
        """


class Submits(Backend):
    """A backend that is given all jobs of some runs at once, and then no longer needs this shell."""

    has_several_nodes = True

    def look(self, run: Run) -> Path | None:
        """The models and the problems: the prepare job may wait for hours before it can look itself."""
        folder = models.look(run.config.model)
        if run.config.think.teacher:
            models.look(run.config.think.teacher)
        for split in run.config.task.sets:
            if next(iter(run.config.task.load(split)), None) is None:
                raise DataError(f"the task {run.config.task.name} has no {split} problems", "see task.* and its files")
        for name in run.config.chosen_benchmarks:
            with naming(f"benchmarks.{name}"):
                if next(iter(run.config.benchmarks[name].task.load(table.TEST)), None) is None:
                    raise DataError(f"the benchmark {name} has no test problems", "see task.* and its files")
        return folder

    @abstractmethod
    def submit(self, settings: Sequence[Config], points: Sequence[list[str]] | None, console: Terminal) -> int:
        """Check and submit every job that is owed, and print the plan.

        Args:
            points: the overrides of each config, if they are a sweep.

        Returns:
            the exit code.
        Raises:
            TptError: a check failed and nothing was submitted, or a job was rejected.
        """

    @abstractmethod
    def dry_run(self, settings: Sequence[Config], console: Terminal) -> int:
        """Print what would be submitted; returns the exit code."""


def check(config: Config) -> None:
    """Check that the backend of a config exists and can run its training.

    Raises:
        ConfigError: there is no backend of that name, or it has one node and `train.nodes` is larger; or
            `cluster.wrap` or `cluster.python` is wrong, or the backend submits no jobs that it could concern; or a job
            would end before the command in it.
    """
    name, nodes = config.cluster.name, config.train.nodes
    if name not in BACKENDS:
        raise ConfigError(f"cluster.name={name} is not known", nearest(name, BACKENDS))
    if nodes > 1 and not _kind(name).has_several_nodes:
        able = " or ".join(f"cluster={one}" for one in BACKENDS if _kind(one).has_several_nodes)
        raise ConfigError(
            f"train.nodes={nodes} is not possible with cluster={name}, which has one machine",
            f"set {able}, or train.nodes=1 train.devices=N",
        )
    given = [one for one in ("wrap", "python") if getattr(config.cluster, one) is not None]
    if given and not issubclass(_kind(name), Submits):
        raise ConfigError(
            f"cluster.{given[0]} is for submitted jobs, and cluster={name} submits none",
            "start `tpt run` itself in the container, or set cluster=slurm",
        )
    wrap.check(config.cluster)
    if issubclass(_kind(name), Submits):
        _check_minutes(config)


def _check_minutes(config: Config) -> None:
    """Check that no job ends before the command in it: the next job would start the command from its beginning.

    Raises:
        ConfigError: one would.
    """
    key, kept = f"cluster.{table.COMMAND.resources}.minutes", config.cluster.signal_seconds / 60
    limit: int = getattr(config.cluster, table.COMMAND.resources).minutes
    for name in config.chosen_commands:
        minutes = config.commands[name].minutes
        if minutes + kept > limit:
            less = f", or commands.{name}.minutes={limit - kept:g} or less" if limit > kept else ""
            raise ConfigError(
                f"commands.{name}.minutes={minutes:g} is too long for a job with {key}={limit}, which stops {kept:g} "
                "minutes before its time limit: the command would start again from its beginning",
                f"set {key}={math.ceil(minutes + kept)} or more{less}",
            )


def of(config: Config) -> Here | Submits:
    """The backend of a config.

    Raises:
        ConfigError: see `check`.
    """
    check(config)
    return _kind(config.cluster.name)()


def _kind(name: str) -> type[Here] | type[Submits]:
    found: type[Here] | type[Submits] = pkgutil.resolve_name(BACKENDS[name])
    return found


def common(settings: Sequence[Config]) -> Submits | None:
    """The backend that some configs are submitted to together; None: they are carried out here, one after another.

    Raises:
        ConfigError: only some of them are to be submitted, or not all to the same backend; or see `check`.
    """
    backends = {type(one): one for one in map(of, settings)}
    submitting = [one for one in backends.values() if isinstance(one, Submits)]
    if submitting and len(backends) > 1:
        raise ConfigError("a sweep is either submitted to one cluster or runs here", "give cluster= one value")
    return submitting[0] if submitting else None


def here(config: Config) -> Here:
    """The backend that carries out a config's stages while the command waits.

    Raises:
        ConfigError: its jobs have to be submitted.
    """
    backend = of(config)
    if not isinstance(backend, Here):
        raise ConfigError(f"cluster={config.cluster.name} submits its jobs", "set cluster=local to run here")
    return backend
