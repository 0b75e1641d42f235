"""Trackers: mirrors of a run's `metrics.jsonl` and of its report.

A run is complete without its tracker, so whatever goes wrong in one is said once and stops nothing.

A tracker is a class derived from `Tracker`. One of this package is a module here that names its class `TRACKER`, and is
chosen by the module's name (`tracker.name=wandb`); one of another package is chosen by the name of its entry point in
`tpt.trackers`, or as `module:Class`.
"""

import logging
import pkgutil
from importlib import import_module
from typing import Any

from tpt import plugins
from tpt.errors import ConfigError, nearest, said
from tpt.runs.folder import Run
from tpt.settings.tracker import TrackerConfig
from tpt.tracking.base import Busy, Tracker

__all__ = ["Busy", "Tracker", "check", "find", "make", "names"]

HELPERS = ("base", "figures", "traces")  # the modules of this package that are no trackers

logger = logging.getLogger(__name__)


def names() -> list[str]:
    """The trackers of this package."""
    return sorted(one.name for one in pkgutil.iter_modules(__path__) if one.name not in HELPERS)


def find(name: str) -> type[Tracker]:
    """The class of a tracker.

    Args:
        name: a module of this package, e.g. `wandb`, the name of an entry point in `tpt.trackers`, or `module:Class`.

    Raises:
        ConfigError: it cannot be imported, or is not a tracker.
    """
    module, _, attribute = name.partition(":")
    kind = _imported(module, attribute) if attribute or module in names() else _added(name)
    if not (isinstance(kind, type) and issubclass(kind, Tracker)):
        raise ConfigError(f"tracker.name={name} is not a tracker", "derive the class from tpt.tracking.Tracker")
    return kind


def _imported(module: str, attribute: str) -> Any:
    """A class of a module of this package, or `module:Class`."""
    try:
        return getattr(import_module(module if attribute else f"{__name__}.{module}"), attribute or "TRACKER")
    except Exception as error:  # a module of the user's may raise anything while it is imported
        name = f"{module}:{attribute}" if attribute else module
        raise ConfigError(
            f"tracker.name={name} cannot be imported: {said(error)}", "check that Python finds it (PYTHONPATH)"
        ) from error


def _added(name: str) -> Any:
    """What an installed package adds under this name."""
    added = plugins.names(plugins.TRACKERS)
    if name not in added:
        known = [*names(), *added]
        raise ConfigError(
            f"tracker.name={name} is not known; one of: {', '.join(known)}, or module:Class for a class of your own",
            nearest(name, known),
        )
    return plugins.load(plugins.TRACKERS, name)


def check(settings: TrackerConfig) -> None:
    """Check that the tracker exists and has what it needs, before anything is run.

    Raises:
        ConfigError: it does not.
    """
    if settings.mode != "disabled":
        find(settings.name).check(settings)


def make(settings: TrackerConfig, run: Run) -> Tracker:
    """The tracker of a run; one that mirrors nothing if trackers are disabled, or if this one cannot be imported."""
    if settings.mode == "disabled":
        return Tracker(settings, run)
    try:
        kind = find(settings.name)
        kind.check(settings)
    except ConfigError as error:  # `check` has let it pass elsewhere: a job's machine may lack a package
        logger.warning("%s; going on without a tracker, metrics.jsonl has everything", error.message)
        kind = Tracker
    return kind(settings, run)
