"""How a row of questions and answers becomes a problem: its columns, choices, prompt and worked solution."""

import json
import random
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tpt.errors import ConfigError, nearest
from tpt.records import Problem
from tpt.tasks import columns, judging
from tpt.tasks.base import Split
from tpt.tasks.columns import BadRow
from tpt.tasks.judging import Judging
from tpt.tasks.tables import Row
from tpt.tasks.templates import Prompt

COLUMNS = ("question", "gold", "choices", "id", "solution")


@dataclass
class Asked:
    """What is asked of a row.

    Attributes:
        called: what problem ids begin with.
        judging: what reads gold answers, and says which form of an answer is requested.
        question, gold, solution, choices, id: columns, see `QA`.
        shuffle_choices, seed: whether, and by which seed, the choices are shuffled.
        prompt, system: Jinja templates; empty: the default, and none.
    """

    called: str
    judging: Judging
    question: str
    gold: str
    choices: str
    id: str
    solution: str
    shuffle_choices: bool
    seed: int
    prompt: str
    system: str

    @cached_property
    def templates(self) -> dict[str, Prompt]:
        """The templates of the turns."""
        lettered = "\n\n{{ lettered }}" if self.choices else ""
        default = f"{{{{ question }}}}{lettered}\n\n{self.judging.asks}"
        found = {"prompt": Prompt(self.prompt or default, "task.prompt")}
        return found | ({"system": Prompt(self.system, "task.system")} if self.system else {})

    def check_syntax(self) -> None:
        """Check the templates before there is a row.

        Raises:
            ConfigError: one is no Jinja template.
        """
        for template in self.templates.values():
            template.check_syntax()

    def check_columns(self, path: str, found: list[Row], split: Split) -> None:
        """Check that each column that a setting names is in some row.

        Raises:
            ConfigError: one is in none; names those that are, the nearest first.
        """
        needed = [name for name in COLUMNS if getattr(self, name) and (name != "solution" or split == "train")]
        for name in needed if found else []:
            given = getattr(self, name)
            if any(columns.has(row, given) for row in found):
                continue
            parts = [one.strip() for one in given.split(columns.JOIN)]
            lacks = next((one for one in parts if not any(columns.has(row, one) for row in found)), given)
            there = list(dict.fromkeys(one for row in found[:100] for one in columns.names(row)))
            raise ConfigError(
                f"task.{name}={given}: {path} has no column {lacks!r}; it has {columns.nearest_first(lacks, there)}",
                nearest(lacks, there),
            )

    def problem(self, split: Split, number: int, place: str, row: Row) -> tuple[Problem, str]:
        """The problem in a row, and a text that is equal for equal questions.

        Args:
            number: of the row, which names the problem if no column does.
            place: of the row, for messages.

        Raises:
            BadRow: what is wrong with the row.
            ConfigError: a template does not fit it.
        """
        question = columns.text(self._value(row, self.question), "question")
        name = columns.text(self._value(row, self.id), "id") if self.id else str(number)
        choices = self._choices(row)
        value = self._value(row, self.gold) if self.gold else None
        gold = self.judging.gold(value, choices)
        if self.shuffle_choices and choices:
            right = choices[judging.LETTERS.index(gold)]
            random.Random(f"{self.seed} {question}").shuffle(choices)
            gold = judging.LETTERS[choices.index(right)]
        lettered = "\n".join(f"{letter}. {one}" for letter, one in zip(judging.LETTERS, choices, strict=False))
        meta = self.judging.meta(value, row) | self._rendered(place, row, question, choices, lettered)
        own = self._own(row, split)
        if own:
            meta["solution"] = own
        shown = f"{question}\n\n{lettered}" if choices else question
        key = " ".join(" ".join([question, *sorted(choices)]).casefold().split())
        worked = self._worked(own, gold)
        return Problem(f"{self.called}/{split}/{name}", shown, gold, worked, json.dumps(meta, default=str)), key

    def _own(self, row: Row, split: Split) -> str:
        """The worked solution in a row; "" if there is none, which only a training row must have."""
        if not self.solution or (split != "train" and not columns.has(row, self.solution)):
            return ""
        value = self._value(row, self.solution)
        return columns.text(value, "solution") if value or split == "train" else ""

    def _value(self, row: Row, name: str) -> Any:
        try:
            return columns.at(row, name)
        except KeyError as error:
            raise BadRow(f"has no column {name!r}; it has {columns.nearest_first(name, columns.names(row))}") from error

    def _choices(self, row: Row) -> list[str]:
        """The choices of a row, none twice, as many as there are letters at most."""
        if not self.choices:
            return []
        found = columns.texts(self._value(row, self.choices), "choices")
        if not 2 <= len(found) <= len(judging.LETTERS):
            raise BadRow(f"has {len(found)} choices; a question has 2 to {len(judging.LETTERS)}")
        twice = [one for at, one in enumerate(found) if one in found[:at]]
        if twice:
            raise BadRow(f"has the choice {twice[0][:60]!r} twice")
        return found

    def _rendered(self, place: str, row: Row, question: str, choices: list[str], lettered: str) -> dict[str, str]:
        """The prompt and the system's turn for a row.

        Raises:
            ConfigError: a template names what is not there, or leaves out the question or a choice.
        """
        values = row | {"row": row, "question": question, "choices": choices, "lettered": lettered}
        found = {}
        for name, template in self.templates.items():
            template.check(values)
            found[name] = template.render(values)
        seen = "".join(found["prompt"].split()).casefold()
        for what, one in [("question", question), *(("choice", choice) for choice in choices)]:
            if "".join(one.split()).casefold() not in seen:
                raise ConfigError(
                    f"task.prompt leaves out the {what} of {place}: {one[:60]!r}",
                    "write {{question}}" if what == "question" else "write {{lettered}}, or each of {{choices}}",
                )
        return found

    def _worked(self, own: str, gold: str) -> str:
        """A worked solution in the form that the default prompt requests; "" if the data has none."""
        return own if not own or "####" in own else f"{own}\n{self.marked(gold)}".strip()

    def marked(self, gold: str) -> str:
        """The answer alone as a completion; "" if the gold answer is none that a completion could give."""
        return "" if isinstance(self.judging, judging.Regex | judging.Python) else f"#### {gold}"
