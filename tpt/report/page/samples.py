"""The samples that the page shows: a seeded draw that keeps the page small, however large the runs are.

Problems are drawn, and the same ones are shown in every round of every run, so that they can be read side by side.
"""

import heapq
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tpt import records
from tpt.artefacts import SAMPLES, VERDICTS
from tpt.prune.select import hashed
from tpt.records import LIGHT, Example, Problem, Sample, Verdict
from tpt.report.rows import distinguishing, round_name
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.tasks.base import DEV, Split

BUDGET = 2_300_000  # bytes of all samples on the page
CANDIDATES = 400  # problems of a split that are looked at
SAMPLES_A_ROUND = (8, 4, 2, 1)  # of one problem: fewer where few problems would fit
ENOUGH = 40  # problems
LONGEST = 6_000  # characters of a text
THINKING = "training problems (thinking)"
# Of the sets that come first, in this order; the others follow as `evaluate.also` names them.
TITLES: dict[Split, str] = {
    table.TEST: "test problems (evaluation)",
    DEV: "dev problems (evaluation, to choose by)",
    table.TRAIN_SET: "training problems (evaluation)",
}
FIRST = (TITLES[table.TEST], TITLES[DEV], THINKING)

# A sample on the page is a list of these.
FIELDS = (
    *("column", "index", "text", "finish_reason", "kept"),
    *("status", "strict", "lenient", "rule", "strict_answer", "lenient_answer"),
    *("passed", "total", "kind", "first_failed", "reason"),
)
FROM_VERDICT = FIELDS[FIELDS.index("status") :]

Shown = list[str | int]  # a sample: the values of its fields, at first without the column


@dataclass(frozen=True)
class ShownProblem:
    """A problem with the samples of it that are shown, in the order of their columns."""

    id: str
    question: str
    gold: str
    solution: str
    samples: list[Shown]


@dataclass(frozen=True)
class ShownColumn:
    """One round of one run; `run` is its number among those of the report."""

    run: int
    round: int
    name: str


@dataclass(frozen=True)
class SampleSet:
    """The samples of one set of problems; `note` says how much of how much is shown."""

    title: str
    columns: list[ShownColumn]
    problems: list[ShownProblem]
    note: str


@dataclass(frozen=True)
class PageSamples:
    """All that the page's browser for samples shows.

    Attributes:
        fields: what the values of a sample are.
        runs: the runs' names.
        sets: one for each set of problems that has samples: of the run's own or of a benchmark.
    """

    fields: tuple[str, ...]
    runs: list[str]
    sets: list[SampleSet]


@dataclass(frozen=True)
class Problems:
    """The first problems of a file; `limit` None: all."""

    path: Path
    limit: int | None

    def ranked(self, seed: int, split: Split) -> Iterator[tuple[int, Problem]]:
        """Each problem with its place in the draw: of id and question, for ids are unique within a run only."""
        for one in islice(records.read(self.path, Problem), self.limit):
            yield hashed(seed, split, one.id, one.question), one


@dataclass
class Column:
    """One round of one run: where its samples and verdicts are.

    Attributes:
        number: of the run, among those of the report.
        sampled: the stage that sampled.
        judged: the stage that judged.
    """

    number: int
    run: Run
    split: Split
    sampled: Stage
    judged: Stage

    @property
    def title(self) -> str:
        """The name of the set of samples that it belongs to: of the same problems, sampled for the same purpose."""
        if not table.of(self.sampled).measures:
            return THINKING
        if self.split in self.run.config.benchmarks:
            return f"{self.split} (benchmark)"
        return TITLES.get(self.split, f"{self.split} problems (evaluation)")

    @property
    def problems(self) -> Problems:
        """The problems that were sampled; equal for all rounds of a run."""
        draws = table.draws_of(self.run.config, self.sampled)
        return Problems(self.run.problems_path(draws.split), draws.settings.problems)

    def samples(self) -> int:
        """How many there are."""
        return sum(records.count(path) for path in self._shards(self.sampled, SAMPLES))

    def draw(self, ids: set[str], seed: int) -> dict[str, list[Shown]]:
        """What the page may show of some problems: by problem its samples, each without its column, in drawn order."""
        judged = records.read(self._shards(self.judged, VERDICTS), Verdict, problem_ids=ids)
        verdicts = {(one.problem_id, one.index): one for one in judged}
        kept = self._kept(ids)
        drawn: dict[str, list[tuple[int, Shown]]] = {}
        for one in records.read(self._shards(self.sampled, SAMPLES), Sample, LIGHT, ids):
            verdict = verdicts.get((one.problem_id, one.index))
            if verdict is not None:
                shown: Shown = [one.index, _cut(one.text), one.finish_reason, (one.problem_id, one.text) in kept]
                found = (getattr(verdict, name) for name in FROM_VERDICT)
                shown += [_cut(value) if isinstance(value, str) else value for value in found]
                drawn.setdefault(one.problem_id, []).append((hashed(seed, one.problem_id, one.index), shown))
        most = SAMPLES_A_ROUND[0]
        return {name: [one for _, one in heapq.nsmallest(most, found)] for name, found in drawn.items()}

    def _shards(self, stage: Stage, name: str) -> list[Path]:
        return records.shards(self.run.folder(stage), name)

    def _kept(self, ids: set[str]) -> set[tuple[str, str]]:
        """(problem, text) of the round's own samples that became training examples."""
        path = self.run.examples_path(self.judged.round)
        if self.sampled == self.judged or not path.exists():  # nobody trains on the samples of an evaluation
            return set()
        examples = records.read(path, Example, ["problem_id", "source", "round", "text"], ids)
        new = (one for one in examples if one.source == "self" and one.round == self.judged.round)
        return {(one.problem_id, one.text) for one in new}


