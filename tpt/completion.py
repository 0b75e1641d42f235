"""Completion of the command line in a shell: commands and options, config groups, their choices, and settings."""

import argparse
from pathlib import Path
from typing import Any

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """What a shell runs to complete `tpt`: one of `SHELLS`."""
    from argcomplete.shell_integration import shellcode  # here, so that `tpt --help` costs nothing

    return shellcode(["tpt"], shell=shell)


def answer(grammar: argparse.ArgumentParser) -> None:
    """Answer the shell that asks, through argcomplete's environment variables, what may follow; then exit."""
    import argcomplete
    from argcomplete.completers import FilesCompleter

    class Words(FilesCompleter):
        """Overrides where a command takes them, else files."""

        def __call__(self, prefix: str, **about: Any) -> Any:
            of_overrides = about["action"].dest == "overrides"
            return overrides(prefix, about["parsed_args"]) if of_overrides else super().__call__(prefix, **about)

    argcomplete.autocomplete(grammar, always_complete_options="long", default_completer=Words())


def overrides(prefix: str, options: argparse.Namespace) -> list[str]:
    """What begins with a prefix: `model=` and its choices, `train.epochs=`, and for `reproduce` the experiments."""
    from tpt import names

    config_dir: Path | None = getattr(options, "config_dir", None)
    own = config_dir if config_dir and config_dir.is_dir() else None
    key, given, value = prefix.partition("=")
    if given:
        before, comma, _ = value.rpartition(",")  # of a sweep
        known = [f"{key}={before}{comma}{choice}" for choice in names.choices(key, own)]
    else:
        known = [f"{name}=" for name in {*names.groups(own), *names.all_keys()}]
        known += _experiments() if options.command == "reproduce" else []
    return sorted(one for one in known if one.startswith(prefix))


def _experiments() -> list[str]:
    from tpt.reproduce import experiment

    return [*experiment.names(), *(f"scale={scale}" for scale in experiment.SCALES)]
