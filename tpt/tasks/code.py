"""What all code tasks share: the judge's settings, screening by reference solutions, and judging."""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tpt.artefacts import Marks
from tpt.errors import ConfigError
from tpt.judges import rules
from tpt.judges.code.program import Language, fenced
from tpt.judges.code.spec import Spec
from tpt.records import Problem, Sample, Verdict
from tpt.setting import setting
from tpt.tasks import rows
from tpt.tasks.base import Split, Task

if TYPE_CHECKING:
    from tpt.judges.code.stdio import Checker

LANGUAGES: tuple[Language, ...] = ("python", "cpp")


@dataclass
class CodeTask(Task):
    """A task whose solutions are programs."""

    language: str = setting("python", "What solutions are written in.", choices=LANGUAGES)
    sandbox: str = setting(
        "bwrap",
        "What keeps solutions apart from this machine. With `none` they run with your rights: only for input that you "
        "trust.",
        choices=("bwrap", "none"),
    )
    python: str = setting(
        "/usr/bin/python3",
        "The interpreter of Python solutions: any program under /usr, which the sandbox sees.",
        least=1,
        free=True,
    )
    seconds: float = setting(6.0, "CPU seconds for a test if the problem has no limit of its own.", above=0)
    time_factor: float = setting(
        5.0,
        "How many times a problem's own time limit is given, because contests set it for compiled languages.",
        above=0,
    )
    memory_mb: int = setting(512, "MiB for a solution; a problem's own limit counts if it is higher.", low=1)
    case_sensitive: bool = setting(False, "Whether the case of letters in an output counts.")
    references: int = setting(
        2,
        "How many of a problem's own reference solutions are run first; if one fails, the problem has several right "
        "answers or broken tests, and is set aside. 0: none, and no problem is set aside.",
        low=0,
    )
    workers: int | None = setting(None, "Threads that judge; null: one for each core.", low=1, runtime=True)

    partial_credit: ClassVar[bool] = True
    judged_by: ClassVar[tuple[str, ...]] = (
        *("sandbox", "python", "seconds", "time_factor", "memory_mb", "case_sensitive"),
    )

    EVERYTHING: ClassVar[dict[str, Any]] = {}  # settings with which nothing that can be judged is left out

    def screen(self, problems: Iterable[Problem], reject: Callable[[Problem, str], None]) -> Iterator[Problem]:
        """The problems whose reference solutions pass; those without any in a supported language pass too.

        Raises:
            SandboxError: see `Judge`.
        """
        from tpt.judges.code.judge import Judge  # slow to import, as is all that runs programs

        waiting: deque[tuple[Problem, int, str]] = deque()

        def jobs() -> Iterator[tuple[Spec, Language, str]]:
            for problem in problems:
                spec = Spec.of(problem)
                chosen = [] if spec.unusable else self.chosen(spec)
                waiting.append((problem, len(chosen), spec.unusable))
                for language, source in chosen:
                    yield spec, language, source

        with Judge(self.sandbox, self.python, self.workers) as judge:
            results = judge.results(jobs(), partial=False, checker=self.checker())
            result = next(results, None)  # reads as many problems as are judged at a time
            while waiting or result:
                problem, runs, failed = waiting.popleft()
                for _ in range(runs):
                    if not failed and result and result.passed != result.total:
                        failed = f"a reference fails test {result.first_failed}: {result.kind}"
                    result = next(results, None)
                if failed:
                    reject(problem, failed)
                else:
                    yield problem

    def verdicts(self, pairs: Iterable[tuple[Problem, Sample]], partial: bool = False) -> Iterator[Verdict]:
        """Run each sample's program on the problem's tests."""
        from tpt.judges.code.judge import Judge, verdicts

        language = self.spoken
        specs: dict[str, Spec] = {}

        def jobs() -> Iterator[tuple[Spec, Language, Sample]]:
            for problem, sample in pairs:
                if problem.id not in specs:
                    specs.clear()  # a problem's samples are together
                    specs[problem.id] = Spec.of(problem)
                yield specs[problem.id], language, sample

        with Judge(self.sandbox, self.python, self.workers) as judge:
            yield from verdicts(judge, jobs(), partial, self.checker())

    def rules(self) -> int:
        """The version of the rules for programs."""
        return rules.PROGRAMS

    def marks(self) -> Marks:
        """The sandbox and the interpreter of every verdict."""
        return {"sandbox": self.sandbox, "judge_python": self.python}

    def checker(self) -> "Checker":
        """How outputs are compared; override it for tasks whose problems have several right answers."""
        from tpt.judges.code.stdio import by_tokens

        return by_tokens

    @property
    def spoken(self) -> Language:
        """The language, with its precise type."""
        return "cpp" if self.language == "cpp" else "python"

    def chosen(self, spec: Spec) -> list[tuple[Language, str]]:
        """The reference solutions that screen a problem, those in the task's language first."""
        return sorted(spec.references, key=lambda one: one[0] != self.spoken)[: self.references]

    def human(self, spec: Spec) -> str:
        """The first reference solution in the task's language as a completion; "" if there is none."""
        return next(
            (fenced(source, self.spoken) for language, source in spec.references if language == self.spoken), ""
        )


@dataclass
class PythonTask(CodeTask):
    """A code task over rows whose tests are in Python, as its solutions are."""

    def files(self) -> list[Path]:
        """See `Task.files`."""
        return rows.files_of(self.source(split) for split in self.sets)

    def validate(self) -> None:
        """See `Task.validate`."""
        super().validate()
        self.check_few_shot(0)
        if self.language != "python":
            raise ConfigError(f"task.language={self.language}: the tests are in Python", "leave it out")

    @abstractmethod
    def source(self, split: Split) -> rows.Source:
        """Where the rows of a split come from."""
