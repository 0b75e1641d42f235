"""What a stage is: one step of one round, and the record that declares all there is to know about its kind."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.settings.sampling import SampleConfig
from tpt.tasks.base import Task

Results = Mapping[str, Any]  # of one stage, as JSON; `tpt.artefacts` has a type for each kind

_NAMED = re.compile(r"round-(\d+)/([a-z_]+)(?:-([a-z0-9_]+))?")


@dataclass(frozen=True, order=True)
class Stage:
    """One stage of one round, e.g. `Stage(1, "think")`.

    Attributes:
        round: 0 is before any training.
        name: of its record in `runs.table`.
        which: of several stages of that name in a round, which one; "" is the main one. An evaluation is named after
            the set of problems or the benchmark that it samples, a command by its own name.
    """

    round: int
    name: str
    which: str = ""

    def __str__(self) -> str:
        beside = f"-{self.which}" if self.which else ""
        return f"round-{self.round:02d}/{self.name}{beside}"

    @property
    def slug(self) -> str:
        """The stage as one word, for the names of files and jobs."""
        return str(self).replace("/", "-")

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """The stage that `str` gave this text for.

        Raises:
            ValueError: it is not one.
        """
        found = _NAMED.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} names no stage")
        return cls(int(found[1]), found[2], found[3] or "")


@dataclass(frozen=True)
class Draws:
    """What a stage samples.

    Attributes:
        split: whose problems.
        settings: how many completions, at which temperature, ...
        model: the settings of the model that samples.
        round: the round whose model that is; 0: the base model; None: it is a teacher, which is never trained.
        task: phrases the prompts and judges.
    """

    split: str
    settings: SampleConfig
    model: ModelConfig
    round: int | None
    task: Task


def _nothing(_: Stage, __: Any) -> dict[str, float | str]:
    return {}


@dataclass(frozen=True)
class StageSpec:
    """One kind of stage, declared once. Everything else that treats stages differently asks this record.

    Attributes:
        name: the folder in a round, and the name in every command.
        function: `module:name` of what does it, called with (run, stage, progress) and returning its results. The
            module, which may need torch or an engine, is imported only in the process that does the stage.
        inputs: the stages whose files it reads.
        made: a hash of what it hands on, from its folder and its results: two attempts with the same outcome have
            the same one.
        plan: a line that says how much work it is, from the settings.
        outcome: a line that says what came of it, from its results.
        sections: the sections of the settings that its results depend on.
        facts: what else they depend on, as plain JSON.
        names: what the settings name on this machine that it reads, as keys of `identity.NAMED`.
        version: of its rules. Raising it does the stage again, and what follows from it only where its outcome is
            another one. The first version is 1.
        keeps: patterns of files in its folder that a raised version does not make worthless.
        progress_files: patterns of files in its folder that it adds or replaces as it advances. A job that meets its
            time limit several times without a change in these is given up.
        draws: what it samples, if it does. Several engines share such a stage, each with shards of its own.
        finishes: with `draws`, the name of the job that finishes the stage once its engines are done; "" leaves that
            to the first stage that needs it.
        judges: whose samples it writes verdicts on, if it does.
        trains: whether it trains: one process for each device, and checkpoints to go on from when it is interrupted.
        computes: whether a program of the user's loads the model in it, which needs the GPUs of an engine.
        measures: whether its results are figures of a model, which `rounds=auto` and reports read.
        resources: the section of `cluster.*` that says what its jobs request.
        shared: whether another run with the same settings may reuse what it made.
        seeded: whether its results depend on the seed and on the number of its round.
        columns: what a report shows of it in further columns of its own.
    """

    name: str
    function: str
    inputs: Callable[[Config, Stage], list[Stage]]
    made: Callable[[Path, Any], str]
    plan: Callable[[Config, Stage], str]
    outcome: Callable[[Any], str]
    sections: tuple[str, ...] = ()
    facts: Callable[[Config, Stage], dict[str, Any]] = lambda *_: {}
    names: tuple[str, ...] = ()
    version: Callable[[Config, Stage], int] = lambda *_: 1
    keeps: tuple[str, ...] = ()
    progress_files: tuple[str, ...] = ()
    draws: Callable[[Config, Stage], Draws] | None = None
    finishes: str = ""
    judges: Callable[[Stage], Stage] | None = None
    trains: bool = False
    computes: bool = False
    measures: bool = False
    resources: str = "cpu"
    shared: bool = True
    seeded: bool = True
    columns: Callable[[Stage, Any], dict[str, float | str]] = _nothing
