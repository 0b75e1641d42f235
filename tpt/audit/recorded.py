"""A run as its files left it, whatever rules are in force today, and what its stages sampled."""

from collections.abc import Iterator
from pathlib import Path

from tpt import artefacts, checkpoint, records
from tpt.artefacts import Prepared
from tpt.errors import Damaged, RunError
from tpt.records import Problem
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.stages.sharding import problem_shards, samples_path


class Unchecked(Exception):
    """Something cannot be looked at, which says nothing against it; the message says why."""


class Recorded(Run):
    """A run of which those stages are done that once were, also if the rules of their judge have changed since."""

    def version(self, stage: Stage) -> int:
        """The version of the rules that a stage followed; of one that is not done, today's."""
        record = self.record(stage)
        return record.version if record else super().version(stage)

    def rules_changed(self, stage: Stage) -> bool:
        """Whether the rules that a finished stage followed are not those of today."""
        return self.version(stage) != super().version(stage)

    def sampled(self) -> list[Stage]:
        """The finished stages that sample."""
        return [stage for stage in self.stages() if table.of(stage).draws and self.record(stage)]

    def is_capsule(self) -> bool:
        """Whether the folder is a capsule, which holds no weights."""
        return (self.root / artefacts.CAPSULE).exists()


def sample_shards(run: Run, stage: Stage) -> Iterator[tuple[int, list[Problem], Path]]:
    """The number, the problems and the file of each sample shard of a stage.

    Raises:
        Unchecked: all of them are gone.
        Damaged: some are.
    """
    if not records.shards(run.folder(stage), artefacts.SAMPLES):
        raise Unchecked("its samples are not in the folder")
    for number, problems in enumerate(problem_shards(run, stage)):
        path = samples_path(run, stage, number)
        if not path.exists():
            raise Damaged(f"{path} is gone", "restore it from a copy of the run", path)
        yield number, problems, path


def sampled_with(run: Run, stage: Stage) -> list[Path]:
    """The folders in which the tokenizer of a sampling stage may lie, the best first.

    Trained checkpoints have the tokenizer of the base model.
    """
    prepared, round = run.results(table.PREPARED, Prepared), table.draws_of(run.config, stage).round
    if round is None:
        return [Path(prepared["teacher_dir"])]
    return [*([run.trained_model(round)] if round else []), Path(prepared["model_dir"])]


def tokenizer_folder(run: Run, stage: Stage, given: Path | None = None) -> Path:
    """A folder with the tokenizer that a stage sampled with.

    Args:
        given: by the user, for a run from another machine.

    Raises:
        Unchecked: it is not on this machine.
    """
    candidates = [given] if given else sampled_with(run, stage)
    for folder in candidates:
        if any((folder / name).is_file() for name in (*checkpoint.TOKENIZER_FILES, "tokenizer.model")):
            return folder
    raise Unchecked(f"there is no tokenizer in {candidates[-1]}; name its folder with --tokenizer")


def check_round(run: Recorded, round: int) -> None:
    """Check that a round has examples that were trained on, or will be.

    Raises:
        RunError: there is no such round, or its examples are not there yet.
    """
    rounds = f"it has the rounds 1 to {run.rounds}"
    if not 1 <= round <= run.rounds:
        raise RunError(f"{run.name} has no round {round} that trains", f"give another --round; {rounds}")
    stage = table.trained_on(round)
    if run.record(stage) is None:
        raise run.damage(stage) or RunError(
            f"round {round} of {run.name} has kept no examples yet", "`tpt status` shows how far it is"
        )
