"""The tracker: a line for each stage in a file of the run folder."""

from collections.abc import Mapping

from tpt import files
from tpt.runs.stage import Stage
from tpt.tracking import Tracker


class Lines(Tracker):
    title = "the tracker of lines"

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        files.append_jsonl(self.run.root / "lines.jsonl", {"stage": str(stage)})
