"""A stage of a user's own, between prune and train: each example once more, its completion behind a marker."""

import dataclasses
import os
import time

from tpt import artefacts, records
from tpt.progress import Progress
from tpt.records import Example
from tpt.run import identity, table
from tpt.run.folder import Run
from tpt.run.stage import Results, Stage, StageSpec
from tpt.settings.config import Config

MARKER = "Again: "


def augment(run: Run, stage: Stage, progress: Progress) -> Results:
    """Write twice as many examples as the stage before has."""
    examples = list(records.read(run.folder(table.before(stage)) / artefacts.EXAMPLES, Example))
    progress(0, len(examples), "examples")
    time.sleep(float(os.environ.get("AUGMENT_SECONDS", "0")))
    marked = [dataclasses.replace(one, text=MARKER + one.text) for one in examples]
    written = records.write(run.folder(stage) / artefacts.EXAMPLES, Example, [*examples, *marked])
    return {"marked": len(marked), "examples": written}


def _inputs(_: Config, stage: Stage) -> list[Stage]:
    return [table.before(stage)]


AUGMENT = StageSpec(
    name="augment",
    function="augment:augment",
    inputs=_inputs,
    made=lambda folder, _: identity.of_files([folder / artefacts.EXAMPLES]),
    plan=lambda *_: "each example once more, marked",
    outcome=lambda results: f"{results['marked']} marked copies",
    columns=lambda _, results: {"marked copies": results["marked"]},
)
