"""Arguments that several commands take."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from tpt import completion


def add_overrides(
    parser: argparse.ArgumentParser,
    help: str,
    metavar: str = "KEY=VALUE",
    completer: Callable[..., Iterable[str]] = completion.settings,
) -> None:
    """Add any number of settings, as `overrides`.

    Args:
        completer: what a shell proposes for a word of them; argcomplete calls it.
    """
    action = parser.add_argument("overrides", nargs="*", metavar=metavar, help=help)
    action.completer = completer  # type: ignore[attr-defined]  # where argcomplete looks for it


def add_config_dir(parser: argparse.ArgumentParser) -> None:
    """Add `--config-dir`."""
    parser.add_argument(
        "--config-dir", type=Path, metavar="DIR", help="a folder with config groups of your own, e.g. model/mine.yaml"
    )


def add_run_or_sweep(parser: argparse.ArgumentParser) -> None:
    """Add the folder of one run or sweep, as `path`."""
    parser.add_argument("path", type=Path, metavar="RUN|SWEEP", help="the folder of a run or a sweep")
