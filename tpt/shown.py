"""A few problems of a task as a model will be asked them, and what the judge makes of the data's own solutions."""

from dataclasses import dataclass
from itertools import islice

from tpt import prompt
from tpt.chat import Message
from tpt.records import Problem, Sample, Status, Verdict
from tpt.settings.model import AS_IT_IS, ModelConfig
from tpt.tasks.base import Split, Task


@dataclass(frozen=True)
class Shown:
    """One problem.

    Attributes:
        messages: the chat that asks it.
        gold: the right answer; "" for a code task.
        solution: the data's own worked solution; "" if it has none.
        verdict: on that solution.
    """

    id: str
    messages: list[Message]
    gold: str
    solution: str
    verdict: Verdict | None

    @property
    def read(self) -> str:
        """What the judge reads from the solution, in words."""
        if self.verdict is None:
            return "the data has no worked solution"
        one = self.verdict
        lenient_only = one.status is Status.PARTIAL and one.lenient is Status.CORRECT
        said = "correct to the lenient reader only" if lenient_only else str(one.status).replace("_", " ")
        if one.total > 1:
            said += f", {one.passed} of {one.total} tests passed"
        if one.lenient_answer and one.status is not Status.NO_ANSWER:
            said = f"{one.lenient_answer!r} ({one.rule}): {said}"
        return f"{said} ({one.reason})" if one.reason else said


def first(
    task: Task, split: Split, count: int, model: ModelConfig = AS_IT_IS
) -> tuple[list[Shown], list[tuple[str, str]]]:
    """The first problems of a set that can be judged.

    Args:
        count: how many problems are looked at.
        model: says how its prompts are written.

    Returns:
        the problems, and id and reason of each that is left out.
    Raises:
        DataError: the problems cannot be read.
    """
    left_out: list[tuple[str, str]] = []

    def reject(problem: Problem, reason: str) -> None:
        left_out.append((problem.id, reason))

    problems = list(task.screen(islice(task.load(split), count), reject))
    own = {one.id: task.own_solution(one) for one in problems}
    pairs = [(one, Sample(one.id, 0, [], [], own[one.id], "stop")) for one in problems if own[one.id]]
    said = {verdict.problem_id: verdict for verdict in task.verdicts(pairs)}
    shown = [
        Shown(one.id, prompt.messages(one, task, model), one.gold, own[one.id], said.get(one.id)) for one in problems
    ]
    return shown, left_out
