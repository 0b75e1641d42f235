"""From an experiment at a scale to the overrides of each arm, in an order in which each comes after those it names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tpt.errors import ConfigError, nearest
from tpt.reproduce.experiment import MOST_SEEDS, Experiment, Scale
from tpt.runs.folder import Run
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.overrides import quoted_path

VALUE = re.compile(r"\{([a-z]\w*)\}")
NAMED = re.compile(r"\{(run|model):([\w.-]+)\}")


@dataclass
class PlannedArm:
    """An arm with all its overrides, in which only the names of other arms' runs are still missing.

    Attributes:
        label: "" for an arm that only other arms need.
        against: the arm it is compared with.
        of: the arm of the experiment that it is a training of; several seeds make several trainings of one.
    """

    name: str
    label: str
    overrides: list[str]
    against: str | None = None
    of: str = ""

    def __post_init__(self) -> None:
        """An arm with one training is named after itself."""
        self.of = self.of or self.name

    @property
    def needs(self) -> list[str]:
        """The arms whose runs it names."""
        return list(dict.fromkeys(found[1] for one in self.overrides for found in NAMED.findall(one)))

    def resolved(self, runs: Mapping[str, Run]) -> list[str]:
        """The overrides with the folders of the runs that they name."""
        return [NAMED.sub(lambda found: _folder(found[1], runs[found[2]]), one) for one in self.overrides]


def plan(experiment: Experiment, scale_name: str, scale: Scale, extra: Sequence[str] = ()) -> list[PlannedArm]:
    """The arms of an experiment at a scale.

    Args:
        extra: the user's overrides, which take precedence.

    Raises:
        ConfigError: a `{name}` without a value at this scale, an arm that does not exist, or arms that wait for each
            other.
    """
    head = [*scale.overrides, *experiment.base]
    arms = {
        name: PlannedArm(
            name,
            _filled(arm.label, scale.values),
            [*expand([*head, *arm.overrides], scale.values), *extra],
            arm.against,
        )
        for name, arm in experiment.arms.items()
        if scale_name in arm.scales
    }
    for name, overrides in scale.arms.items():
        arms.setdefault(name, PlannedArm(name, "", [*expand(overrides, scale.values), *extra]))
    ordered: dict[str, PlannedArm] = {}

    def add(name: str, waiting: tuple[str, ...]) -> None:
        if name not in arms:
            raise ConfigError(f"{waiting[-1]} names the run of {name}, which is not an arm here", nearest(name, arms))
        if name in waiting:
            raise ConfigError(f"arms wait for each other: {' -> '.join([*waiting, name])}")
        for need in arms[name].needs:
            add(need, (*waiting, name))
        ordered.setdefault(name, arms[name])

    for name, arm in arms.items():
        if arm.label:
            add(name, ())
    return list(ordered.values())


def repeated(arms: Sequence[PlannedArm], first: int, counts: Mapping[str, int]) -> list[PlannedArm]:
    """The arms once for each of their seeds; what only other arms need, such as a teacher, is trained once for all.

    Args:
        first: the seed of the arms as they were planned; the others follow it.
        counts: how often an arm is trained, by name; once where it is not named.

    Raises:
        ConfigError: an arm names another one's run that is trained less often.
    """
    times = {arm.name: counts.get(arm.name, 1) for arm in arms if arm.label}
    for arm in arms:
        for need in arm.needs:
            if times.get(need, MOST_SEEDS) < times.get(arm.name, 1):
                reason = f"{arm.name} is trained {times[arm.name]} times, and {need}, whose run it names, {times[need]}"
                raise ConfigError(reason, f"train {need} as often")

    def named(arm: str, seed: int) -> str:
        return arm if seed == first or arm not in times else f"{arm}.seed{seed}"

    def again(arm: PlannedArm, seed: int) -> PlannedArm:
        def renamed(found: "re.Match[str]") -> str:
            return f"{{{found[1]}:{named(found[2], seed)}}}"

        overrides = [NAMED.sub(renamed, one) for one in arm.overrides]
        return PlannedArm(named(arm.name, seed), arm.label, [*overrides, f"seed={seed}"], arm.against, arm.name)

    seeds = range(first + 1, first + max(times.values()))
    return [*arms, *(again(arm, seed) for seed in seeds for arm in arms if seed < first + times.get(arm.name, 1))]


def expand(overrides: Sequence[str], values: Mapping[str, object]) -> list[str]:
    """Overrides with the scale's values for each `{name}`; a list that replaces a whole override makes several of it.

    Raises:
        ConfigError: there is no such value.
    """
    found: list[str] = []
    for one in overrides:
        whole = VALUE.fullmatch(one)
        value = values.get(whole[1]) if whole else None
        if isinstance(value, list):
            found += expand(value, values)
        else:
            found.append(_filled(one, values))
    return found


def compose_all(arms: Sequence[PlannedArm], done: Callable[[Run], bool]) -> dict[str, Config]:
    """The config of each arm as far as it is known: an arm's run gets its name when the arms it needs are done.

    Args:
        done: whether a run has done all it was asked for.
    """
    runs: dict[str, Run] = {}
    configs: dict[str, Config] = {}
    for arm in arms:
        configs[arm.name] = compose(arm.resolved(runs), pending=not all(done(runs[need]) for need in arm.needs))
        runs[arm.name] = Run.of(configs[arm.name])
    return configs


def _filled(text: str, values: Mapping[str, object]) -> str:
    def value(found: "re.Match[str]") -> str:
        if found[1] not in values:
            raise ConfigError(f"'{text}' names {{{found[1]}}}, which has no value", nearest(found[1], values))
        return str(values[found[1]])

    return VALUE.sub(value, text)


def _folder(what: str, run: Run) -> str:
    return quoted_path(run.root if what == "run" else run.trained_model(run.rounds))
