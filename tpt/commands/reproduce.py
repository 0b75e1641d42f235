"""`tpt reproduce`: the experiments, such as the tables of the paper."""

import argparse
from typing import TYPE_CHECKING

from tpt import completion
from tpt.commands import VERBOSE_STAGES, Command
from tpt.commands.shared.arguments import add_overrides
from tpt.errors import ConfigError

if TYPE_CHECKING:
    from tpt.terminal import Terminal

EPILOG = """\
tpt reproduce                      list the experiments
tpt reproduce table3               run one at laptop scale, with the bundled model and tasks
tpt reproduce table3 seeds=5       five trainings of each arm: what is said is of the method then, not of a checkpoint
tpt reproduce table3 scale=paper cluster=slurm cluster.partition=gpu
The same command continues an interrupted experiment; if nothing is owed, it prints the table.
tpt reproduce --json               list the experiments, each as an object with the keys experiment, asks and arms"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan of every arm, and what the design can see, and exit"
    )
    add_overrides(
        parser,
        "the experiment, its scale, and settings for all of its arms",
        metavar="NAME | scale=paper|laptop|smoke | seeds=N | KEY=VALUE",
        completer=completion.experiments,
    )


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Run or continue an experiment; without a name, list the experiments.

    Returns:
        0, or 1 if an arm failed.
    """
    from tpt.reproduce import command

    name, rest = command.split_words(options.overrides)
    if name is None:
        return command.show_all(terminal)
    if terminal.as_json:
        raise ConfigError(
            "--json is only for the list of experiments", "the results of an experiment are in its table.csv"
        )
    return command.reproduce(name, rest, options.dry_run, terminal)


COMMAND = Command(
    help="Run or continue an experiment: a table of the paper, or a question.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
    verbose=VERBOSE_STAGES,
)
