"""What all trackers have in common: when they are called, and that their failures stop nothing."""

import logging
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from tpt.errors import ConfigError, said
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.tracker import TrackerConfig

if TYPE_CHECKING:
    from tpt.report import Report

logger = logging.getLogger(__name__)

MESSAGE = 300  # characters of an error in a warning


class Busy(Exception):
    """Another process mirrors this run: raised by a tracker's methods, it turns the tracker off without a word."""


class Tracker:
    """Mirrors a run's finished stages and its report; a context manager. This class itself mirrors nothing.

    A derived class overrides `send`, `send_report` and `finish`, which may raise anything: the first error is logged
    as a warning and turns the tracker off. A run that is continued sends its stages again, so a class whose
    destination keeps what it was sent leaves out what is there already.

    Args:
        settings: `tracker.*`.
        run: the run folder.
    """

    title: ClassVar[str] = "no tracker"  # what messages call it
    package: ClassVar[str] = ""  # what it imports; if it is no part of tpt's own requirements, an extra has its name

    def __init__(self, settings: TrackerConfig, run: Run) -> None:
        self.settings = settings
        self.run = run
        self._off = type(self) is Tracker

    @classmethod
    def check(cls, settings: TrackerConfig) -> None:
        """Check, before anything is run, what can be told at once; a derived class may check more.

        Raises:
            ConfigError: its package is not installed, or a setting or variable that it needs is missing.
        """
        if cls.package and find_spec(cls.package) is None:
            raise ConfigError(
                f"tracker.name={settings.name}, but the package {cls.package} is not installed",
                f"install it: `pip install 'think-prune-train[{cls.package}]'`",
            )

    @property
    def on(self) -> bool:
        """Whether anything is mirrored: False without a tracker, and after an error of it."""
        return not self._off

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._try("finish", lambda: self.finish(failed=kind is not None))

    def log(self, stage: Stage, record: Mapping[str, object]) -> None:
        """Mirror one finished stage.

        Args:
            record: its line of `metrics.jsonl`.
        """
        if self.on:
            self._try(f"log {stage}", lambda: self.send(stage, record))

    def log_report(self, report: "Report") -> None:
        """Mirror the run's report, which whoever calls this has just written."""
        if self.on:
            self._try("log the report", lambda: self.send_report(report))

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        """Send one finished stage; called for every one, also for those that an earlier process has sent.

        Args:
            record: its line of `metrics.jsonl`: counts, times and figures, nested.
        """

    def send_report(self, report: "Report") -> None:
        """Send the report: its table (`report.table`, a CSV file), its figure (`report.figure`, a PNG file), ..."""

    def finish(self, failed: bool) -> None:
        """Close what is open; called once, in the end, and after an error as well.

        Args:
            failed: whether the run ended by an error.
        """

    def _try(self, what: str, action: Callable[[], object]) -> None:
        """Do something with the tracker; if that fails, say so once and go on without it."""
        try:
            action()
        except Busy:
            self._off = True
        except Exception as error:  # whatever a tracker raises, the run matters more
            if self.on:
                logger.warning(
                    "%s could not %s (%s); going on without it, metrics.jsonl has everything",
                    self.title,
                    what,
                    _without_keys(error),
                )
            self._off = True


def _without_keys(error: Exception) -> str:
    """What an error says, without the user and the password that an address may have."""
    return re.sub(r"://[^/@\s]*@", "://...@", said(error, 10_000))[:MESSAGE]