def collect(runs: list[Run], seed: int, budget: int = BUDGET) -> PageSamples:
    """What the page's browser for samples shows.

    Args:
        runs: of the report; a round whose samples are not judged yet, or whose files are gone, is left out.
        seed: of the draw of problems and of samples.
        budget: bytes.
    """
    columns = list(_columns(runs))
    together: dict[str, list[Column]] = {title: [] for title in FIRST}
    for column in columns:
        together.setdefault(column.title, []).append(column)
    found = {title: some for title, some in together.items() if some}
    sets = [_set(title, some, seed, budget // len(found)) for title, some in found.items()]
    names = [", ".join(f"{key}={value}" for key, value in labels.items()) for labels in distinguishing(runs)]
    return PageSamples(FIELDS, names, sets)


def _columns(runs: list[Run]) -> Iterator[Column]:
    for number, run in enumerate(runs):
        for stage in run.stages():
            judges = table.of(stage).judges
            if judges is None:
                continue
            sampled = judges(stage)
            column = Column(number, run, table.draws_of(run.config, sampled).split, sampled, stage)
            if run.done(stage) and run.problems_path(column.split).exists() and column.samples():
                yield column


def _set(title: str, columns: list[Column], seed: int, budget: int) -> SampleSet:
    split = columns[0].split
    sources = {column.problems for column in columns}
    ranks = {rank for source in sources for rank, _ in source.ranked(seed, split)}
    drawn = heapq.nsmallest(CANDIDATES, ranks)
    last = drawn[-1]
    found = {source: {rank: one for rank, one in source.ranked(seed, split) if rank <= last} for source in sources}
    problems = {rank: one for of_source in found.values() for rank, one in of_source.items()}
    samples: dict[int, list[list[Shown]]] = {rank: [] for rank in drawn}
    for column in columns:
        mine = found[column.problems]
        of_problem = column.draw({one.id for one in mine.values()}, seed)
        for rank in drawn:
            samples[rank].append(of_problem.get(mine[rank].id, []) if rank in mine else [])
    shown = _that_fit([(problems[rank], samples[rank]) for rank in drawn if any(samples[rank])], budget)
    return SampleSet(
        title,
        [ShownColumn(one.number, one.judged.round, round_name(one.judged.round)) for one in columns],
        shown,
        _note(shown, len(ranks), sum(column.samples() for column in columns), seed),
    )


def _that_fit(drawn: list[tuple[Problem, list[list[Shown]]]], budget: int) -> list[ShownProblem]:
    """As many problems as the budget allows, in drawn order; with fewer samples of each if that is too few problems."""
    shown: list[ShownProblem] = []
    for most in SAMPLES_A_ROUND:
        shown, left = [], budget
        for problem, by_column in drawn:
            entry = _entry(problem, by_column, most)
            left -= len(encode(entry))
            if left < 0:
                break
            shown.append(entry)
        if len(shown) >= min(ENOUGH, len(drawn)):
            break
    return shown


def _entry(problem: Problem, by_column: list[list[Shown]], most: int) -> ShownProblem:
    samples: list[Shown] = [[column, *one] for column, found in enumerate(by_column) for one in _by_index(found[:most])]
    return ShownProblem(_cut(problem.id), _cut(problem.question), _cut(problem.gold), _cut(problem.solution), samples)


def _by_index(samples: list[Shown]) -> list[Shown]:
    return sorted(samples, key=lambda one: one[0])


def _note(shown: list[ShownProblem], problems: int, samples: int, seed: int) -> str:
    count = sum(len(one.samples) for one in shown)
    if count == samples:
        return f"All {samples:,} samples are shown."
    return (
        f"{count:,} of {samples:,} samples are shown: {len(shown):,} of {problems:,} problems, and of each a few "
        f"samples a round, drawn with seed {seed}."
    )


def encode(value: object) -> bytes:
    """JSON that may stand in a `script` element: nothing in it can end the element; dataclasses become objects."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=vars)
    return text.replace("<", "\\u003c").encode()


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} [... {len(text) - LONGEST:,} more characters]"
