"""The train stage: fine-tune on the kept examples and export the model."""

from tpt.artefacts import Trained
from tpt.models import context_length
from tpt.progress import Progress
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.train.fit import fit


def train(run: Run, stage: Stage, progress: Progress) -> Trained:
    """Fine-tune the previous round's model (or the base model) on this round's examples."""
    settings = run.config.train
    start = run.base_model() if settings.start_from == "base" else run.model(stage.round - 1)
    examples = run.examples_path(stage.round)
    context = context_length(start, run.config.model)
    return fit(start, examples, run.folder(stage), settings, run.seed(stage), context, progress, run.config.model)
