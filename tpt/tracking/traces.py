"""Example traces: a few samples of an evaluation with their problems and verdicts, the same problems in every round."""

import dataclasses
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from tpt import artefacts, records
from tpt.errors import TptError, said
from tpt.pairs import paired
from tpt.records import Problem, Sample, Verdict
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trace:
    """One sample of an evaluation, as a row of a table."""

    stage: str
    problem: str
    question: str
    gold: str
    completion: str
    finish_reason: str
    verdict: str
    rule: str
    answer: str


COLUMNS = [item.name for item in dataclasses.fields(Trace)]


def traces(run: Run, stage: Stage, count: int) -> list[Trace]:
    """The first sample of each of the first `count` problems of an evaluation; none if its files are gone."""
    try:
        return list(_read(run, stage, count))
    except (TptError, OSError, LookupError) as error:  # of long ago, and gone: the figures remain
        logger.warning("the example traces of %s cannot be read (%s) and are not mirrored", stage, said(error))
        return []


def _read(run: Run, stage: Stage, count: int) -> Iterator[Trace]:
    folder = run.folder(stage)
    split = table.draws_of(run.config, stage).split
    problems = {one.id: one for one in islice(records.read(run.problems_path(split), Problem), count)}
    samples = records.read(records.shards(folder, artefacts.SAMPLES), Sample, records.LIGHT)
    verdicts = records.read(records.shards(folder, artefacts.VERDICTS), Verdict)
    firsts = ((sample, verdict) for sample, verdict in paired(samples, verdicts) if sample.index == 0)
    for sample, verdict in islice(firsts, count):
        problem = problems[sample.problem_id]
        yield Trace(
            str(stage),
            problem.id,
            problem.question,
            problem.gold,
            sample.text,
            sample.finish_reason,
            str(verdict.status),
            verdict.rule,
            verdict.lenient_answer,
        )
