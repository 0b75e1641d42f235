"""What the design of some runs can see, said before they are run."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from rich.console import Console
from rich.text import Text

from tpt.errors import RunError
from tpt.evaluate import power
from tpt.evaluate.power import Assumed, Design
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.repetitions import repetitions
from tpt.settings.config import Config


def show_power(configs: Sequence[Config], console: Console) -> None:
    """Print what the design of some runs can see; those that differ only in their seed are trainings of one method."""
    runs = {run.root: run for run in map(Run.of, configs)}  # points of a sweep may be the same run
    for sentence in dict.fromkeys(map(_in_words, repetitions(list(runs.values())))):
        console.print(Text(sentence))


def _in_words(trainings: Sequence[Run]) -> str:
    """What the design of a method can see, or, where the number of problems is not known yet, which one it needs."""
    run, stage = trainings[0], table.evaluation(0)
    settings, size = run.config.evaluate, run.config.task.test_size
    with suppress(RunError):  # damaged figures are reported by those commands that need them
        if run.done(stage):
            counts = run.evaluation(0)["per_problem"]
            n, right = np.asarray(counts["n"]), np.asarray(counts["strict"])
            design = Design(n.size, settings.samples_per_problem, len(trainings))
            return power.in_words(design, Assumed.of_counts(n, right))
    sizes = [one for one in (settings.problems, size) if one]
    if not sizes:
        return power.unknown_in_words(settings.samples_per_problem, len(trainings), Assumed())
    return power.in_words(Design(min(sizes), settings.samples_per_problem, len(trainings)), Assumed())
