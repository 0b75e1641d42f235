"""Judging a file of programs, or the problems' own labelled solutions, with which users check the judge."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from tpt import tasks
from tpt.errors import ConfigError, DataError, nearest
from tpt.files import atomic
from tpt.jsonl import check_out, numbered_rows, text
from tpt.judges.code.judge import Judge, verdicts
from tpt.judges.code.program import Language, fenced, has_fence
from tpt.judges.code.spec import Kind, Spec
from tpt.records import Sample, Status, Verdict
from tpt.tasks.code import CodeTask
from tpt.terminal import unfolded

COLUMNS = "fix that line, or name the columns with the problem and the program: --id-column, --text-column"

Counts = dict[str, Counter[str]]
Row = dict[str, Any]


@dataclass
class Columns:
    """Names of the columns in a file of solutions: the problem's id or name, and the completion or program."""

    id: str = "problem_id"
    text: str = "solution"


def task(name: str, problems: Path | None, overrides: Sequence[str]) -> CodeTask:
    """Make a code task from its name and settings.

    Args:
        problems: the file or folder with its problems; None for the task's default.
        overrides: settings such as `task.seconds=10`.

    Raises:
        ConfigError: there is no such task, or a setting is wrong.
    """
    kinds = [one for one, kind in tasks.REGISTRY.items() if issubclass(kind, CodeTask)]
    if name not in kinds:
        tasks.check_loaded(name)
        raise ConfigError(f"--task {name} is not a code task", nearest(name, kinds))
    wrong = [one for one in overrides if not one.startswith("task.") or "=" not in one]
    if wrong:
        raise ConfigError(f"cannot read {wrong[0]!r}", "give settings in the form task.seconds=10")
    asked = OmegaConf.from_dotlist([one.removeprefix("task.") for one in overrides])
    kind = tasks.REGISTRY[name]
    assert issubclass(kind, CodeTask)
    given = {"name": name} | kind.EVERYTHING | ({"path": str(problems)} if problems else {})
    made = tasks.make(OmegaConf.merge(given, asked))
    made.validate()
    assert isinstance(made, CodeTask)
    return made


def judge_file(
    task: CodeTask, solutions: Path | None, out: Path, columns: Columns, partial: bool, console: Console
) -> Counts:
    """Judge every solution and write its columns together with the verdict's.

    The columns written are `status`, `passed`, `total`, `kind`, `first_failed`, `rule`, `reason` and `sandbox`.

    Args:
        solutions: JSONL, with a column `language` if it is not the task's; None for the problems' own solutions.
        partial: whether to run all tests, not only up to the first failure.

    Returns:
        how many solutions have which verdict, by their label: `right`, `wrong`, or "" if they have none.
    Raises:
        DataError: a file cannot be read, or a solution belongs to no known problem. In that case nothing is judged.
        FileError: `out` cannot be written. In that case nothing is judged.
        SandboxError: see `Judge`.
    """
    check_out(out, *([solutions] if solutions else []), *task.files())
    if solutions:
        task = replace(task, references=0)  # the problems need no solutions of their own
    rows = list(_given(task, solutions, columns)) if solutions else list(_labelled(task))
    if not rows:
        raise DataError("the problems have no solutions of their own to judge", "give --solutions FILE.jsonl")
    counts: Counts = {}
    with (
        Judge(task.sandbox, task.python, task.workers) as judge,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        jobs = ((spec, language, sample) for spec, language, sample, _ in rows)
        judged = progress.track(verdicts(judge, jobs, partial, task.checker()), len(rows), description="judging")
        with atomic(out) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace") as handle:
            for (_, _, _, row), verdict in zip(rows, judged, strict=True):
                handle.write(json.dumps(row | _columns(verdict, task), ensure_ascii=False) + "\n")
                counts.setdefault(row.get("label", ""), Counter())[_said(verdict)] += 1
    return counts


def table(counts: Counts) -> Table:
    """The verdicts as a table for the terminal; those that contradict a label are red."""
    total = sum(of_label.total() for of_label in counts.values())
    shown = Table(title=unfolded(f"{total:,} solutions"), title_justify="left")
    shown.add_column("verdict")
    for label in counts:
        shown.add_column(f"labelled {label}" if label else "solutions", justify="right")
    for said in sorted({one for of_label in counts.values() for one in of_label}):
        cells = []
        for label, of_label in counts.items():
            undecided = said in (Kind.NO_TESTS, Kind.JUDGE_ERROR)
            contradicts = of_label[said] and label and not undecided and (said == Status.CORRECT) != (label == "right")
            cells.append(Text(f"{of_label[said]:,}", style="red" if contradicts else ""))
        shown.add_row(said, *cells)
    return shown


def _given(task: CodeTask, path: Path, columns: Columns) -> Iterator[tuple[Spec, Language, Sample, Row]]:
    """The solutions of a file, with their problems."""
    found = numbered_rows(path, columns.id, columns.text, remedy=COLUMNS, surrogates=True)
    rows = [(f"{path}: line {number}", row) for number, row in found]
    specs = _specs(task, {text(row, columns.id, where) for where, row in rows})
    for index, (where, row) in enumerate(rows):
        name = text(row, columns.id, where)
        if name not in specs:
            raise DataError(
                f"{where} is a solution to {name!r}, which is not among the problems",
                f"{columns.id} must be a problem's id or name; give the right problems with --problems",
            )
        language: Language = "cpp" if row.get("language", task.language) == "cpp" else "python"
        program = text(row, columns.text, where)
        # In a file of programs, any text without a fence outside its strings is taken to be a program.
        program = program if has_fence(program, language) or not program.strip() else fenced(program, language)
        yield specs[name], language, Sample(name, index, [], [], program, "stop"), row


def _specs(task: CodeTask, wanted: set[str]) -> dict[str, Spec]:
    found: dict[str, Spec] = {}
    for problem in (one for split in splits(task) for one in task.load(split)):
        for name in {problem.id, problem.id.split("/", 2)[2]} & wanted:
            found[name] = Spec.of(problem)
    return found


def _labelled(task: CodeTask) -> Iterator[tuple[Spec, Language, Sample, Row]]:
    """The problems' own solutions."""
    for problem in (one for split in splits(task) for one in task.load(split)):
        spec = Spec.of(problem)
        for label, sources in (("right", spec.references), ("wrong", spec.incorrect)):
            for index, (language, source) in enumerate(sources):
                row = {"problem_id": problem.id, "label": label, "language": language, "solution": source}
                yield spec, language, Sample(problem.id, index, [], [], fenced(source, language), "stop"), row


def splits(task: CodeTask) -> list[tasks.Split]:
    """The splits that contain a task's problems; a single file counts as one split, whatever its name."""
    return ["test"] if Path(getattr(task, "path", "")).is_file() else ["train", "test"]


def _columns(verdict: Verdict, task: CodeTask) -> Row:
    names = ("status", "passed", "total", "kind", "first_failed", "rule", "reason")
    return {name: getattr(verdict, name) for name in names} | {"sandbox": task.sandbox}


def _said(verdict: Verdict) -> str:
    return verdict.kind or str(verdict.status)
