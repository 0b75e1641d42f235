"""The `tpt` command."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from tpt import __version__, environment, explain
from tpt.analysis import ANALYSES
from tpt.errors import TptError

RUN_HELP = """\
Overrides are Hydra's: tpt run model=gemma2-2b task=gsm8k prune=ground_truth rounds=4
With -m, comma-separated values make a sweep: tpt run -m prune=none,ground_truth rounds=1,2
With rounds=auto it goes on until a round no longer gains (settings: stop.*).
The same command again continues after any interruption, and prints the table where nothing is owed.
`tpt config` prints every setting there is."""

REPRODUCE_HELP = """\
tpt reproduce                      the experiments there are
tpt reproduce table3               at laptop scale, with the model and tasks that come along
tpt reproduce table3 scale=paper cluster=slurm cluster.partition=gpu
The same command again continues after any interruption, and prints the table where nothing is owed."""

ANALYSE_HELP = """\
diversity: do a problem's samples become more alike, and from which k on does that cost in pass@k?
error_locality: how long is the part in which a wrong solution differs from the nearest right one, and where is it?
gradient_equivalence: is the policy gradient (+1 right, -1 wrong) twice the gradient on right samples (the paper's 2.1)?
Each compares the base model with the rounds after it, and writes NAME.md, NAME.json and figures."""

EXPORT_HELP = """\
DIR/model is a checkpoint with a model card, DIR/examples a data set of prompts and completions for TRL and others.
Look at the cards and complete them; the same command with --push OWNER/NAME then uploads both as they are."""

JUDGE_HELP = """\
tpt judge FILE.jsonl --gold-column gold --text-column completion --out OUT.jsonl
tpt judge --task code_contests --problems PROBLEMS.jsonl --solutions SOLUTIONS.jsonl --out OUT.jsonl [task.KEY=VALUE]
Programs are run in a sandbox. Without --solutions, the problems' own labelled solutions show whether it judges well."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    top = argparse.ArgumentParser(
        prog="tpt", description="Think, Prune, Train: a language model improves on its own correct reasoning."
    )
    top.add_argument("--version", action="version", version=f"tpt {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str, epilog: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=help, description=help, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    run = command("run", "Run, or continue, rounds of think, prune, train, evaluate.", RUN_HELP)
    run.add_argument("-m", "--multirun", action="store_true", help="a sweep over comma-separated values")
    run.add_argument(
        "--dry-run", action="store_true", help="print the plan (on SLURM: and the sbatch scripts) and stop"
    )
    reproduce = command(
        "reproduce", "Run, or continue, an experiment: a table of the paper, or a question.", REPRODUCE_HELP
    )
    reproduce.add_argument("--dry-run", action="store_true", help="print the plan of every arm and stop")
    reproduce.add_argument("overrides", nargs="*", metavar="NAME | scale=paper|laptop|smoke | KEY=VALUE")
    config = command("config", "Print the resolved config as YAML.")
    for one in (run, config):
        one.add_argument(
            "--config-dir", type=Path, help="a folder of your own config groups, e.g. with model/mine.yaml"
        )
        one.add_argument("overrides", nargs="*", metavar="KEY=VALUE")

    status = command("status", "Show what is done and what is owed, of one run or of all.")
    status.add_argument("path", type=Path, nargs="?", default=Path("runs"), metavar="RUN|SWEEP|RUN_ROOT")

    for name, help in (
        ("attach", "Follow the jobs of a run or a sweep to their end."),
        ("cancel", "Cancel the jobs of a run or a sweep; what is finished is kept."),
        (
            "resubmit",
            "Submit what a run or a sweep still owes, with other resources if asked: cluster.train.minutes=90",
        ),
    ):
        one = command(name, help)
        one.add_argument("path", type=Path, metavar="RUN|SWEEP")
        if name == "resubmit":
            one.add_argument("overrides", nargs="*", metavar="KEY=VALUE")

    report = command("report", "Write tables, figures and one HTML page from the folders of runs or of a sweep.")
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN|SWEEP")
    report.add_argument("--out", type=Path, help="the folder to write to (default: RUN/report, or the sweep's folder)")
    report.add_argument(
        "--html", type=Path, nargs="?", metavar="FILE", help="where the page goes (default: OUT/report.html)"
    )

    analyse = command("analyse", "Analyse one run: diversity, where errors lie, gradients.", ANALYSE_HELP)
    analyse.add_argument("name", choices=ANALYSES, metavar="NAME", help=", ".join(ANALYSES))
    analyse.add_argument("run", type=Path, metavar="RUN")
    analyse.add_argument("--out", type=Path, help="the folder to write to (default: RUN/analysis)")

    export = command("export", "Write a round's model and examples, with cards, to a folder of their own.", EXPORT_HELP)
    export.add_argument("run", type=Path, metavar="RUN")
    export.add_argument("--round", type=int, metavar="N", help="1, 2, ... (default: the last that is trained)")
    export.add_argument("--out", type=Path, metavar="DIR", help="a new folder (default: RUN/export/round-N)")
    export.add_argument("--force", action="store_true", help="write an export anew that is there already")
    export.add_argument("--push", metavar="OWNER/NAME", help="upload to the hub: OWNER/NAME and OWNER/NAME-examples")
    export.add_argument("--private", action="store_true", help="with --push: repositories that only you see")

    judge = command(
        "judge", "Judge solutions in a JSONL file by their gold answers, or by the tests of a task.", JUDGE_HELP
    )
    judge.add_argument("file", type=Path, nargs="?", metavar="FILE.jsonl", help="completions with gold answers")
    judge.add_argument("--gold-column", default="gold")
    judge.add_argument("--text-column", help="of the completion (default: completion; with --task: solution)")
    judge.add_argument("--task", help="a task of code: code_contests, leetcode, code_puzzles")
    judge.add_argument("--problems", type=Path, metavar="FILE", help="the task's problems, as JSONL or parquet")
    judge.add_argument(
        "--solutions", type=Path, metavar="FILE.jsonl", help="default: the solutions that the problems come with"
    )
    judge.add_argument("--id-column", default="problem_id", help="of the problem's id or name in the solutions")
    judge.add_argument("--partial", action="store_true", help="run all tests, not only up to the first that fails")
    judge.add_argument("--out", type=Path, required=True, help="JSONL to write: the input's columns and the verdict's")
    judge.add_argument("overrides", nargs="*", metavar="task.KEY=VALUE")
    return top


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read a command line; options and overrides may come in any order."""
    options, rest = parser().parse_known_args(arguments)
    if any(one.startswith("-") for one in rest) or (rest and "overrides" not in options):
        parser().parse_args(arguments)  # says what is wrong, and exits
    if rest:
        options.overrides = [*options.overrides, *rest]
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point.

    Returns:
        0; 1 where something the user can correct went wrong; 2 for a wrong command line; 130 after Ctrl-C.
    """
    options = parse(arguments)
    console = Console(soft_wrap=True)
    signal.signal(signal.SIGTERM, _as_interrupt)
    os.environ.update(environment.variables())
    try:
        with explain.last_resort():
            return _dispatch(options, console)
    except TptError as error:
        console.print(f"[bold red]error[/] {escape(error.message)}", highlight=False)
        if error.hint:
            console.print(f"  -> {escape(error.hint)}", highlight=False)
        return 1
    except KeyboardInterrupt:
        again = " ".join(["tpt", *(arguments if arguments is not None else sys.argv[1:])])
        console.print(f"\n[yellow]stopped[/] nothing that was finished is lost; to continue: {escape(again)}")
        return 130


def _dispatch(options: argparse.Namespace, console: Console) -> int:
    from tpt import commands  # here, so that `tpt --help` costs nothing
    from tpt.cluster import process

    os.environ.update(process.caches(process.IN_COMMANDS))
    match options.command:
        case "run":
            code = commands.run(options.overrides, options.config_dir, options.multirun, options.dry_run, console)
        case "config":
            code = commands.show_config(options.overrides, options.config_dir, console)
        case "reproduce":
            code = commands.reproduce(options.overrides, options.dry_run, console)
        case "status":
            code = commands.status(options.path, console)
        case "attach":
            code = commands.attach(options.path, console)
        case "cancel":
            code = commands.cancel(options.path, console)
        case "resubmit":
            code = commands.resubmit(options.path, options.overrides, console)
        case "report":
            code = commands.report(options.runs, options.out, options.html, console)
        case "analyse":
            code = commands.analyse(options.name, options.run, options.out, console)
        case "export":
            code = commands.export(options, console)
        case _:
            code = commands.judge(options, console)
    return code


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """A polite request to stop ends a run as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
