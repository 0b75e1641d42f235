"""What an experiment is: `experiments/NAME/experiment.yaml`, typed and checked.

An experiment has arms, each a run given by its Hydra overrides. A scale says which model, tasks and sizes the same
design is run with; what all experiments share of a scale is in `experiments/scales.yaml`. In overrides and labels
`{name}` stands for one of the scale's values, `{run:ARM}` for another arm's run folder and `{model:ARM}` for the
checkpoint of its last round; an arm that names another is run after it.
"""

import dataclasses
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from tpt.analysis import ANALYSES
from tpt.errors import ConfigError, nearest
from tpt.evaluate.contrasts import EXPECTED
from tpt.evaluate.metrics import READERS

SCALES = ("paper", "laptop", "smoke")
ROUNDS = ("last", "all")
COLUMNS = ("pass@k", "correct@k", "well formed")
DEFAULT_SCALE = "laptop"
MOST_SEEDS = 100
BASELINE, PAPER = "baseline", "paper"  # what a contrast may name besides an arm


@dataclass
class Arm:
    """One run of an experiment.

    Attributes:
        label: what the tables call it.
        overrides: Hydra overrides, applied after the experiment's `base`.
        against: the arm that it is compared with, paired by problem; null: only with the baseline.
        scales: the scales at which it is part of the experiment.
    """

    label: str = ""
    overrides: list[str] = field(default_factory=list)
    against: str | None = None
    scales: list[str] = field(default_factory=lambda: list(SCALES))


@dataclass
class Contrast:
    """A comparison that was decided on before anything was run.

    Attributes:
        arm: whose checkpoint or method is compared.
        against: another arm, `baseline`, or `paper`: the paper's own gain in pass@1, at paper scale alone.
        measure: `pass@1`, `pass@k` for the largest k that is evaluated, pass@ and a number, or `maj@k`, the majority of
            all samples of a problem.
        expect: that it is `higher`, `lower`, `different` or `alike`.
        margin: for `alike` and `paper`, the points of difference that would still count as none.
        round: of the arm; null: the last.
        against_round: of the other side; null: the same round, or the last if the arm's round is the last.
        reader: whose verdicts count.
    """

    arm: str = ""
    against: str = BASELINE
    measure: str = "pass@1"
    expect: str = "higher"
    margin: float | None = None
    round: int | None = None
    against_round: int | None = None
    reader: str = "strict"

    def validate(self, where: str, arms: Collection[str]) -> None:
        """Check what types cannot.

        Raises:
            ConfigError: an unknown name, or a margin that is missing or means nothing.
        """
        _one_of(where, "arm", self.arm, arms)
        _one_of(where, "against", self.against, [*arms, BASELINE, PAPER])
        _one_of(where, "expect", self.expect, EXPECTED)
        _one_of(where, "reader", self.reader, READERS)
        if not re.fullmatch(r"pass@(k|[1-9]\d*)|maj@k", self.measure):
            raise ConfigError(
                f"{where}: measure={self.measure} is not known", "pass@1, pass@k, pass@ and a number, or maj@k"
            )
        if self.against == self.arm and self.round == self.against_round:
            raise ConfigError(f"{where}: {self.arm} is compared with itself", "name two rounds, or another arm")
        if (self.expect == "alike") != (self.margin is not None):
            raise ConfigError(f"{where}: expect={self.expect}, margin={self.margin}", "alike, and only that, needs one")
        if self.margin is not None and self.margin <= 0:
            raise ConfigError(f"{where}: margin={self.margin:g} points", "give the largest that is still none")
        if self.against == PAPER and (self.expect, self.measure) != ("alike", "pass@1"):
            raise ConfigError(f"{where}: the paper's figure is a gain in pass@1", "expect: alike, measure: pass@1")


@dataclass
class Scale:
    """The model, tasks and sizes that an experiment is run with.

    Attributes:
        overrides: of every arm, before the experiment's own.
        values: what `{name}` means; a list stands for several overrides.
        arms: runs that arms may name (`{model:ARM}`); run only if one does, and not part of the table.
        seeds: how often an arm is trained unless the user says `seeds=N`; once where it is not named.
        note: what the reader of a table must know about this scale.
        analysis: settings of the experiment's analysis, as `KEY=VALUE`.
    """

    overrides: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    arms: dict[str, list[str]] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    note: str = ""
    analysis: list[str] = field(default_factory=list)


