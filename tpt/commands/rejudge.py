"""`tpt rejudge`: what would be otherwise under another judge, without sampling anything."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_overrides

if TYPE_CHECKING:
    from tpt.terminal import Terminal

EPILOG = """\
tpt rejudge RUN                     under the rules of this version, if they were raised
tpt rejudge RUN prune.reader=lenient
The settings are those of the task's judge (task.judge, task.seconds, ...) and prune.reader, prune.threshold,
prune.mode, prune.keep_cut_off. Nothing is written into the run; --out keeps what was made.
With --json, an object with these keys:
  verdicts      for each stage that samples: stage, samples, changes by reader (before, after, count), why_not
  first         the first changed verdicts: stage, before, after, text
  kept          for each round: round, before, after, added, removed, why_not
  figures       for each evaluation: stage, name, before and after with their intervals
  sentences     those of the report: before, after, survives
  first_to_train   the first round that would train on other examples, or null
  command       what makes it so"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the run's folder")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="a new folder that keeps the new verdicts and examples (default: none)"
    )
    add_overrides(parser, "settings of the judge, e.g. prune.reader=lenient")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Judge the samples of a run again, and print what changes: verdicts, examples, figures, sentences."""
    with TemporaryDirectory() as folder:
        return _call(options, terminal, options.out or Path(folder))


def _call(options: argparse.Namespace, terminal: "Terminal", folder: Path) -> int:
    from tpt.audit import rejudge, rejudged
    from tpt.audit.changed import command
    from tpt.audit.recorded import Recorded
    from tpt.audit.tools import Tools
    from tpt.commands.shared.telling import telling

    run = Recorded.open(options.run)
    rejudge.check_out(options.out, run)
    new = rejudge.Rejudged.of_run(run, options.overrides, folder)
    if not options.overrides and not any(run.rules_changed(stage) for stage in run.stages() if run.record(stage)):
        terminal.warn("the rules of the judge are those that the run was judged by, and no setting is changed", "note")
    with telling(terminal) as tell:
        found = rejudge.rejudge(run, new, Tools(tell=tell))
    line = command(new.config, options.overrides)
    if terminal.as_json:
        terminal.write_json(rejudged.record(found, line))
    else:
        for one in rejudged.shown(found, line):
            terminal.print(one)
    return 0


COMMAND = Command(
    help="Show what would be otherwise under another judge, without sampling.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
