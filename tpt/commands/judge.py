"""`tpt judge`: verdicts on solutions in a file, by their gold answers or by the tests of a task."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tpt.commands import Command
from tpt.commands.shared.arguments import add_overrides
from tpt.errors import ConfigError

if TYPE_CHECKING:
    from collections import Counter

    from rich.table import Table

    from tpt.records import Status
    from tpt.terminal import Terminal

EPILOG = """\
tpt judge FILE.jsonl --gold-column gold --text-column completion --out OUT.jsonl
tpt judge --task code_contests --problems PROBLEMS.jsonl --solutions SOLUTIONS.jsonl --out OUT.jsonl [task.KEY=VALUE]
Programs run in a sandbox. Without --solutions, the problem file's labelled solutions show how good the verdicts are.
With --json, an object with these keys:
  solutions     the number of solutions
  counts        how many have which verdict, by reader: strict, lenient; with --task by label: right, wrong, unlabelled
  verdicts      the file that was written
  sandbox       with --task: what the programs ran in"""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE.jsonl", help="completions with gold answers (without --task)"
    )
    parser.add_argument(
        "--gold-column", metavar="NAME", default="gold", help="the column of the gold answer (default: gold)"
    )
    parser.add_argument(
        "--text-column", metavar="NAME", help="the column of the text (default: completion; with --task: solution)"
    )
    parser.add_argument("--task", metavar="NAME", help="a code task: code_contests, leetcode, code_puzzles")
    parser.add_argument("--problems", type=Path, metavar="FILE", help="the task's problems, as JSONL or Parquet")
    parser.add_argument(
        "--solutions", type=Path, metavar="FILE.jsonl", help="programs (default: the solutions in the problem file)"
    )
    parser.add_argument(
        "--id-column",
        metavar="NAME",
        default="problem_id",
        help="the solutions' column with the id or name of their problem (default: problem_id)",
    )
    parser.add_argument("--partial", action="store_true", help="run all tests instead of stopping at the first failure")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="OUT.jsonl",
        required=True,
        help="the file to write: the input's columns and those of the verdict",
    )
    add_overrides(parser, "settings of the task, e.g. task.seconds=10", metavar="task.KEY=VALUE")


def call(options: argparse.Namespace, terminal: "Terminal") -> int:
    """Judge every solution of a file, and print how many have which verdict."""
    if options.task:
        return _judge_programs(options, terminal)
    if options.file is None or options.overrides or options.solutions or options.problems:
        raise ConfigError("tpt judge needs FILE.jsonl, or --task with --problems", "see `tpt judge --help`")
    return _judge_answers(options, terminal)


def _judge_answers(options: argparse.Namespace, terminal: "Terminal") -> int:
    from tpt.judge_files.answers import judge_file

    counts = judge_file(options.file, options.out, options.gold_column, options.text_column or "completion")
    if terminal.as_json:
        terminal.write_json(
            {"solutions": counts["strict"].total(), "counts": counts, "verdicts": str(options.out)},
        )
        return 0
    terminal.print(_table(options.file.name, counts))
    terminal.print(f"verdicts: {options.out}")
    return 0


def _table(name: str, counts: dict[str, "Counter[Status]"]) -> "Table":
    """How many solutions have which verdict, with a column for each reader."""
    from rich.table import Table

    from tpt.records import Status
    from tpt.terminal import unfolded

    total = counts["strict"].total()
    table = Table(title=unfolded(f"{total:,} solutions in {name}"), title_justify="left")
    table.add_column("verdict")
    for reader in counts:
        table.add_column(reader, justify="right")
    for status in Status:
        if any(of_reader[status] for of_reader in counts.values()):
            shares = [f"{of_reader[status]:,} ({of_reader[status] / total:.1%})" for of_reader in counts.values()]
            table.add_row(status.replace("_", " "), *shares)
    return table


def _judge_programs(options: argparse.Namespace, terminal: "Terminal") -> int:
    from rich.text import Text

    from tpt.judge_files import programs

    overrides = [*([str(options.file)] if options.file else []), *options.overrides]  # FILE takes the first word
    task = programs.task(options.task, options.problems, overrides)
    columns = programs.Columns(options.id_column, options.text_column or "solution")
    counts = programs.judge_file(task, options.solutions, options.out, columns, options.partial, terminal.progress)
    if terminal.as_json:
        total = sum(of_label.total() for of_label in counts.values())
        by_label = {label or "unlabelled": of_label for label, of_label in counts.items()}
        terminal.write_json(
            {"solutions": total, "counts": by_label, "sandbox": task.sandbox, "verdicts": str(options.out)}
        )
        return 0
    terminal.print(programs.table(counts))
    if task.sandbox == "none":
        terminal.print(Text.assemble(("NOT SANDBOXED", "bold red"), " the solutions ran with your permissions"))
    terminal.print(f"verdicts: {options.out}")
    return 0


COMMAND = Command(
    help="Judge solutions in a JSONL file by their gold answers, or by the tests of a task.",
    add=add,
    call=call,
    epilog=EPILOG,
    json=True,
)
