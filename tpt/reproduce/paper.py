"""The paper's own figures of an experiment: `experiments/NAME/paper.yaml`."""

import re
from dataclasses import dataclass, field
from typing import Any

from tpt.errors import ConfigError
from tpt.reproduce.experiment import Experiment, experiments_dir, read


@dataclass
class Paper:
    """Figures in percent; `correct@k` is a count.

    Attributes:
        source: where they stand.
        setting: the models and tasks they are of.
        arms: by arm and round (0: the baseline), e.g. `{pass@1: 41.9, pass@20: 76.0, correct@20: 380}`.
    """

    source: str = ""
    setting: str = ""
    arms: dict[str, dict[int, dict[str, Any]]] = field(default_factory=dict)

    def figures(self, arm: str, round: int) -> dict[str, float]:
        """The paper's figures of a round of an arm; empty if it has none."""
        return self.arms.get(arm, {}).get(round, {})

    def gain(self, arm: str, round: int) -> float | None:
        """The paper's gain in pass@1 over its baseline, in points."""
        before, after = self.figures(arm, 0), self.figures(arm, round)
        return after["pass@1"] - before["pass@1"] if before and after and round else None


def load_paper(name: str, experiment: Experiment) -> Paper | None:
    """The paper's figures for an experiment; None if the paper has none.

    Raises:
        ConfigError: the file is wrong, or has figures of an arm that the experiment does not have.
    """
    path = experiments_dir() / name / "paper.yaml"
    if not path.exists():
        return None
    paper = read(path, Paper)
    for arm, rounds in paper.arms.items():
        if arm not in experiment.arms:
            raise ConfigError(f"{name}/paper.yaml has figures for {arm}, which is not an arm of {name}")
        for figures in rounds.values():
            known = all(re.fullmatch(r"(pass|correct)@\d+", one) for one in figures)
            if (
                "pass@1" not in figures
                or not known
                or not all(isinstance(one, int | float) for one in figures.values())
            ):
                raise ConfigError(f"{name}/paper.yaml: the figures of {arm} must be pass@1, pass@K, correct@K")
    return paper
