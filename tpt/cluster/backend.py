"""What carries out a run's stages: the interface that each backend fills, and the list of them.

A further backend is a class in a file of its own, a line in `BACKENDS`, and a file in conf/cluster/.
"""

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Sequence

from tpt.errors import ConfigError, nearest
from tpt.launch.local import Watch
from tpt.run.folder import Run
from tpt.run.stage import Stage
from tpt.settings.config import Config
from tpt.terminal import Terminal

# By `cluster.name`; a module is imported only where its backend is chosen.
BACKENDS = {
    "local": "tpt.cluster.here:Local",
    "slurm": "tpt.cluster.on_slurm:Slurm",
    "submitit_local": "tpt.cluster.executor:SubmititLocal",
    "submitit_debug": "tpt.cluster.executor:SubmititDebug",
}


class Here(ABC):
    """A backend that carries out stages one after another while the command waits."""

    @abstractmethod
    def execute(self, run: Run, stage: Stage, watch: Watch) -> None:
        """Do one stage and leave its manifest.

        Args:
            watch: to be called a few times a second with the progress of each worker, if it is known.

        Raises:
            StageFailed: with the stage's own message.
        """


class Submits(ABC):
    """A backend that is given all jobs of some runs at once, and needs this shell no longer."""

    @abstractmethod
    def submit(self, settings: Sequence[Config], points: Sequence[list[str]] | None, console: Terminal) -> int:
        """Check and submit every job that is owed, and print the plan.

        Args:
            points: the overrides of each config, if they are a sweep.

        Returns:
            the exit code.
        Raises:
            TptError: a check failed and nothing was submitted, or a job was refused.
        """

    @abstractmethod
    def dry_run(self, settings: Sequence[Config], console: Terminal) -> int:
        """Print what would be submitted; returns the exit code."""


def check(config: Config) -> None:
    """Check that the backend of a config exists.

    Raises:
        ConfigError: there is none of that name.
    """
    name = config.cluster.name
    if name not in BACKENDS:
        raise ConfigError(f"cluster.name={name} is not known", nearest(name, BACKENDS))


def of(config: Config) -> Here | Submits:
    """The backend of a config.

    Raises:
        ConfigError: there is none of that name.
    """
    check(config)
    backend: Here | Submits = pkgutil.resolve_name(BACKENDS[config.cluster.name])()
    return backend


def common(settings: Sequence[Config]) -> Submits | None:
    """The backend that some configs are submitted to together; None: they are carried out here, one after another.

    Raises:
        ConfigError: only some of them are to be submitted, or not all to the same backend; or a name is unknown.
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
