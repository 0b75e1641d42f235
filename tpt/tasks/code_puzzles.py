"""Small stdin-to-stdout problems, generated from a seed with their tests, to try code tasks offline."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tpt.errors import ConfigError
from tpt.judges.code.program import fenced
from tpt.judges.code.spec import Spec
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks.base import Split, register
from tpt.tasks.code import CodeTask
from tpt.tasks.generated import OWN_LICENCE, different

TESTS = 8
# fmt: off
WORDS = (
    "level", "apple", "banana", "noon", "river", "stone", "kayak", "table", "radar", "window", "civic", "garden",
    "refer", "orange", "paper", "madam",
)
# fmt: on


Values = dict[str, int | str | list[int]]  # what a program has read, by the variables' names


@dataclass(frozen=True)
class Reading:
    """What a program reads.

    Attributes:
        words: how the question phrases it.
        name: what a solution's plan calls it.
        source: the program's first lines.
        draw: the values for one test, by name, and the text of its stdin.
    """

    words: str
    name: str
    source: str
    draw: Callable[[random.Random], tuple[Values, str]]


def _number(rng: random.Random) -> tuple[Values, str]:
    n = rng.randint(1, 60)
    return {"n": n}, f"{n}\n"


def _two_numbers(rng: random.Random) -> tuple[Values, str]:
    a, b = rng.randint(1, 60), rng.randint(1, 60)
    return {"a": a, "b": b}, f"{a}\n{b}\n"


def _numbers(rng: random.Random) -> tuple[Values, str]:
    numbers = [rng.randint(0, 20) for _ in range(rng.randint(1, 8))]
    return {"numbers": numbers}, " ".join(map(str, numbers)) + "\n"


def _word(rng: random.Random) -> tuple[Values, str]:
    word = rng.choice(WORDS)
    return {"word": word}, f"{word}\n"


ONE = Reading("Read a whole number n.", "n", "n = int(input())", _number)
TWO = Reading("Read two whole numbers a and b, one on each line.", "a and b",
              "a = int(input())\nb = int(input())", _two_numbers)  # fmt: skip
LIST = Reading("Read one line of whole numbers.", "the numbers", "numbers = list(map(int, input().split()))", _numbers)
WORD = Reading("Read a word.", "the word", "word = input()", _word)

# What is asked for, in words and as a Python expression; {k} is a small random number.
NUMBERS: list[tuple[Reading, str, str]] = [
    (ONE, "n plus {k}", "n + {k}"),
    (ONE, "n times {k}", "n * {k}"),
    (ONE, "{k} minus n", "{k} - n"),
    (ONE, "the square of n", "n * n"),
    (ONE, "the remainder of n divided by {k}", "n % {k}"),
    (ONE, "n divided by {k}, rounded down", "n // {k}"),
    (ONE, "the sum of all whole numbers from 1 to n", "sum(range(n + 1))"),
    (TWO, "the sum of a and b", "a + b"),
    (TWO, "the product of a and b", "a * b"),
    (TWO, "a minus b", "a - b"),
    (TWO, "the larger of a and b", "max(a, b)"),
    (TWO, "the smaller of a and b", "min(a, b)"),
    (TWO, "the distance between a and b", "abs(a - b)"),
    (TWO, "a plus {k} times b", "a + {k} * b"),
    (LIST, "their sum", "sum(numbers)"),
    (LIST, "the largest of them", "max(numbers)"),
    (LIST, "the smallest of them", "min(numbers)"),
    (LIST, "how many there are", "len(numbers)"),
    (LIST, "the largest minus the smallest", "max(numbers) - min(numbers)"),
    (LIST, "how many of them are greater than {k}", "sum(1 for x in numbers if x > {k})"),
    (LIST, "how many of them can be divided by {k}", "sum(1 for x in numbers if x % {k} == 0)"),
    (WORD, "its number of letters", "len(word)"),
    (WORD, "how many times the letter {c} is in it", "word.count('{c}')"),
]
TEXTS: list[tuple[Reading, str, str]] = [
    (ONE, "YES if n can be divided by {k}, else NO", "'YES' if n % {k} == 0 else 'NO'"),
    (ONE, "YES if n is greater than {k} times 5, else NO", "'YES' if n > {k} * 5 else 'NO'"),
    (TWO, "YES if a is greater than b, else NO", "'YES' if a > b else 'NO'"),
    (TWO, "YES if the sum of a and b can be divided by {k}, else NO", "'YES' if (a + b) % {k} == 0 else 'NO'"),
    (LIST, "YES if {k} is among them, else NO", "'YES' if {k} in numbers else 'NO'"),
    (LIST, "them in rising order, with a space between each", "' '.join(map(str, sorted(numbers)))"),
    (LIST, "them in reverse order, with a space between each", "' '.join(map(str, numbers[::-1]))"),
    (WORD, "the word backwards", "word[::-1]"),
    (WORD, "the word in capital letters", "word.upper()"),
    (WORD, "the word {k} times without spaces", "word * {k}"),
    (WORD, "YES if the word has the letter {c}, else NO", "'YES' if '{c}' in word else 'NO'"),
    (WORD, "YES if the word is the same backwards, else NO", "'YES' if word == word[::-1] else 'NO'"),
]
# A second step, applied to a number that is asked for.
SECOND = [("plus {m}", "{first} + {m}"), ("times {m}", "({first}) * {m}"), ("minus {m}", "{first} - {m}")]

# Written by hand; what they ask for is not among the above, so they are in neither split.
SHOTS: list[tuple[Reading, str, str]] = [
    (ONE, "n minus 1", "n - 1"),
    (TWO, "b if a is 0, else a", "b if a == 0 else a"),
    (LIST, "the first of them plus the last", "numbers[0] + numbers[-1]"),
    (WORD, "its first letter", "word[0]"),
]


@register("code_puzzles")
@dataclass
class CodePuzzles(CodeTask):
    """Generated problems of code."""

    train_size: int | None = 200
    test_size: int | None = 100
    few_shot: int = 3
    seconds: float = 2.0
    references: int = 1
    max_steps: int = setting(2, "The most calculations that a problem takes.", low=1, high=2)

    def load(self, split: Split) -> Iterator[Problem]:
        """Problems that belong to this split by a hash of their question, whatever the seed.

        Raises:
            DataError: the settings do not allow that many different questions.
        """
        rng = random.Random(f"{self.seed} {split}")

        def draw() -> tuple[str, tuple[Reading, str, str]]:
            asked = ask(rng, rng.randint(1, self.max_steps))
            return f"{asked[0].words} Print {asked[1]}.", asked

        size = self.size(split) or 0
        made = different(draw, split, size, "raise task.max_steps, or request fewer problems")
        for number, (question, (reading, words, expression)) in enumerate(made):
            spec = Spec(
                tests=examples(rng, reading, expression),
                seconds=self.seconds,
                memory_mb=self.memory_mb,
                case_sensitive=self.case_sensitive,
                references=[("python", program(reading, expression))],
            )
            solution = worked(reading, words, expression)
            yield Problem(f"code_puzzles/{split}/{number}", question, "", solution, spec.to_json())

    def instruct(self, question: str) -> str:
        """The question and, without worked examples, how to answer it."""
        if self.few_shot:
            return question
        return f"{question}\nSay in one line what the program does, then give it in one markdown block: ```python."

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        return f"generated by tpt: number {problem.id.rpartition('/')[2]} from task.seed={self.seed}"

    def known_licence(self) -> str:
        """See `Task.known_licence`."""
        return self.licence or OWN_LICENCE

    def worked_examples(self) -> list[tuple[str, str]]:
        """Worked examples that are in neither split."""
        return [
            (f"{reading.words} Print {words}.", worked(reading, words, expression))
            for reading, words, expression in SHOTS[: self.few_shot]
        ]

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        self.check_few_shot(len(SHOTS))
        if self.language != "python":
            raise ConfigError(f"task.language={self.language}: code_puzzles are in Python", "leave it out")
        if self.train_size is None or self.test_size is None:
            raise ConfigError("code_puzzles are generated", "give task.train_size and task.test_size")


def ask(rng: random.Random, steps: int) -> tuple[Reading, str, str]:
    """What one problem reads, what it asks for, and the expression that gives the answer."""
    reading, words, expression = rng.choice(NUMBERS if steps > 1 else NUMBERS + TEXTS)
    names = {"k": rng.randint(2, 9), "c": rng.choice("aeinor")}
    words, expression = words.format(**names), expression.format(**names)
    if steps > 1:
        more, whole = rng.choice(SECOND)
        second = rng.randint(2, 9)
        words, expression = f"{words}, {more.format(m=second)}", whole.format(first=expression, m=second)
    return reading, words, expression


def examples(rng: random.Random, reading: Reading, expression: str) -> list[tuple[str, str]]:
    """(stdin, stdout) for up to `TESTS` different inputs, not all with the same answer."""
    found: dict[str, str] = {}
    for _ in range(20 * TESTS):
        values, stdin = reading.draw(rng)
        value = eval(expression, {"__builtins__": __builtins__}, values)  # an expression from the tables above
        answer = f"{value}\n"
        full = len(found) >= TESTS - 1 and len({*found.values(), answer}) < 2
        if stdin not in found and not full:
            found[stdin] = answer
        if len(found) == TESTS:
            break
    return list(found.items())


def program(reading: Reading, expression: str) -> str:
    """The program that a person would write."""
    return f"{reading.source}\nprint({expression})"


def worked(reading: Reading, words: str, expression: str) -> str:
    """A worked solution, usable as a completion as it is."""
    return f"The program reads {reading.name} and prints {words}.\n{fenced(program(reading, expression), 'python')}"
