"""Final answers judged per second: our judge against math-verify called on each one in this process.

    python benchmarks/answers.py

Problems and solutions are those of `word_problems`, whose gold answers are numbers; solutions are right, wrong,
formatted (`$1,234.00`, `**1234**`, a box, "The answer is"), or without an answer. math-verify is called as its README
shows: `verify(parse(gold), parse(completion))`. Our judge gives two verdicts for each, strict and lenient; the lenient
one must equal math-verify's. Both sides are timed as a whole, including our worker processes.
"""

import argparse
import random
from collections.abc import Iterator

from side_by_side import alternate, faster, save

from tpt.judges.answer import judge_texts
from tpt.records import Status
from tpt.settings.compose import compose

EACH = 10
MARK = 20.0

Pair = tuple[str, str]


def pairs(problems: int, seed: int) -> list[Pair]:
    """(gold, completion), `EACH` per problem."""
    rng = random.Random(seed)
    task = compose(["task=word_problems", f"task.train_size={problems}"]).task
    return [pair for problem in task.load("train") for pair in _of_problem(problem.gold, problem.solution, rng)]


def _of_problem(gold: str, solution: str, rng: random.Random) -> Iterator[Pair]:
    steps = solution.rpartition("####")[0]
    for _ in range(EACH):
        number = int(gold) if rng.random() < 0.5 else int(gold) + rng.randint(1, 20)
        dressed = [
            *[f"#### {number}"] * 6,
            f"#### ${number:,}",
            f"#### {number}.00",
            f"The answer is **{number}**.",
            f"So it is $\\boxed{{{number}}}$.",
        ]
        yield gold, steps + rng.choice(dressed) if rng.random() < 0.97 else "I do not know."


def ours(some: list[Pair]) -> list[bool]:
    """Lenient verdicts."""
    return [one.lenient is Status.CORRECT for one in judge_texts(some)]


def theirs(some: list[Pair]) -> list[bool]:
    """math-verify's verdicts."""
    from math_verify import parse, verify

    return [bool(verify(parse(gold), parse(text))) for gold, text in some]


def main() -> None:
    """Time both in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    some = pairs(options.problems, seed=0)
    theirs(some[:10])  # imports take seconds and are not what is measured
    times, given = alternate({"tpt": lambda: ours(some), "math-verify": lambda: theirs(some)}, options.turns)
    differ = [pair for pair, one, other in zip(some, given["tpt"], given["math-verify"], strict=True) if one != other]
    for gold, text in differ[:10]:
        print(f"differ: gold {gold!r}, completion ...{text[-60:]!r}")
    right = sum(given["tpt"])
    save(
        "answers",
        [
            faster(
                f"{len(some):,} solutions with numeric answers, {right:,} of them right",
                "math-verify on each",
                times.values(),
                (len(some), "answers"),
                MARK,
                same=f"{len(some) - len(differ):,} of {len(some):,} verdicts equal",
            )
        ],
    )


if __name__ == "__main__":
    main()
