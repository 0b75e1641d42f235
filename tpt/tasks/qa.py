"""Any data set of questions and answers, by settings alone: which columns, which prompt, which judge.

What the tasks over it in `conf/task/` set is all there is to them; none has code.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from tpt.errors import ConfigError, DataError
from tpt.records import Problem, Sample, Verdict
from tpt.setting import setting
from tpt.tasks import judging, rows
from tpt.tasks.asked import COLUMNS, Asked
from tpt.tasks.base import DEV, Split, Task, register
from tpt.tasks.columns import BadRow

SHARE = 0.2  # of the rows that are held out where nothing says which rows are the test problems
SHOWN = 3  # of the rows that are wrong
COLUMN = "any column, or a dotted path into a nested one"
TITLE = "letters, digits, and the signs - . _"


@dataclass
class Loaded:
    """The usable rows of a source, as problems with their places, and what is wrong with the others."""

    problems: list[tuple[str, Problem]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)  # of each problem: equal for the same question
    bad: list[tuple[str, str]] = field(default_factory=list)  # place and reason
    shots: list[tuple[str, Problem]] = field(default_factory=list)  # those that are worked examples

    def leave_out(self, reasons: dict[int, str]) -> None:
        """Take some problems, by their index, for bad rows."""
        self.bad += [(self.problems[at][0], reason) for at, reason in sorted(reasons.items())]
        kept = [at for at in range(len(self.problems)) if at not in reasons]
        self.problems, self.keys = [self.problems[at] for at in kept], [self.keys[at] for at in kept]

    def set_apart(self, count: int) -> None:
        """Take the first problems for worked examples."""
        self.shots, self.problems, self.keys = self.problems[:count], self.problems[count:], self.keys[count:]


@register("qa")
@dataclass
class QA(Task):
    """Questions with answers from any table."""

    title: str = setting(
        "",
        "What the data is called in folder names, problem ids and tables; empty: qa.",
        fits=lambda one: not one.strip("-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        words=TITLE,
    )
    path: str = setting(
        "",
        "A JSONL, JSON, CSV, TSV or parquet file, a folder with such a file for each split, or a hub id.",
        path=True,
        least=1,
        hint="say where the problems are: task.path=FILE, a folder or a hub id",
    )
    subset: str = setting(
        "", "The configuration of the hub data set, by its own name; several: joined by +.", free=True
    )
    split: str = setting(
        "train", "The split of the training problems, by its own name, in a folder or on the hub.", least=1, free=True
    )
    revision: str = setting("", "Any branch, tag or commit of the hub data set.", free=True)
    test_path: str = setting("", "Where the test problems are, if not in `path`: as `path`.", path=True)
    test_subset: str = setting("", "As `subset`, of `test_path`, by its own name.", free=True)
    test_split: str = setting(
        "test", "The split of the test problems, by its own name, in a folder or on the hub.", least=1, free=True
    )
    test_revision: str = setting("", "Any branch, tag or commit of `test_path`.", free=True)
    test_share: float | None = setting(
        None,
        "The share of the different questions that are held out as test problems, by `task.seed`; null: 0.2 where "
        "the data is one file or a folder without a test file.",
        above=0,
        below=1,
    )
    question: str = setting("question", f"The question: {COLUMN}; several are joined by +.", least=1, free=True)
    gold: str = setting("answer", f"The right answer, or a text that marks it: {COLUMN}.", free=True)
    solution: str = setting("", f"The worked solution, if there is one: {COLUMN}.", free=True)
    choices: str = setting(
        "", "The choices of each question: any column that holds lists, or several joined by +.", free=True
    )
    id: str = setting("", "Any column that names a row, in problem ids; empty: its number.", free=True)
    shuffle_choices: bool = setting(False, "Whether the choices of each question are shuffled, by `task.seed`.")
    prompt: str = setting(
        "",
        "The user's turn, as any Jinja template over the row; it also has `question`, `choices`, `lettered` (the "
        "choices with their letters) and `row`. Empty: the question, its choices, and the form of the answer.",
        free=True,
    )
    system: str = setting("", "The system's turn, as any Jinja template like `prompt`; empty: none.", free=True)
    shots: str = setting(
        "",
        "Worked examples in the prompt: any file with the same columns, or a number: the first training rows.",
        free=True,
    )
    judge: str = setting(
        "auto",
        "How answers are judged: number, math, choice, text, regex, or python:FILE:FUNCTION; auto: choice where there "
        "are choices, else math.",
        fits=lambda one: one == "auto" or judging.known(one),
        words=f"one of: auto, {judging.KINDS}",
    )
    on_bad_row: str = setting(
        "stop", "What is done about rows that cannot be used: an error, or they are left out.", choices=("stop", "skip")
    )

    asks_with: ClassVar[tuple[str, ...]] = ("id", "question", "meta")
    judged_by: ClassVar[tuple[str, ...]] = ("judge",)

    @property
    def called(self) -> str:
        """See `Task.called`."""
        return self.title or self.name

    @property
    def sets(self) -> tuple[Split, ...]:
        """Train and test, and dev if the folder has one."""
        return (
            "train",
            "test",
            *([DEV] if self._source(DEV).files() and Path(self.path).expanduser().is_dir() else []),
        )

    def load(self, split: Split) -> Iterator[Problem]:
        """The problems of a set, or as many of them as are requested, drawn by `seed`, in the order of the rows.

        Raises:
            DataError: rows cannot be used and `on_bad_row` is `stop`, no rows can, or there are too few.
            ConfigError: a setting names a column that is not there, or a template does not fit the rows.
        """
        problems, size = [one for _, one in self._loaded[split].problems], self.size(split)
        if size is not None and size > len(problems):
            raise DataError(
                f"{self.requested(split)}, but the {split} set has {len(problems)} problems", "request fewer"
            )
        kept = range(len(problems))
        chosen = kept if size is None else sorted(random.Random(self.seed).sample(kept, size))
        yield from (problems[one] for one in chosen)

    def screen(self, problems: Iterable[Problem], reject: Callable[[Problem, str], None]) -> Iterator[Problem]:
        """All problems; the rows that `load` left out of their set are reported."""
        split: Split = ""
        for problem in problems:
            split = split or problem.id.removeprefix(f"{self.called}/").partition("/")[0]
            yield problem
        for place, reason in self._loaded[split].bad if split else []:
            reject(Problem(place, "", ""), reason)

    def instruct(self, question: str) -> str:
        """The question of a worked example, which is a whole prompt."""
        return question

    def user_turn(self, problem: Problem) -> str:
        """The prompt that `load` made of the row."""
        return str(json.loads(problem.meta)["prompt"])

    def system_turn(self, problem: Problem) -> str:
        """See `Task.system_turn`."""
        return str(json.loads(problem.meta).get("system", ""))

    def own_solution(self, problem: Problem) -> str:
        """See `Task.own_solution`."""
        return str(json.loads(problem.meta).get("solution", problem.solution))

    def worked_examples(self) -> list[tuple[str, str]]:
        """Those that `task.shots` names, as (prompt, worked solution)."""
        return self._shots if self.shots else []

    def verdicts(self, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        """See `tpt.tasks.judging`."""
        return self._judging.verdicts(pairs)

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        split, name = problem.id.removeprefix(f"{self.called}/").split("/", 1)
        where = self._source(split)
        return rows.place(where.path, where.split, f"{self.id} {name}" if self.id else f"row {name}", where.subset)

    def files(self) -> list[Path]:
        """See `Task.files`."""
        found = rows.files_of(map(self._source, self.sets))
        found += [Path(self.shots).expanduser()] if self._shots_file else []
        found += [self._judging.path] if isinstance(self._judging, judging.Python) else []
        return list(dict.fromkeys(found))

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        if self.test_path and self.test_share:
            raise ConfigError(
                "task.test_path and task.test_share both say what the test problems are", "give one of them"
            )
        if self.choices and not self._judging.takes_choices and not isinstance(self._judging, judging.Python):
            raise ConfigError(f"task.judge={self.judge} does not judge choices", "leave task.judge or task.choices out")
        if self._judging.takes_choices and not self.choices:
            raise ConfigError("task.judge=choice needs the choices", "name their column: task.choices=COLUMN")
        if self.few_shot:
            raise ConfigError(
                f"task.few_shot={self.few_shot}: the worked examples of qa are named", "set task.shots=N or FILE"
            )
        if self.shots and not self.shots.isdecimal() and not Path(self.shots).expanduser().is_file():
            raise ConfigError(
                f"task.shots={self.shots} is neither a number nor a file", "task.shots=4 or task.shots=FILE"
            )
        if not self.gold and not isinstance(self._judging, judging.Python):
            raise ConfigError("task.gold is empty", "name the column of the right answer: task.gold=COLUMN")
        self._judging.check()
        self._asked.check_syntax()

    # How rows become problems.

    @cached_property
    def _judging(self) -> judging.Judging:
        return judging.make(self.judge if self.judge != "auto" else "choice" if self.choices else "math")

    @cached_property
    def _asked(self) -> Asked:
        named = {name: getattr(self, name) for name in (*COLUMNS, "shuffle_choices", "seed", "prompt", "system")}
        return Asked(self.called, self._judging, **named)

    @property
    def _shots_file(self) -> bool:
        return bool(self.shots) and not self.shots.isdecimal()

    @property
    def _held_out(self) -> float:
        """The share of the rows that are held out; 0 if the test problems have a place of their own."""
        if self.test_share or self.test_path:
            return self.test_share or 0.0
        place = Path(self.path).expanduser()
        return SHARE if place.is_file() or (place.is_dir() and not rows.of_split(place, self.test_split)) else 0.0

    def _source(self, split: Split) -> rows.Source:
        """Where a set comes from; of one that is held out, where it is held out from."""
        if split == "test" and self.test_path:
            return rows.Source(self.test_path, self.test_split, self.test_subset, self.test_revision)
        own = {"train": self.split, "test": self.split if self._held_out else self.test_split}
        return rows.Source(self.path, own.get(split, split), self.subset, self.revision)

    @cached_property
    def _loaded(self) -> dict[Split, Loaded]:
        """All sets, each read once."""
        found = {split: self._read(split) for split in self.sets if split != "test" or not self._held_out}
        if self._held_out:
            found["train"], found["test"] = self._divide(found["train"])
        asked = {key: place for (place, _), key in zip(found["test"].problems, found["test"].keys, strict=True)}
        train = found["train"]
        self._settle(
            train, {at: f"asks the question of {asked[key]}" for at, key in enumerate(train.keys) if key in asked}
        )
        if self.shots.isdecimal():
            train.set_apart(int(self.shots))
        return found

    @cached_property
    def _shots(self) -> list[tuple[str, str]]:
        if self._shots_file:
            loaded = self._read("train", rows.Source(self.shots, self.split))
            if loaded.bad:
                raise DataError(f"task.shots: {self._wrong(loaded)}", "correct or remove them")
            found = loaded.problems
        else:
            found = self._loaded["train"].shots
        shown = [(self.user_turn(one), one.solution or self._asked.marked(one.gold)) for _, one in found]
        without = [place for (place, _), (_, solution) in zip(found, shown, strict=True) if not solution]
        if without:
            raise ConfigError(
                f"task.shots: {without[0]} has no worked solution", "name its column: task.solution=COLUMN"
            )
        return shown

    def _read(self, split: Split, source: rows.Source | None = None) -> Loaded:
        """The rows of a set as problems."""
        source = source or self._source(split)
        found, ids = Loaded(), dict[str, str]()
        placed = list(source.read(lambda place, error: found.bad.append(("", error.message))))
        self._asked.check_columns(source.path, [row for _, row in placed], split)
        for number, (place, row) in enumerate(placed, 1):
            try:
                problem, key = self._asked.problem(split, number, place, row)
                if problem.id in ids:
                    raise BadRow(f"has the id {problem.id.split('/', 2)[2]!r} of {ids[problem.id]}")
            except BadRow as error:
                found.bad.append((place, str(error)))
                continue
            ids[problem.id] = place
            found.problems.append((place, problem))
            found.keys.append(key)
        self._settle(found, {})
        return found

    def _settle(self, found: Loaded, reasons: dict[int, str]) -> None:
        """Leave out problems for reasons, and stop if anything is wrong and wrong rows are not to be skipped."""
        found.leave_out(reasons)
        if found.bad and (self.on_bad_row == "stop" or not found.problems):
            raise DataError(
                self._wrong(found),
                "correct them, or leave them out: task.on_bad_row=skip"
                if found.problems
                else "see task.* and the rows",
            )
        if not found.problems:
            raise DataError(f"{self.path} has no rows", "give a file with at least one row")

    @staticmethod
    def _wrong(found: Loaded) -> str:
        """How many rows cannot be used, and the first of them."""
        shown = "; ".join(f"{place} {reason}".strip() for place, reason in found.bad[:SHOWN])
        more = "; ..." if len(found.bad) > SHOWN else ""
        return f"{len(found.bad)} of {len(found.problems) + len(found.bad)} rows cannot be used: {shown}{more}"

    def _divide(self, found: Loaded) -> tuple[Loaded, Loaded]:
        """Hold out a share of the questions: those with the lowest hashes. Equal questions stay together."""

        def rank(key: str) -> bytes:
            return hashlib.sha256(f"{self.seed} {key}".encode()).digest()

        different = sorted(set(found.keys), key=rank)
        count = max(1, round(self._held_out * len(different)))
        if count >= len(different):
            raise DataError(
                f"{self.path} has {len(different)} questions, too few to hold some out", "give more, or task.test_path"
            )
        test, parts = set(different[:count]), (Loaded(bad=found.bad), Loaded())
        for (place, problem), key in zip(found.problems, found.keys, strict=True):
            part = parts[key in test]
            if key in test:
                problem.id = problem.id.replace("/train/", "/test/", 1)
            part.problems.append((place, problem))
            part.keys.append(key)
        return parts
