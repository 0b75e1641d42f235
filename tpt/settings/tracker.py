"""Where the measurements of a run are mirrored."""

from dataclasses import dataclass

from tpt.setting import setting


@dataclass
class TrackerConfig:
    """A mirror of metrics.jsonl, of the trainings' curves and of the report, in a tracker."""

    name: str = setting(
        "wandb",
        "The tracker: wandb, tensorboard, mlflow, trackio, one that an installed package adds, or any class of your "
        "own as module:Class.",
        free=True,
    )
    mode: str = setting(
        "offline",
        "Whether to log to the server, to this machine, or not at all.",
        choices=("offline", "online", "disabled"),
    )
    project: str = setting("tpt", "The project (in MLflow: the experiment), which may have any name.", free=True)
    entity: str | None = setting(
        None, "The W&B user or team, by its own name; null: that of the account logged in.", free=True
    )
    group: str | None = setting(None, "The group of the run, which may have any name.", free=True)
    traces: int = setting(20, "Rows in the table of example traces.", low=0)
