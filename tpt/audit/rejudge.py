"""What would be otherwise under another judge, from the samples that are there."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tpt import records
from tpt.artefacts import EXAMPLES, VERDICTS, Metrics
from tpt.audit.changed import changed
from tpt.audit.recorded import Recorded, Unchecked, sample_shards
from tpt.audit.rounds import check_redraw, computed
from tpt.audit.samples import both, same, shard_files
from tpt.audit.tools import Tools
from tpt.errors import DataError, EmptyPrune, RunError
from tpt.evaluate.intervals import Interval
from tpt.evaluate.metrics import READERS
from tpt.prune.prune import prune
from tpt.records import Example, Problem, Sample, Status, Verdict
from tpt.report.report import sentences
from tpt.report.rows import collect
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages.judge import verdicts_on, verdicts_path
from tpt.stages.prune import inputs_of

SHOWN = 10  # changed verdicts that are shown with their texts
NUMBERS = re.compile(r"[+-]?\d+(?:\.\d+)?")


class Rejudged(Recorded):
    """A run whose verdicts are other ones, which lie in another folder."""

    elsewhere: Path
    evaluated: dict[Stage, Metrics]

    @classmethod
    def of_run(cls, run: Recorded, overrides: Sequence[str], elsewhere: Path) -> "Rejudged":
        """A run under other settings of its judge.

        Args:
            elsewhere: takes what is made anew.
        """
        found = cls(run.root, changed(run.config, overrides), run.contents)
        found.elsewhere, found.evaluated = elsewhere, {}
        return found

    def figures(self, stage: Stage) -> Metrics:
        """The figures by the new verdicts; those recorded of an evaluation that was not judged again."""
        return self.evaluated[stage] if stage in self.evaluated else super().figures(stage)

    def new_folder(self, stage: Stage) -> Path:
        """Where what a stage would make is put."""
        return self.elsewhere / str(stage)


@dataclass
class Change:
    """A verdict that changes."""

    stage: str
    before: Verdict
    after: Verdict
    text: str


@dataclass
class Verdicts:
    """The new verdicts on what one stage sampled.

    Attributes:
        samples: how many were judged again.
        changes: from one status to another, by reader, how many.
        why_not: why they were not judged again.
    """

    stage: str
    samples: int = 0
    changes: dict[str, Counter[tuple[Status, Status]]] = field(
        default_factory=lambda: {reader: Counter() for reader in READERS}
    )
    why_not: str = ""


@dataclass
class Kept:
    """What one round would keep.

    Attributes:
        before, after: how many examples.
        added, removed: of these.
        why_not: why it was not drawn again.
    """

    round: int
    before: int = 0
    after: int = 0
    added: int = 0
    removed: int = 0
    why_not: str = ""


@dataclass
class Figure:
    """A figure of an evaluation before and after, with their intervals."""

    stage: str
    name: str
    before: Interval
    after: Interval


@dataclass
class Sentence:
    """A sentence of the report before and after.

    Attributes:
        survives: whether it says the same, if with other figures.
    """

    before: str
    after: str
    survives: bool


@dataclass
class Rejudgement:
    """All that would be otherwise."""

    verdicts: list[Verdicts] = field(default_factory=list)
    first: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)

    @property
    def first_to_train(self) -> int | None:
        """The first round that would train on other examples; None: all stay as they are."""
        return next((one.round for one in self.kept if one.added or one.removed), None)


def check_out(out: Path | None, run: Run) -> None:
    """Check that what is made anew can be kept in a folder.

    Raises:
        RunError: it is there already, or in the run.
    """
    if out and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is there already and is not empty", "give a new folder: --out DIR")
    if out and out.resolve().is_relative_to(run.root.resolve()):
        raise RunError(f"{out} is in the run, which stays as it is", "give a folder outside it: --out DIR")


def rejudge(run: Recorded, new: Rejudged, tools: Tools) -> Rejudgement:
    """Judge what a run sampled under another judge, and follow what changes.

    Args:
        new: the run under the other judge.

    Raises:
        RunError: none of the samples is there.
        DataError: the problems cannot be read as the new judge needs them.
    """
    found = Rejudgement()
    again = new.config.prune == run.config.prune or new.config.task != run.config.task or _raised(run)
    anew = _problems(new) if again and _reads_problems_anew(run, new) else {}
    judged = [stage for stage in run.sampled() if again and run.record(table.judged_in(stage))]
    found.verdicts = [_judge(run, new, stage, anew, found.first, tools) for stage in judged]
    if found.verdicts and all(one.why_not for one in found.verdicts):
        raise RunError(
            f"none of the samples of {run.name} can be judged again: {found.verdicts[0].why_not}",
            "judge in a copy of the run that has them",
        )
    found.kept = [_draw(run, new, round, tools) for round in range(1, run.rounds + 1) if _pruned(run, round)]
    for stage in judged:
        if table.of(stage).measures and verdict_files(new, stage):
            found.figures += _figures(run, new, stage, tools)
    found.sentences = _sentences(run, new)
    return found


def _raised(run: Recorded) -> bool:
    return any(run.rules_changed(stage) for stage in run.stages() if run.record(stage))


def _pruned(run: Recorded, round: int) -> bool:
    return run.record(Stage(round, table.PRUNE.name)) is not None


def _reads_problems_anew(run: Run, new: Run) -> bool:
    """Whether the new settings also say how a row becomes a problem, as its gold answer or its time limit."""
    return any(getattr(run.config.task, name) != getattr(new.config.task, name) for name in new.config.task.judged_by)


def _problems(new: Run) -> dict[str, Problem]:
    task = new.config.task
    return {one.id: one for split in task.sets for one in task.load(split)}


def _judge(
    run: Recorded, new: Rejudged, stage: Stage, anew: dict[str, Problem], first: list[Change], tools: Tools
) -> Verdicts:
    """Give new verdicts on what a stage sampled, and write them elsewhere; `first` takes the first that change."""
    found = Verdicts(str(stage))
    own = table.task_of(new.config, stage) is new.config.task
    try:
        for number, problems, path in sample_shards(run, stage):
            tools.tell(f"judging {stage}, shard {number + 1}")
            asked = _as_read_now(problems, anew) if anew and own else problems
            out = records.shard_path(new.new_folder(stage), VERDICTS, number)
            records.write(out, Verdict, verdicts_on(new, stage, asked, path))
            _compare(run, stage, number, path, out, found, first)
    except Unchecked as why:
        found.why_not = str(why)
    return found


def _as_read_now(problems: list[Problem], anew: dict[str, Problem]) -> list[Problem]:
    lost = [one.id for one in problems if one.id not in anew]
    if lost:
        raise DataError(
            f"under these settings {len(lost)} problems cannot be used, e.g. {lost[0]}",
            "choose settings under which every gold answer can be read",
        )
    return [anew[one.id] for one in problems]


def _compare(
    run: Recorded, stage: Stage, number: int, samples: Path, out: Path, found: Verdicts, first: list[Change]
) -> None:
    recorded = records.read(verdicts_path(run, stage, number), Verdict)
    differing: dict[tuple[str, int], tuple[Verdict, Verdict]] = {}
    for before, after in both(recorded, records.read(out, Verdict)):
        found.samples += 1
        for reader in READERS:
            one, other = getattr(before, reader), getattr(after, reader)
            if one != other:
                found.changes[reader][one, other] += 1
        if not same(before, after) and len(first) + len(differing) < SHOWN:
            differing[before.problem_id, before.index] = before, after
    if differing:
        for sample in records.read(samples, Sample, ("problem_id", "index", "text")):
            if (sample.problem_id, sample.index) in differing:
                first.append(Change(str(stage), *differing[sample.problem_id, sample.index], sample.text))


def verdict_files(new: Rejudged, stage: Stage) -> list[Path]:
    """The new verdict shards on what a stage sampled; the recorded ones if they are not given anew."""
    made = records.shards(new.new_folder(stage), VERDICTS)
    return made or shard_files(new, stage)[1]


def _draw(run: Recorded, new: Rejudged, round: int, tools: Tools) -> Kept:
    """Draw a round's examples by the new verdicts."""
    stage, found = Stage(round, table.PRUNE.name), Kept(round)
    tools.tell(f"the draw of {stage}")
    out = new.new_folder(stage) / EXAMPLES
    try:
        before = _solutions(run.examples_path(round))
        check_redraw(new)
        inputs = inputs_of(new, stage)
        thought = Stage(round, table.THINK.name)
        inputs.verdicts = verdict_files(new, thought)
        if not inputs.samples:
            raise Unchecked("the samples of the round are not in the folder")
        earlier = new.new_folder(Stage(round - 1, table.PRUNE.name)) / EXAMPLES
        inputs.earlier = earlier if inputs.earlier and earlier.exists() else inputs.earlier
        prune(inputs, new.config.prune, round, new.seed(stage), out)
        after = _solutions(out)
    except EmptyPrune:
        after = Counter()
    except Unchecked as why:
        found.why_not = str(why)
        return found
    found.before, found.after = before.total(), after.total()
    found.added, found.removed = (after - before).total(), (before - after).total()
    return found


