"""What the stage does."""

import dataclasses
import os
import time

from tpt import artefacts, records
from tpt.progress import Progress
from tpt.records import Example
from tpt.run import table
from tpt.run.folder import Run
from tpt.run.stage import Results, Stage

MARKER = "Again: "


def augment(run: Run, stage: Stage, progress: Progress) -> Results:
    """Write twice as many examples as the stage before has."""
    examples = list(records.read(run.folder(table.before(stage)) / artefacts.EXAMPLES, Example))
    progress(0, len(examples), "examples")
    time.sleep(float(os.environ.get("AUGMENT_SECONDS", "0")))
    marked = [dataclasses.replace(one, text=MARKER + one.text) for one in examples]
    written = records.write(run.folder(stage) / artefacts.EXAMPLES, Example, [*examples, *marked])
    return {"marked": len(marked), "examples": written}
