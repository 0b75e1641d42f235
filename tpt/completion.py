"""Completing the command line in a shell: commands and options, config groups, their choices, and settings."""

import argparse
from pathlib import Path
from typing import Any


def answer(grammar: argparse.ArgumentParser) -> None:
    """Tell the shell that asks, through argcomplete's environment variables, what may come next; then exit."""
    import argcomplete  # here, so that `tpt --help` does not wait for it
    from argcomplete.completers import FilesCompleter

    argcomplete.autocomplete(grammar, always_complete_options="long", default_completer=FilesCompleter())


def settings(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """What completes an override: `model=` and its choices, `train.epochs=`.

    Args:
        prefix: the word so far.
        parsed_args: the command line so far.
    """
    from tpt.settings import names

    config_dir: Path | None = getattr(parsed_args, "config_dir", None)
    own = config_dir if config_dir and config_dir.is_dir() else None
    key, given, value = prefix.partition("=")
    if given:
        before, comma, _last = value.rpartition(",")  # values of a sweep
        known = [f"{key}={before}{comma}{choice}" for choice in names.choices(key, own)]
    else:
        known = [f"{name}=" for name in {*names.groups(own), *names.all_keys()}]
    return sorted(one for one in known if one.startswith(prefix))


def experiments(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """What completes a word of `tpt reproduce`: an experiment, its scale, or an override."""
    from tpt.reproduce import experiment

    known = [*experiment.names(), *(f"scale={scale}" for scale in experiment.SCALES)]
    return sorted([*(one for one in known if one.startswith(prefix)), *settings(prefix, parsed_args)])
