"""Whether the examples of a round and the figures of an evaluation follow from samples and verdicts."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from tpt import records
from tpt.artefacts import EXAMPLES, Metrics, Prepared
from tpt.audit.finding import Finding
from tpt.audit.recorded import Recorded, Unchecked
from tpt.audit.samples import shard_files
from tpt.audit.tools import Tools
from tpt.errors import RunError
from tpt.evaluate import store
from tpt.evaluate.metrics import summarise
from tpt.prune.prune import prune
from tpt.records import Example, Sample, Verdict
from tpt.runs import identity, table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages import serving
from tpt.stages.evaluate import VERDICT, figures_of
from tpt.stages.prune import as_results, inputs_of
from tpt.stages.think import summary

# Figures that follow from verdicts alone.
BY_VERDICTS = (
    *("problems", "samples", "well_formed", "judge_error", "gold_unreadable", "unfinished_thinking", "statuses"),
    *("strict", "lenient", "per_problem"),
)


def draw(run: Recorded, stage: Stage, found: Finding, tools: Tools) -> None:
    """The examples of a round, drawn again from its samples and verdicts."""
    tools.tell(f"the draw of {stage}")
    samples, verdicts = shard_files(run, Stage(stage.round, table.THINK.name))
    if not samples or not verdicts:
        raise Unchecked(f"the {'verdicts' if samples else 'samples'} of the round are not in the folder")
    check_redraw(run)
    with TemporaryDirectory() as folder:
        now = Path(folder) / EXAMPLES
        counts = prune(inputs_of(run, stage), run.config.prune, stage.round, run.seed(stage), now)
        pairs = zip_longest(records.read(run.examples_path(stage.round), Example), records.read(now, Example))
        for row, (recorded, drawn) in enumerate(pairs, 1):
            found.compare(recorded == drawn, f"row {row}: {_difference(recorded, drawn)}")
    found.compare_values("the manifest", run.manifest(stage), as_results(counts))


def check_redraw(run: Run) -> None:
    """Check that what a draw needs beside samples and verdicts is here, and is what it was.

    Raises:
        Unchecked: it is not.
    """
    prune, prepared = run.config.prune, run.results(table.PREPARED, Prepared)
    try:
        identity.check(run.config, run.contents, ["prune.mode", "prune.from_run"])
    except RunError as error:
        raise Unchecked(error.message) from error
    if prune.from_run and not Path(prune.from_run).is_dir():
        raise Unchecked(f"the run that its examples are from is not at {prune.from_run}")
    foreign = run.config.think.teacher is not None and not serving.is_own(run)
    if (foreign or prune.source != "self") and not Path(prepared["model_dir"]).is_dir():
        raise Unchecked(
            f"its examples are encoded with the tokenizer of the base model, not at {prepared['model_dir']}"
        )


def _difference(recorded: Example | None, drawn: Example | None) -> str:
    if recorded is None or drawn is None:
        one, verb = (drawn, "would be drawn and is") if recorded is None else (recorded, "would not be drawn but is")
        return f"a solution to {one.problem_id if one else '?'} {verb}{' not' if recorded is None else ''} there"
    if recorded.problem_id != drawn.problem_id:
        return f"a solution to {recorded.problem_id}, and one to {drawn.problem_id} would be drawn"
    if recorded.text == drawn.text:
        return f"the tokens of a solution to {recorded.problem_id} are not those that were sampled"
    return f"another solution to {recorded.problem_id} than the one that would be drawn"


def figures(run: Recorded, stage: Stage, found: Finding, tools: Tools) -> None:
    """The figures of an evaluation, computed again from its samples and the recorded verdicts."""
    tools.tell(f"figures of {stage}")
    samples, verdicts = shard_files(run, stage)
    if not verdicts:
        raise Unchecked("its verdicts are not in the folder")
    now: Mapping[str, Any]
    if samples:
        now = cast(Mapping[str, Any], computed(run, stage, samples, verdicts, tools))
    else:
        found.add_note("from verdicts alone, as its samples are not in the folder: not how long and varied they are")
        whole = summarise(_stubs(verdicts), records.read(verdicts, Verdict, VERDICT), _settings(run, stage))
        now = {name: whole[name] for name in BY_VERDICTS}  # type: ignore[literal-required]  # they are its keys
    recorded = store.load(run.folder(stage))
    headline = {name: value for name, value in now.items() if name != store.PER_PROBLEM}
    found.compare_values("metrics.json", cast(Mapping[str, Any], recorded), headline)
    found.compare_values("the manifest", cast(Mapping[str, Any], run.manifest(stage)), {"metrics": headline})
    for name, column in recorded["per_problem"].items():
        same = np.array_equal(np.asarray(column), np.asarray(now["per_problem"].get(name, ())))
        found.compare(same, f"per_problem.parquet has another {name} than samples and verdicts give")


def computed(run: Run, stage: Stage, samples: list[Path], verdicts: list[Path], tools: Tools) -> Metrics:
    """The figures of an evaluation from its samples and some verdicts on them."""
    tokens = summary(run.folder(stage))["tokens"]
    try:
        folder = tools.folder(run, stage)
    except Unchecked:  # it is needed only for samples that think
        folder = run.trained_model(stage.round)
    return figures_of(run, stage, samples, verdicts, tokens, folder)


def _settings(run: Run, stage: Stage) -> Any:
    return table.evaluation_settings(run.config, stage)


def _stubs(verdicts: list[Path]) -> Iterator[Sample]:
    """Samples of which no more is known than that there are verdicts on them."""
    for one in records.read(verdicts, Verdict, ("problem_id", "index")):
        yield Sample(one.problem_id, one.index, [], [], "", "")