def _solutions(path: Path) -> Counter[tuple[str, str]]:
    if not path.exists():
        raise Unchecked("the examples of the round are not in the folder")
    return Counter((one.problem_id, one.text) for one in records.read(path, Example, ("problem_id", "text")))


def _figures(run: Recorded, new: Rejudged, stage: Stage, tools: Tools) -> Iterator[Figure]:
    """The figures of an evaluation by the new verdicts, beside the recorded ones."""
    tools.tell(f"figures of {stage}")
    samples, _ = shard_files(run, stage)
    if not samples:
        return
    before = run.figures(stage)
    after = new.evaluated[stage] = computed(new, stage, samples, verdict_files(new, stage), tools)
    for reader in READERS:
        for k in before[reader]["pass@k"]:
            ends = before[reader]["pass@k"][k], after[reader]["pass@k"][k]
            yield Figure(str(stage), f"pass@{k} {reader}", *(Interval(**one) for one in ends))


def _sentences(run: Recorded, new: Rejudged) -> list[Sentence]:
    pairs = zip(_said(run), _said(new), strict=True)
    return [Sentence(one, other, NUMBERS.sub("#", one) == NUMBERS.sub("#", other)) for one, other in pairs]


def _said(run: Run) -> list[str]:
    """What the report says in words."""
    return [words for words, _ in sentences([run], collect([run]), [])]
