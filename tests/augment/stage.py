"""What the stage does."""

import dataclasses
import os
import time

from augment.spec import MARKED
from tpt import artefacts, records
from tpt.progress import Progress
from tpt.records import Example
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Results, Stage

MARKER = "Again: "
SHARD = 8  # examples


def augment(run: Run, stage: Stage, progress: Progress) -> Results:
    """Write twice as many examples as the stage before has, the marked ones in shards first."""
    folder = run.folder(stage)
    examples = list(records.read(run.folder(table.before(stage)) / artefacts.EXAMPLES, Example))
    progress(0, len(examples), "examples")
    for start in range(0, len(examples), SHARD):
        path = records.shard_path(folder, MARKED, start // SHARD)
        if not records.is_whole(path):  # else an earlier attempt wrote it
            some = examples[start : start + SHARD]
            records.write(path, Example, (dataclasses.replace(one, text=MARKER + one.text) for one in some))
        progress(start, len(examples), "examples")
        time.sleep(float(os.environ.get("AUGMENT_SECONDS", "0")))
    copies = list(records.read(records.shards(folder, MARKED), Example))
    written = records.write(folder / artefacts.EXAMPLES, Example, [*examples, *copies])
    return {"marked": len(copies), "examples": written}
