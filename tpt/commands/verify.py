"""`tpt verify`: whether what a run says follows from the files that it left."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import Command

if TYPE_CHECKING:
    from tpt.terminal import Terminal

EPILOG = """\
Reads the folder of a run or of a capsule and writes nothing into it; it needs no GPU and no weights. The exit code is 1
if anything differs; what cannot be checked is named, and is no difference.
With --json, an object with these keys:
  run, folder   the run's name and its folder
  agrees        whether nothing differs
  findings      for each check of each stage: check, stage, unit, checked, differs, first (the first differences), note,
                why_not (why it could not be checked, otherwise empty)
  never_checked  what no check of files can show"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run", type=Path, metavar="RUN|CAPSULE", help="the folder of a run or of a capsule")
    parser.add_argument(
        "--tokenizer",
        type=Path,
        metavar="DIR",
        help="a folder with the tokenizer, if the models are not on this machine (default: where the run found it)",
    )


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Check everything, and print what was checked, what differs and what could not be checked.

    Returns:
        1 if something differs.
    """
    from tpt.audit import verify
    from tpt.audit.recorded import Recorded
    from tpt.audit.tools import Tools
    from tpt.commands.shared.telling import telling

    run = Recorded.open(options.run)
    with telling(terminal) as tell:
        findings = verify.verify(run, Tools(options.tokenizer, tell))
    if terminal.as_json:
        terminal.write_json(verify.record(run, findings))
    else:
        for one in verify.shown(run, findings):
            terminal.print(one)
    return int(any(one.differs for one in findings))


COMMAND = Command(
    help="Check a run against its own files: prompts, verdicts, examples, figures, digests.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
