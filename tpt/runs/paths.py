"""Where everything of a run lies.

<run_root>/<model>-<task>-<prune>-<fingerprint>/
    run.json  config.yaml  metrics.jsonl  stopped.json  logs/  report/
    round-00/prepare/  round-00/evaluate/
    round-01/think/  round-01/judge/  round-01/prune/  round-01/train/  round-01/evaluate/
    round-02/...
"""

from pathlib import Path

from tpt import artefacts
from tpt.runs import table
from tpt.runs.stage import Stage


class Paths:
    """The paths of a run folder.

    Args:
        root: the run folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """The folder's name, which is the run's name everywhere."""
        return self.root.name

    @property
    def head_path(self) -> Path:
        """The file that makes a folder a run folder."""
        return self.root / artefacts.HEAD

    @property
    def config_path(self) -> Path:
        """The resolved config."""
        return self.root / artefacts.CONFIG

    @property
    def metrics_path(self) -> Path:
        """One JSON record for each finished stage."""
        return self.root / artefacts.BOOKS

    @property
    def stopped_path(self) -> Path:
        """Where and why `rounds=auto` stopped."""
        return self.root / artefacts.STOPPED

    @property
    def report_dir(self) -> Path:
        """Tables and figures."""
        return self.root / artefacts.REPORT

    @property
    def analysis_dir(self) -> Path:
        """What `tpt analyse` finds."""
        return self.root / artefacts.ANALYSIS

    @property
    def wandb_dir(self) -> Path:
        """Where Weights & Biases keeps its files."""
        return self.root / artefacts.WANDB

    @property
    def slurm_dir(self) -> Path:
        """What jobs of a cluster leave: scripts, logs, the code that they run."""
        return self.root / artefacts.SLURM

    @property
    def shared_dir(self) -> Path:
        """Where the runs under one root find each other's stages."""
        return self.root.parent / artefacts.SHARED

    def export_dir(self, round: int) -> Path:
        """Where `tpt export` writes a round unless it is told another place."""
        return self.root / artefacts.EXPORT / f"round-{round:02d}"

    def folder(self, stage: Stage) -> Path:
        """Where a stage writes."""
        return self.root / str(stage)

    def manifest_path(self, stage: Stage) -> Path:
        """The file that says that a stage is done."""
        return self.folder(stage) / artefacts.MANIFEST

    def inputs_path(self, stage: Stage) -> Path:
        """The file that says from which outcomes of its inputs a stage was begun."""
        return self.folder(stage) / artefacts.INPUTS

    def progress_path(self, stage: Stage, worker: int = 0) -> Path:
        """What a running stage says of itself, for the progress bar."""
        return self.folder(stage) / artefacts.PROGRESS.format(worker)

    def error_path(self, stage: Stage, worker: int = 0) -> Path:
        """What a process of a stage that failed said."""
        return self.folder(stage) / artefacts.ERROR.format(worker)

    def log_path(self, stage: Stage, label: int | str = 0) -> Path:
        """All that a stage's process printed in its latest attempt: a link to one of the files in the folder beside.

        Args:
            label: which worker of the stage; or what else a process does for it, e.g. `score`.
        """
        return self.root / artefacts.LOGS / f"{stage.slug}-{label}.log"

    def lock_path(self, what: str) -> Path:
        """The lock of a part of the folder; "" is the lock of the whole."""
        return self.root / (f".{what}.lock" if what else ".lock")

    def problems_path(self, split: str) -> Path:
        """A set of problems, as the prepare stage wrote them."""
        return self.folder(table.PREPARED) / artefacts.problems(split)

    def examples_path(self, round: int) -> Path:
        """The examples that a round trains on."""
        return self.folder(table.trained_on(round)) / artefacts.EXAMPLES

    def trained_model(self, round: int) -> Path:
        """The checkpoint that a round's training exported."""
        return self.folder(table.training(round)) / artefacts.CHECKPOINT
