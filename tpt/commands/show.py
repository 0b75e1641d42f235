"""`tpt show`: the first problems of a task as they will be asked, before anything is sampled."""

import argparse
import dataclasses
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_config_dir, add_overrides
from tpt.errors import ConfigError, nearest

if TYPE_CHECKING:
    from tpt.shown import Shown
    from tpt.terminal import Terminal

LEFT_OUT = 3  # of what is left out, how much is named

EPILOG = """\
tpt show task=qa task.path=FILE.csv task.question=COLUMN task.gold=COLUMN
With --json, an object with these keys:
  problems      for each: id, messages (the chat that asks it), gold, solution (the data's own), read (what the judge
                reads from that solution, in words) and verdict (null if there is no solution)
  left_out      what cannot be used: id and reason"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--problems", type=int, default=2, metavar="N", help="how many problems to show (default: 2)")
    parser.add_argument("--set", default="train", metavar="NAME", help="the set they are from (default: train)")
    add_config_dir(parser)
    add_overrides(parser, "settings, e.g. task=gsm8k")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Print the prompts, the gold answers and what the judge reads from the data's own solutions."""
    from tpt import shown
    from tpt.settings import compose

    config = compose.compose(options.overrides, options.config_dir)
    task = config.task
    if options.set not in task.sets:
        raise ConfigError(f"the task {task.called} has no set '{options.set}'", nearest(options.set, task.sets))
    if options.problems < 1:
        raise ConfigError(f"--problems {options.problems} is out of range", "give at least 1")
    found, left_out = shown.first(task, options.set, options.problems, config.model)
    if terminal.as_json:
        problems = [dataclasses.asdict(one) | {"read": one.read} for one in found]
        terminal.write_json({"problems": problems, "left_out": [{"id": one, "reason": why} for one, why in left_out]})
        return 0
    for one in found:
        _print(one, terminal)
    if left_out:
        named = "; ".join(f"{one} {why}".strip() for one, why in left_out[:LEFT_OUT])
        terminal.warn(f"{len(left_out)} left out: {named}{'; ...' if len(left_out) > LEFT_OUT else ''}")
    return 0


def _print(one: "Shown", terminal: "Terminal") -> None:
    terminal.heading(one.id)
    for message in one.messages:
        terminal.print(f"[{message['role']}]")
        terminal.print(f"{message['content']}\n")
    if one.gold:
        terminal.print(f"gold: {one.gold}")
    terminal.print(f"the judge, of the data's own solution: {one.read}\n")


COMMAND = Command(
    help="Show the first problems of a task as they will be asked, with what the judge reads.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
