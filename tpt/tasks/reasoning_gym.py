"""Any generator of reasoning-gym (an extra: pip install 'think-prune-train[gym]'), judged by its own score."""

import importlib.util
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tpt.errors import ConfigError, DataError, nearest
from tpt.records import Problem, Sample, Status, Verdict, overall
from tpt.setting import setting
from tpt.tasks.base import Split, Task, register

TUPLE = "__tuple__"
FAR = 10**7  # item i is seeded with seed + i, so the splits' seeds must be far apart


@register("reasoning_gym")
@dataclass
class ReasoningGym(Task):
    """A reasoning-gym data set."""

    train_size: int | None = 300
    test_size: int | None = 200
    dataset: str = setting("", "The data set's name in reasoning-gym, e.g. `chain_sum`; any that it has.", free=True)
    settings: dict[str, Any] = setting({}, "The data set's own settings, e.g. {max_terms: 4}.")

    def load(self, split: Split) -> Iterator[Problem]:
        """Items of the split; questions of worked examples, of the test split, and duplicates are skipped.

        Raises:
            DataError: the generator makes too few different questions.
        """
        taken = {question for question, _ in self.worked_examples()}
        taken |= set() if split == "test" else {problem.question for problem in self.load("test")}
        size = self.size(split) or 0
        made = 0
        for index, item in enumerate(self._items(FAR if split == "test" else 0, 4 * size)):
            question = item["question"].strip()
            if question in taken:
                continue
            taken.add(question)
            meta = _packed({"answer": item["answer"], "index": index, "metadata": item["metadata"]})
            answer = str(item["answer"])
            # If many answers are right, some generators give none: then there is no worked solution either.
            solution = "" if item["answer"] is None else f"#### {answer}"
            yield Problem(f"{self.dataset}/{split}/{index}", question, answer, solution, json.dumps(meta, default=str))
            made += 1
            if made == size:
                return
        raise DataError(
            f"{self.dataset} gives only {made} of {size} different {split} questions with these settings",
            "request fewer, or make the questions more varied with task.settings",
        )

    def instruct(self, question: str) -> str:
        """The item's question and the form of the answer."""
        return f"{question}\nThink step by step. End with a last line `#### ` and the answer alone."

    def worked_examples(self) -> list[tuple[str, str]]:
        """Items with an answer that are in neither split; they only show the form of the answer."""
        return self._worked

    @cached_property
    def _worked(self) -> list[tuple[str, str]]:
        items = self._items(2 * FAR, 4 * self.few_shot) if self.few_shot else iter(())
        answered = [
            (item["question"].strip(), f"#### {item['answer']}") for item in items if item["answer"] is not None
        ]
        return answered[: self.few_shot]

    def verdicts(self, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        """The generator's own score of the marked answer: 1 is correct, anything else above 0 is partial."""
        from tpt.judges.answer import marked_answers

        scorer = self._dataset(0, 1)
        for problem, sample in pairs:
            strict, lenient, rule = marked_answers(sample.text)
            item = json.loads(problem.meta, object_hook=lambda made: tuple(made[TUPLE]) if TUPLE in made else made)
            if "\n" in problem.gold:
                strict, lenient, rule = _rest(sample.text), _rest(sample.text), "hash_marks"
            item["question"] = problem.question
            by_strict = _score(scorer, item, strict)
            by_lenient = _score(scorer, item, lenient)
            status = overall(by_strict, by_lenient)
            yield Verdict(
                sample.problem_id,
                sample.index,
                status,
                by_strict,
                by_lenient,
                rule,
                strict,
                lenient,
                int(status is Status.CORRECT),
            )

    def validate(self) -> None:
        """See `Task.validate`; the extra must be installed, and the data set must exist."""
        super().validate()
        if self.train_size is None or self.test_size is None:
            raise ConfigError(
                "reasoning_gym can generate any number of problems", "give task.train_size and task.test_size"
            )
        if importlib.util.find_spec("reasoning_gym") is None:
            raise ConfigError("reasoning-gym is not installed", "pip install 'think-prune-train[gym]'")
        from reasoning_gym.factory import DATASETS

        if self.dataset not in DATASETS:
            hint = nearest(self.dataset, DATASETS)
            raise ConfigError(f"reasoning-gym has no data set '{self.dataset}'", hint)
        self._dataset(0, 1)  # this checks the settings
        self.check_few_shot(len(self.worked_examples()))

    def _dataset(self, offset: int, size: int) -> Any:
        import reasoning_gym

        try:
            return reasoning_gym.create_dataset(self.dataset, size=size, seed=self.seed + offset, **self.settings)
        except (TypeError, AssertionError, ValueError) as error:
            raise ConfigError(f"task.settings of {self.dataset}: {error}", "see that data set's own config") from error

    def _items(self, offset: int, size: int) -> Iterator[dict[str, Any]]:
        dataset = self._dataset(offset, size)
        return (dataset[index] for index in range(size))


def _packed(value: Any) -> Any:
    """The value with its tuples marked: JSON turns them into lists, and some scorers compare tuples."""
    match value:
        case tuple():
            return {TUPLE: [_packed(one) for one in value]}
        case list():
            return [_packed(one) for one in value]
        case dict():
            return {key: _packed(one) for key, one in value.items()}
    return value


def _rest(text: str) -> str:
    """All lines after the first `####`: an answer that is a grid takes more than one."""
    return text.partition("####")[2].removeprefix(" ").strip("\n").rstrip()


def _score(scorer: Any, item: dict[str, Any], answer: str) -> Status:
    if not answer:
        return Status.NO_ANSWER
    try:
        score = float(scorer.score_answer(answer=answer, entry=item))
    except Exception:  # some generators raise on answers they cannot read
        return Status.JUDGE_ERROR
    from tpt.judges import numbers

    same = numbers.parse(answer)
    if same is not None and same == numbers.parse(str(item["answer"])):
        return Status.CORRECT
    if score >= 1:
        return Status.CORRECT
    # Several generators give 0.01 for any answer at all.
    return Status.PARTIAL if score > 0.05 else Status.WRONG
