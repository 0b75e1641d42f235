"""The `tpt` command."""

import argparse
import logging
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from tpt import __version__, completion, environment, explain
from tpt.analysis import ANALYSES
from tpt.errors import TptError, nearest

if TYPE_CHECKING:
    from tpt.terminal import Terminal

TOP_HELP = """\
Results go to standard output; progress, warnings and errors go to standard error.
Exit codes: 0 done; 1 an error, or part of the work failed; 2 wrong command line; 130 interrupted (Ctrl-C, SIGTERM);
141 the reader of standard output is gone (tpt status | head -1).
With --json, an error is an object with the keys error and hint, on standard error."""

RUN_HELP = """\
Overrides are Hydra's: tpt run model=gemma2-2b task=gsm8k prune=ground_truth rounds=4
With -m, comma-separated values make a sweep: tpt run -m prune=none,ground_truth rounds=1,2
With rounds=auto it goes on until a round no longer gains (settings: stop.*).
The same command again continues after any interruption, and prints the table where nothing is owed.
`tpt config` prints every setting there is."""

CONFIG_HELP = """\
With --json, the same settings as an object."""

STATUS_HELP = """\
With --json: an object for a run, a list of them for a sweep or a folder of runs. Its keys:
  run, folder   the run's name and its folder
  rounds        the number of rounds; with rounds=auto, the most there can be
  auto          with rounds=auto, whether and why it stopped, in words; else null
  complete      whether nothing is owed
  owed          the stages that are still to do, e.g. "round-01/think"
  stages        for each: stage, round, name; state (done, to adopt, damaged, failed, begun, owed); seconds and outcome
                where it is done, else null; error, the last one, or null; progress (done, total, unit, rate,
                rate_unit, seconds, note) while it is at work, or null
  jobs          on SLURM, for each job: job, id, state, progress, restarts, left, word, as in the table (unknown
                where SLURM does not answer); else an empty list
A run that cannot be read has the keys error and hint instead."""

REPORT_HELP = """\
With --json, an object. Its keys:
  rows          for each evaluated round of each run: folder, and the columns of table.csv; null for no figure
  sentences     the gains in words
  notes         why rounds=auto stopped, what could not be judged, what is not evaluated yet
  files         everything that was written"""

REPRODUCE_HELP = """\
tpt reproduce                      the experiments there are
tpt reproduce table3               at laptop scale, with the model and tasks that come along
tpt reproduce table3 scale=paper cluster=slurm cluster.partition=gpu
The same command again continues after any interruption, and prints the table where nothing is owed.
tpt reproduce --json               the experiments, for each the keys experiment, asks and arms"""

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
Programs are run in a sandbox. Without --solutions, the problems' own labelled solutions show whether it judges well.
With --json, an object. Its keys:
  solutions     how many there are
  counts        how many have which verdict, by reader: strict, lenient; with --task by label: right, wrong, unlabelled
  verdicts      the file that was written
  sandbox       with --task: what the programs ran in"""

COMPLETION_HELP = """\
bash: add to ~/.bashrc              eval "$(tpt completion bash)"
zsh:  add to ~/.zshrc, after compinit   eval "$(tpt completion zsh)"
fish: tpt completion fish > ~/.config/fish/completions/tpt.fish"""

BUG = """\
This is a bug in tpt: please report it with the lines above. Finished stages are kept, and the folder `logs` of the run
has what each stage printed."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    return grammar()[0]


