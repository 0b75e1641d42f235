"""`tpt config`: the settings that a command line resolves to."""

import argparse
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_config_dir, add_overrides

if TYPE_CHECKING:
    from tpt.terminal import Terminal


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_config_dir(parser)
    add_overrides(parser, "settings, e.g. rounds=4")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Print the resolved configuration."""
    from omegaconf import OmegaConf

    from tpt import tracking
    from tpt.cluster import backend
    from tpt.settings import compose, config

    composed = compose.compose(options.overrides, options.config_dir)
    backend.check(composed)
    tracking.check(composed.tracker)
    settings = config.to_dict(composed)
    if terminal.as_json:
        terminal.write_json(settings)
    else:
        terminal.write(OmegaConf.to_yaml(OmegaConf.create(settings)))
    return 0


COMMAND = Command(
    help="Print the resolved configuration as YAML.",
    add=add,
    call=call,
    epilog="With --json, it is printed as a JSON object instead.",
    json=True,
)
