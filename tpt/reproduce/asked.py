"""What the user of `tpt reproduce` asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpt.reproduce.arms import PlannedArm
from tpt.reproduce.experiment import Experiment, Scale
from tpt.settings.config import Config


@dataclass(frozen=True)
class Asked:
    """An experiment at a scale.

    Attributes:
        name: of the experiment.
        scale_name, scale: which model, tasks and sizes.
        arms: with all their trainings, in the order in which they are carried out.
        configs: of the arms, by name, as far as they are known.
        command: that was given, for the page.
    """

    name: str
    scale_name: str
    experiment: Experiment
    scale: Scale
    arms: Sequence[PlannedArm]
    configs: dict[str, Config]
    command: str
