"""`tpt trace`: where a trained example comes from."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import Command

if TYPE_CHECKING:
    from tpt.terminal import Terminal

EPILOG = """\
tpt trace RUN --round 2 --example 17
With --json, an object with these keys:
  run, folder   the run's name and its folder
  round, number, examples   the round, the example's number, and how many the round trained on
  example       source, the round that kept it, how many tokens, text
  training      how often and with which weight it was trained on
  problem       id, question, gold, source, licence
  sample        its shard, row and index, how many tokens, finish reason; null if no model of the run sampled it, and
                then why says where it is from
  seed          the sample's seed and sampling settings
  engines       what the engines said of themselves; versions
  checkpoint    the model that it was sampled from, then those that this was trained from, back to the base model
  verdict       both readings, the rule, the judge and the version of its rules
  prune         mode, reader, seed, and its place in the draw"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument("--round", type=int, metavar="N", help="whose training (default: the last that has examples)")
    parser.add_argument(
        "--example",
        type=int,
        default=1,
        metavar="N",
        help="which of the examples that the round trained on, in the order of its examples.parquet (default: 1)",
    )


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Print the way back from a trained example to its sample, checkpoint, verdict, draw and problem."""
    from tpt.audit.recorded import Recorded
    from tpt.audit.trace import trace
    from tpt.audit.tree import tree
    from tpt.runs import table

    run = Recorded.open(options.run)
    kept = [round for round in range(1, run.rounds + 1) if run.record(table.trained_on(round))]
    way = trace(run, (kept or [1])[-1] if options.round is None else options.round, options.example)
    if terminal.as_json:
        terminal.write_json(way)
    else:
        terminal.print(tree(way))
    return 0


COMMAND = Command(
    help="Show where a trained example comes from, back to the base model and the problem.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