def grammar() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The command line's grammar, and that of each command by its name."""
    formatter = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="tpt",
        description="Think, Prune, Train: a language model improves on its own correct reasoning.",
        epilog=TOP_HELP,
        formatter_class=formatter,
    )
    top.set_defaults(json=False)
    _add_verbosity(top, False)
    top.add_argument("--version", action="version", version=f"tpt {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str, epilog: str = "", json: bool = False) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=help, description=help, epilog=epilog, formatter_class=formatter
        )
        _add_verbosity(made, argparse.SUPPRESS)  # what stands before the command counts as well
        if json:
            made.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
        return made

    run = command("run", "Run, or continue, rounds of think, prune, train, evaluate.", RUN_HELP)
    run.add_argument("-m", "--multirun", action="store_true", help="a sweep over comma-separated values")
    run.add_argument(
        "--dry-run", action="store_true", help="print the plan (on SLURM: and the sbatch scripts) and stop"
    )
    reproduce = command(
        "reproduce", "Run, or continue, an experiment: a table of the paper, or a question.", REPRODUCE_HELP, json=True
    )
    reproduce.add_argument("--dry-run", action="store_true", help="print the plan of every arm and stop")
    reproduce.add_argument("overrides", nargs="*", metavar="NAME | scale=paper|laptop|smoke | KEY=VALUE")
    config = command("config", "Print the resolved config as YAML.", CONFIG_HELP, json=True)
    for one in (run, config):
        one.add_argument(
            "--config-dir", type=Path, help="a folder of your own config groups, e.g. with model/mine.yaml"
        )
        one.add_argument("overrides", nargs="*", metavar="KEY=VALUE")

    status = command("status", "Show what is done and what is owed, of one run or of all.", STATUS_HELP, json=True)
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

    report = command(
        "report",
        "Write tables, figures and one HTML page from the folders of runs or of a sweep.",
        REPORT_HELP,
        json=True,
    )
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
        "judge",
        "Judge solutions in a JSONL file by their gold answers, or by the tests of a task.",
        JUDGE_HELP,
        json=True,
    )
    _add_judging(judge)

    shell = command(
        "completion", "Print a script that completes tpt's commands and settings in a shell.", COMPLETION_HELP
    )
    shell.add_argument("shell", choices=completion.SHELLS, metavar="|".join(completion.SHELLS))
    return top, commands.choices


def _add_judging(judge: argparse.ArgumentParser) -> None:
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


def _add_verbosity(one: argparse.ArgumentParser, default: bool | str) -> None:
    one.add_argument("-q", "--quiet", action="store_true", default=default, help="print only the result and errors")
    one.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        default=default,
        help="also print what the stages of run and reproduce log, and the tracebacks of errors",
    )


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read a command line; options and overrides may come in any order.

    Raises:
        SystemExit: 0 after help or a version, 2 for a wrong command line.
    """
    top, commands = grammar()
    if not words:
        top.print_help()
        raise SystemExit(0)
    name = next((word for word in words if not word.startswith("-")), None)
    if name is not None and name not in commands:
        top.error(f"unknown command '{name}': {nearest(name, commands)}")
    options, rest = top.parse_known_args(words)
    own = commands[options.command]
    for word in rest:
        if word.startswith("-"):
            own.error(f"unknown option {word}: {nearest(word.partition('=')[0], own._option_string_actions)}")
        if "overrides" not in options:
            own.error(f"one argument too many: {word}")
    if rest:
        options.overrides = [*options.overrides, *rest]
    if options.quiet and options.verbose:
        own.error("--quiet and --verbose exclude each other")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point.

    Returns:
        an exit code as `tpt --help` lists them.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _execute(words)
    except KeyboardInterrupt:
        again = shlex.join(["tpt", *words])
        print(f"\nstopped: nothing that was finished is lost; to continue: {again}", file=sys.stderr)
        return 130
    except Exception:
        traceback.print_exc()
        print(BUG, file=sys.stderr)
        return 1


def _execute(words: Sequence[str]) -> int:
    if "_ARGCOMPLETE" in os.environ:
        completion.answer(parser())
    options = _parsed(words)
    # Rich, and what the commands need, are imported only from here on, so that `tpt --help` costs nothing.
    from tpt.terminal import Terminal

    signal.signal(signal.SIGTERM, _as_interrupt)
    os.environ.update(environment.variables())
    if options.verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    terminal = Terminal(options.quiet, options.verbose, options.json)
    try:
        with explain.last_resort():
            return _dispatch(options, terminal)
    except TptError as error:
        terminal.error(error)
        return 1


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    try:
        return parse(words)
    except SystemExit:
        try:
            sys.stdout.flush()  # help, which somebody may have stopped reading
        except BrokenPipeError:
            from tpt.terminal import CLOSED_PIPE, discard

            discard(sys.stdout)
            raise SystemExit(CLOSED_PIPE) from None
        raise


def _dispatch(options: argparse.Namespace, console: "Terminal") -> int:
    if options.command == "completion":
        console.write(completion.script(options.shell))
        return 0
    from tpt import commands
    from tpt.launch import process

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
