"""Grade-school word problems of one to four steps, generated from a seed: any number of them, without a data set."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tpt.errors import ConfigError
from tpt.records import Problem
from tpt.setting import setting
from tpt.tasks.base import Split, Task, register
from tpt.tasks.generated import OWN_LICENCE, different

# fmt: off
NAMES = (
    "Anna", "Ben", "Carla", "David", "Emma", "Felix", "Grace", "Hugo", "Iris", "Jack",
    "Kate", "Liam", "Mona", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor",
)
THINGS = (
    "apples", "books", "coins", "pens", "marbles", "stickers", "cookies", "cards", "shells", "stamps",
    "balloons", "eggs", "pencils", "toys", "candies", "flowers", "oranges", "beads", "stones", "tickets",
)
# fmt: on

# The generator uses other names and things and cannot make these, so they are in neither split.
SHOTS = [
    ("Zoe has 7 kites. Zoe buys 5 more. How many kites does Zoe have now?", "Zoe has 7 + 5 = 12 kites.\n#### 12"),
    (
        "Yuri has 4 boxes with 6 lamps in each box. Then Yuri loses 9 lamps. How many lamps does Yuri have now?",
        "Yuri has 4 * 6 = 24 lamps.\nThen Yuri has 24 - 9 = 15 lamps.\n#### 15",
    ),
    (
        "Wim has 15 hats. Wim gives 3 hats to a friend. Wim puts the hats into 4 equal groups. "
        "How many hats are in each group?",
        "Wim has 15 - 3 = 12 hats.\nEach group has 12 / 4 = 3 hats.\n#### 3",
    ),
    (
        "Xena has 8 drums. Yuri has 5 more drums than Xena. How many drums does Yuri have now?",
        "Yuri has 8 + 5 = 13 drums.\n#### 13",
    ),
    (
        "Zoe has 9 cups. Zoe finds 2 more cups. Zoe sells the cups for 3 dollars each. How many dollars does Zoe get?",
        "Zoe has 9 + 2 = 11 cups.\nZoe gets 11 * 3 = 33 dollars.\n#### 33",
    ),
    (
        "Wim has 20 ropes. Wim loses 6 ropes. How many ropes does Wim have now?",
        "Wim has 20 - 6 = 14 ropes.\n#### 14",
    ),
    (
        "Xena has 3 bags with 5 nuts in each bag. How many nuts does Xena have now?",
        "Xena has 3 * 5 = 15 nuts.\n#### 15",
    ),
    (
        "Yuri has 6 maps. Zoe has 2 times as many maps as Yuri. Zoe buys 4 more maps. How many maps does Zoe have now?",
        "Zoe has 6 * 2 = 12 maps.\nThen Zoe has 12 + 4 = 16 maps.\n#### 16",
    ),
]


@dataclass
class Story:
    """A problem in the making: who has how many of what, the sentences and the steps of the solution so far."""

    rng: random.Random
    largest: int
    who: str
    thing: str
    count: int = 0
    told: list[str] = field(default_factory=list)
    worked: list[str] = field(default_factory=list)
    people: set[str] = field(default_factory=set)

    def number(self, low: int, high: int) -> int:
        """A random number between `low` and `high`, both included."""
        return self.rng.randint(low, max(low, high))

    def other(self) -> str:
        """A person who is not in the story yet, because nobody may have two counts."""
        self.people.add(self.who)
        name = self.rng.choice([name for name in NAMES if name not in self.people])
        self.people.add(name)
        return name

    def step(self, left: int, sign: str, right: int) -> None:
        """Add a step to the solution: the count becomes `left sign right`."""
        self.count = {"+": left + right, "-": left - right, "*": left * right}[sign]
        word = "Then " if self.worked else ""
        self.worked.append(f"{word}{self.who} has {left} {sign} {right} = {self.count} {self.thing}.")


# How a story begins; each is one step.


def _has_and_buys(story: Story) -> None:
    a, b = story.number(2, story.largest), story.number(2, story.largest)
    verb = story.rng.choice(("buys", "finds", "gets"))
    story.told.append(f"{story.who} has {a} {story.thing}. {story.who} {verb} {b} more.")
    story.step(a, "+", b)


def _has_and_gives(story: Story) -> None:
    a = story.number(4, story.largest)
    b = story.number(2, a - 1)
    story.told.append(f"{story.who} has {a} {story.thing}. {_gives(story, b)}")
    story.step(a, "-", b)


def _has_boxes(story: Story) -> None:
    a, b = story.number(2, story.largest // 3), story.number(2, story.largest // 2)
    holder = story.rng.choice(("box", "bag", "basket", "jar"))
    plural = "boxes" if holder == "box" else f"{holder}s"
    story.told.append(f"{story.who} has {a} {plural} with {b} {story.thing} in each {holder}.")
    story.step(a, "*", b)


def _has_more_than(story: Story) -> None:
    a, b = story.number(2, story.largest), story.number(2, story.largest)
    first, story.who = story.who, story.other()
    story.told.append(f"{first} has {a} {story.thing}. {story.who} has {b} more {story.thing} than {first}.")
    story.step(a, "+", b)


def _has_times_as_many(story: Story) -> None:
    a, times = story.number(2, story.largest // 2), story.number(2, 4)
    first, story.who = story.who, story.other()
    story.told.append(f"{first} has {a} {story.thing}. {story.who} has {times} times as many {story.thing} as {first}.")
    story.step(a, "*", times)


# What happens next; each is one step.


def _gives(story: Story, b: int) -> str:
    verb = story.rng.choice(("gives {b} {things} to a friend", "loses {b} {things}", "sells {b} {things}"))
    return f"{story.who} {verb.format(b=b, things=story.thing)}."


def _then_gains(story: Story) -> None:
    b = story.number(2, story.largest)
    verb = story.rng.choice(("buys", "finds", "gets"))
    story.told.append(f"Then {story.who} {verb} {b} more {story.thing}.")
    story.step(story.count, "+", b)


def _then_gives(story: Story) -> None:
    b = story.number(2, min(story.count - 1, story.largest))
    story.told.append(f"Then {_gives(story, b)}")
    story.step(story.count, "-", b)


# How a story ends with a question; each is one step.


def _together(story: Story) -> str:
    b, friend = story.number(2, story.largest), story.other()
    total = story.count + b
    story.told.append(f"{friend} has {b} {story.thing}.")
    story.worked.append(f"Together they have {story.count} + {b} = {total} {story.thing}.")
    story.count = total
    return f"How many {story.thing} do {story.who} and {friend} have together?"


def _sold(story: Story) -> str:
    price = story.number(2, 5)
    total = story.count * price
    story.told.append(f"{story.who} sells the {story.thing} for {price} dollars each.")
    story.worked.append(f"{story.who} gets {story.count} * {price} = {total} dollars.")
    story.count = total
    return f"How many dollars does {story.who} get?"


def _grouped(story: Story) -> str:
    divisors = [d for d in range(2, 11) if story.count % d == 0 and d < story.count]
    if not divisors:
        return _together(story)
    groups = story.rng.choice(divisors)
    each = story.count // groups
    story.told.append(f"{story.who} puts the {story.thing} into {groups} equal groups.")
    story.worked.append(f"Each group has {story.count} / {groups} = {each} {story.thing}.")
    story.count = each
    return f"How many {story.thing} are in each group?"


OPENINGS: tuple[Callable[[Story], None], ...] = (
    _has_and_buys,
    _has_and_gives,
    _has_boxes,
    _has_more_than,
    _has_times_as_many,
)
EVENTS: tuple[Callable[[Story], None], ...] = (_then_gains, _then_gives)
ENDINGS: tuple[Callable[[Story], str], ...] = (_together, _sold, _grouped)


def tell(rng: random.Random, steps: int, largest: int) -> tuple[str, str, int]:
    """One problem.

    Args:
        steps: the number of calculations it takes.
        largest: the largest number in its sentences.

    Returns:
        question, worked solution ending `#### N`, answer.
    """
    story = Story(rng, largest, rng.choice(NAMES), rng.choice(THINGS))
    rng.choice(OPENINGS)(story)
    ends_on_a_step = steps > 1 and rng.random() < 0.5
    for _ in range(steps - 1 - ends_on_a_step):
        rng.choice(EVENTS if story.count > 3 else EVENTS[:1])(story)
    have_now = f"How many {story.thing} does {story.who} have now?"
    question = rng.choice(ENDINGS)(story) if ends_on_a_step else have_now
    solution = "\n".join([*story.worked, f"#### {story.count}"])
    return " ".join([*story.told, question]), solution, story.count


@register("word_problems")
@dataclass
class WordProblems(Task):
    """Generated word problems."""

    train_size: int | None = 300
    test_size: int | None = 200
    few_shot: int = 3
    min_steps: int = setting(1, "The fewest calculations that a problem takes.", low=1, high=4)
    max_steps: int = setting(2, "The most calculations that a problem takes.", low=1, high=4)
    largest: int = setting(20, "The largest number in a question.", low=8)

    def load(self, split: Split) -> Iterator[Problem]:
        """Problems that belong to this split by a hash of their question, whatever the seed.

        Raises:
            DataError: the settings do not allow that many different questions.
        """
        rng = random.Random(f"{self.seed} {split}")

        def draw() -> tuple[str, tuple[str, int]]:
            question, solution, answer = tell(rng, rng.randint(self.min_steps, self.max_steps), self.largest)
            return question, (solution, answer)

        size = self.size(split) or 0
        made = different(draw, split, size, "raise task.largest or task.max_steps, or request fewer problems")
        for number, (question, (solution, answer)) in enumerate(made):
            yield Problem(f"word_problems/{split}/{number}", question, str(answer), solution)

    def instruct(self, question: str) -> str:
        """The question and, without worked examples, how to answer it."""
        if self.few_shot:
            return question
        return f"{question}\nSolve it step by step, one short line a step. End with a last line `#### ` and the number."

    def origin(self, problem: Problem) -> str:
        """See `Task.origin`."""
        return f"generated by tpt: number {problem.id.rpartition('/')[2]} from task.seed={self.seed}"

    def known_licence(self) -> str:
        """See `Task.known_licence`."""
        return self.licence or OWN_LICENCE

    def worked_examples(self) -> list[tuple[str, str]]:
        """Worked examples written by hand, in neither split."""
        return SHOTS[: self.few_shot]

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        if self.min_steps > self.max_steps:
            raise ConfigError(
                f"task.min_steps={self.min_steps} task.max_steps={self.max_steps} is out of range",
                "1 <= min_steps <= max_steps <= 4",
            )
        self.check_few_shot(len(SHOTS))
        if self.train_size is None or self.test_size is None:
            raise ConfigError(
                "word_problems can generate any number of problems", "give task.train_size and task.test_size"
            )
