"""What a stage samples from: an engine that loads the checkpoint, or the server of `sampler=server`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from tpt import chat, checkpoint, models, prompt
from tpt.artefacts import Prepared, Served
from tpt.errors import ConfigError
from tpt.runs import table
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SERVER, SamplerConfig

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# A stage that is about to be prepared must not wait as long as one that is in the middle of its work.
FIRST_RETRIES, FIRST_SECONDS = 2, 60.0


def engine_of(run: Run, stage: Stage) -> SamplerConfig:
    """The settings of the engine that samples a stage; a server's are those found when the run was prepared.

    So a run that goes on later neither mixes two models nor token ids with text.
    """
    sampler = run.config.sampler
    if not table.by_server(run.config, stage):
        return dataclasses.replace(sampler, engine=sampler.local)
    served = run.results(table.PREPARED, Prepared)["served"]
    return dataclasses.replace(sampler, served=served["model"], require_ids=served["ids"])


def tokenizer_of(model: ModelConfig, base: Path) -> "tuple[Path, PreTrainedTokenizerBase]":
    """The folder and the tokenizer for a model that a server samples: its own, without weights, or the student's.

    Args:
        base: the student's checkpoint.

    Raises:
        ModelError: the model is not available, its settings do not fit its chat template, or no token ends its
            completions.
    """
    folder = base if model.source == SERVER else models.locate(model, weights=False)
    tokenizer = checkpoint.load_tokenizer(folder)
    if model.source != SERVER:
        chat.check(tokenizer, model)
    prompt.end_ids(tokenizer, folder, model)  # raises where no token ends a completion
    return folder, tokenizer


def look(config: Config, tokenizer: "PreTrainedTokenizerBase") -> Served:
    """What the servers offer.

    Args:
        tokenizer: as `tokenizer_of` gives it.

    Raises:
        TptError: see `endpoint.look`.
    """
    from tpt.think import endpoint

    model = config.think.teacher or config.model
    sampler = dataclasses.replace(
        config.sampler,
        retries=min(config.sampler.retries, FIRST_RETRIES),
        timeout_seconds=min(config.sampler.timeout_seconds, FIRST_SECONDS),
    )
    if model.source != SERVER:
        return endpoint.look(sampler, model.path, tokenizer)
    served = sampler.served or model.path or None
    return endpoint.look(dataclasses.replace(sampler, served=served), "", None)


def is_own(run: Run) -> bool:
    """Whether the teacher on a server is the base model itself and its samples came as tokens: they are trained on."""
    prepared = run.results(table.PREPARED, Prepared)
    served = prepared.get("served")
    return served is not None and served["ids"] and prepared.get("teacher_dir") == prepared["model_dir"]


def warnings(model: ModelConfig, served: Served, urls: list[str]) -> list[str]:
    """What the user should know of a server."""
    if served["ids"]:
        return []
    return [
        f"{urls[0]} exchanges text and no token ids: {model.name} answers in its server's chat template, and its texts "
        "are encoded again here"
    ]


def check_room(served: Served, longest: int, max_tokens: int, section: str) -> None:
    """Check that prompts and completions fit the context that a server was started with.

    Args:
        longest: tokens of the longest prompt.
        section: of the settings that say how long a completion may be.

    Raises:
        ConfigError: they do not.
    """
    if served["context"] and longest + max_tokens > served["context"]:
        raise ConfigError(
            f"the longest prompt has {longest} tokens, and with {max_tokens} new ones that is more than the "
            f"{served['context']} that the server of {served['model']} was started with",
            f"lower {section}.max_tokens or task.few_shot, or start it with a longer context (in vLLM, max-model-len)",
        )