@dataclass
class Experiment:
    """An experiment as its file has it.

    Attributes:
        title: of its tables.
        question: what it asks, in a sentence.
        rounds: which rounds of an arm the table shows: `last` or `all`.
        columns: what the table shows in addition to pass@1 by both readers.
        base: overrides of every arm.
        arms: by name, in the order of the table.
        scales: what is particular to this experiment at a scale.
        contrasts: the comparisons that the experiment is for; all others are exploratory.
        analysis: an analysis of the runs in addition to the table: one of `tpt.analysis.ANALYSES`.
    """

    title: str = ""
    question: str = ""
    rounds: str = "last"
    columns: list[str] = field(default_factory=lambda: ["pass@k"])
    base: list[str] = field(default_factory=list)
    arms: dict[str, Arm] = field(default_factory=dict)
    scales: dict[str, Scale] = field(default_factory=dict)
    contrasts: list[Contrast] = field(default_factory=list)
    analysis: str | None = None

    def validate(self, where: str) -> None:
        """Check what types cannot.

        Raises:
            ConfigError: an unknown name, or a missing entry.
        """
        for key in ("title", "question", "arms"):
            if not getattr(self, key):
                raise ConfigError(f"{where} lacks {key}")
        _one_of(where, "rounds", self.rounds, ROUNDS)
        for column in self.columns:
            _one_of(where, "columns", column, COLUMNS)
        if self.analysis:
            _one_of(where, "analysis", self.analysis, ANALYSES)
        for name, scale in self.scales.items():
            _one_of(where, "scales", name, SCALES)
            for repeated, count in scale.seeds.items():
                _one_of(where, f"scales.{name}.seeds", repeated, self.arms)
                if not 1 <= count <= MOST_SEEDS:
                    raise ConfigError(f"{where}: scales.{name}.seeds.{repeated}={count}", f"from 1 to {MOST_SEEDS}")
        for name, arm in self.arms.items():
            if not arm.label:
                raise ConfigError(f"{where}: the arm {name} lacks a label")
            if arm.against:
                _one_of(where, f"arms.{name}.against", arm.against, [one for one in self.arms if one != name])
            for scale_name in arm.scales:
                _one_of(where, f"arms.{name}.scales", scale_name, SCALES)
        for number, contrast in enumerate(self.contrasts):
            contrast.validate(f"{where}: contrasts[{number}]", self.arms)


@dataclass
class Shared:
    """`experiments/scales.yaml`: what the experiments share of each scale."""

    scales: dict[str, Scale] = field(default_factory=dict)


def experiments_dir() -> Path:
    """The folder of the experiments: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "experiments"
    return checkout if (checkout / "scales.yaml").exists() else package / "experiments"


def names() -> list[str]:
    """The names of all experiments."""
    return sorted(path.parent.name for path in experiments_dir().glob("*/experiment.yaml"))


def load(name: str) -> Experiment:
    """An experiment of `experiments/`.

    Raises:
        ConfigError: there is none of this name, or its file is wrong.
    """
    if name not in names():
        raise ConfigError(f"unknown experiment '{name}'", nearest(name, names()))
    path = experiments_dir() / name / "experiment.yaml"
    experiment = read(path, Experiment)
    experiment.validate(f"{name}/{path.name}")
    return experiment


def scale(experiment: Experiment, name: str) -> Scale:
    """A scale of an experiment: what all experiments share, and on top of that its own.

    Raises:
        ConfigError: there is no such scale.
    """
    _one_of("tpt reproduce", "scale", name, SCALES)
    common = read(experiments_dir() / "scales.yaml", Shared).scales[name]
    own = experiment.scales.get(name, Scale())
    return Scale(
        [*common.overrides, *own.overrides],
        common.values | own.values,
        common.arms | own.arms,
        common.seeds | own.seeds,
        " ".join(one for one in (common.note.strip(), own.note.strip()) if one),
        [*common.analysis, *own.analysis],
    )


Typed = TypeVar("Typed")


def read(path: Path, kind: type[Typed]) -> Typed:
    """A YAML file as a dataclass.

    Raises:
        ConfigError: an unknown key, or a value of the wrong type.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        merged = OmegaConf.merge(OmegaConf.structured(kind), OmegaConf.load(path))
        return OmegaConf.to_object(merged)  # type: ignore[return-value]  # to_object of a structured node is its class
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not YAML: {error}") from error
    except ConfigKeyError as error:
        parents, _, key = str(error.full_key).rpartition(".")
        hint = nearest(key, _fields(kind, parents.split(".") if parents else []))
        raise ConfigError(f"{where}: unknown key '{error.full_key}'", hint) from error
    except OmegaConfBaseException as error:
        key = f"{error.full_key}: " if error.full_key else ""
        raise ConfigError(f"{where}: {key}{str(error).splitlines()[0]}", "compare the others") from error


def _fields(kind: Any, parents: list[str]) -> list[str]:
    """The keys that the part of a dataclass under `parents` may have; a level of a dict takes any key."""
    for parent in parents:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            kind = next(item.type for item in dataclasses.fields(kind) if item.name == parent)
    found = [item.name for item in dataclasses.fields(kind)]
    for item in dataclasses.fields(kind):  # OmegaConf names no key of a list's element with its path
        inner = get_args(item.type)
        if get_origin(item.type) is list and dataclasses.is_dataclass(inner[0]):
            found += [one.name for one in dataclasses.fields(inner[0])]
    return found


def _one_of(where: str, key: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ConfigError(f"{where}: {key}={value} is not known; one of: {', '.join(known)}", nearest(value, known))
