"""TensorBoard: an event file for each finished stage, and one for the report, in the run folder.

A file gets its name when it is whole, and the name says what it holds. So a run that is killed and continued leaves
out nothing and has nothing twice, with no record of ours beside the files.
"""

import dataclasses
import io
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from tpt import artefacts, markdown
from tpt.errors import ConfigError
from tpt.runs import table
from tpt.runs.stage import Stage
from tpt.settings.tracker import TrackerConfig
from tpt.tracking.base import Tracker
from tpt.tracking.figures import curve, figures, version
from tpt.tracking.traces import traces

if TYPE_CHECKING:
    from tpt.report import Report

FOLDER = "tensorboard"
UNFINISHED = ".unfinished"  # TensorBoard does not take it for an event file

Event = tuple[int, list[Any]]  # a step, and `Summary.Value`s


class TensorBoard(Tracker):
    """Mirrors a run to event files in the run folder. Figures of stages are at their round, curves at their steps."""

    title = "TensorBoard"
    package = "tensorboard"

    @classmethod
    def check(cls, settings: TrackerConfig) -> None:
        """As for every tracker; and it has no server."""
        super().check(settings)
        if settings.mode == "online":
            raise ConfigError(
                "tracker.mode=online, but TensorBoard has no server that runs are sent to", "set tracker.mode=offline"
            )

    def send(self, stage: Stage, record: Mapping[str, object]) -> None:
        """Write a stage's figures, curve and example traces, unless they are there."""
        self._write(stage.slug, str(record.get("made", ""))[:8], lambda: self._of_stage(stage, record))

    def send_report(self, report: "Report") -> None:
        """Write the report's table and figure, unless they are there."""
        rounds = max((row.round for row in report.rows), default=0)

        def events() -> list[Event]:
            shown = report.table.with_name(artefacts.TABLE).read_text(encoding="utf-8")
            return [(rounds, [_text("report/table", shown), _image("report/pass_at_k", report.figure)])]

        self._write("report", version(report), events)

    def _of_stage(self, stage: Stage, record: Mapping[str, object]) -> list[Event]:
        values = [_scalar(name, value) for name, value in figures(stage, record).items()]
        if stage == table.PREPARED:
            config = self.run.config_path.read_text(encoding="utf-8")
            values.append(_text("config", f"```yaml\n{config}\n```"))
        if table.of(stage).measures and (rows := traces(self.run, stage, self.settings.traces)):
            shown = [{name: str(cell) for name, cell in dataclasses.asdict(one).items()} for one in rows]
            values.append(_text("traces", markdown.table(shown, _one_line)))
        steps = [(step, [_scalar(*one) for one in line.items()]) for step, line in curve(self.run, stage)]
        return [(stage.round, values), *steps]

    def _write(self, what: str, made: str, events: Callable[[], Iterable[Event]]) -> None:
        """Write the event file of one thing in place of the one of an earlier version of it.

        Args:
            what: a stage, or the report.
            made: which version of it; a file of this version is left as it is.
        """
        folder = self.run.root / FOLDER
        folder.mkdir(exist_ok=True)
        with FileLock(folder / ".lock"):
            before = list(folder.glob(f"events.*.{what}.*"))
            if any(path.name.endswith(f".{what}.{made}") for path in before):
                return
            # TensorBoard, while it runs, reads on only in files that are sorted after those it has read.
            path = folder / f"events.out.tfevents.{time.time_ns()}.{what}.{made}"
            unfinished = folder / UNFINISHED
            unfinished.write_bytes(_encoded(events()))
            unfinished.replace(path)
            for one in before:
                one.unlink(missing_ok=True)


def _encoded(events: Iterable[Event]) -> bytes:
    """An event file's content."""
    from tensorboard.compat.proto.event_pb2 import Event as Record
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    content, now = io.BytesIO(), time.time()
    writer = RecordWriter(content)
    writer.write(Record(wall_time=now, file_version="brain.Event:2").SerializeToString())
    for step, values in events:
        writer.write(Record(wall_time=now, step=step, summary=Summary(value=values)).SerializeToString())
    return content.getvalue()


def _scalar(name: str, value: float) -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Summary.Value(tag=name, simple_value=value)


def _text(name: str, markdown: str) -> Any:
    from tensorboard.plugins.text.summary_v2 import text_pb

    return text_pb(name, markdown).value[0]


def _image(name: str, path: Path) -> Any:
    """A PNG file, whose size is in its header."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    content = path.read_bytes()
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    image = Summary.Image(encoded_image_string=content, width=width, height=height, colorspace=4)
    return Summary.Value(tag=name, image=image)


def _one_line(cell: str) -> str:
    """What a model wrote, in a cell of a Markdown table."""
    return markdown.plain(cell).replace("\n", "<br>")


TRACKER = TensorBoard
