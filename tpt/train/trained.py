"""Which part of a model is trained: everything that text goes through, or low-rank adapters in it.

Imports no Lightning, so that a wrong choice can be found before anything is sampled.
"""

from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tpt.errors import ConfigError
from tpt.settings.train import ALL_LINEAR, LoraConfig, TrainConfig
from tpt.train.attention import PACKED, resolve

FEW = 0.5  # of the weights: adapters that change less cause a warning


def check(model_dir: Path, settings: TrainConfig) -> None:
    """Check that a model can be trained with these settings, without reading its weights.

    Raises:
        ConfigError: transformers lacks this attention for the model, or the model lacks the layers to adapt.
    """
    attention = resolve(settings.attention, AutoConfig.from_pretrained(model_dir))
    if settings.lora.rank:
        adapt(without_weights(model_dir, torch.float32, attention), settings.lora)


def without_weights(model_dir: Path, dtype: torch.dtype, attention: str = "sdpa") -> PreTrainedModel:
    """A checkpoint's model whose weights are on the meta device; buffers such as rotary frequencies are real.

    It can be sharded, adapted or written; `tpt.checkpoint.skeleton` checks whether the files are complete.

    Args:
        attention: as transformers names it.
    """
    config = AutoConfig.from_pretrained(model_dir)
    with init_empty_weights(include_buffers=False):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation=attention)  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return model


def freeze_beside_text(model: PreTrainedModel) -> None:
    """Freeze what no text goes through: the towers and projectors of a multimodal model.

    They get no gradient; frozen, they need no optimizer state either.
    """
    if model.config.get_text_config() is model.config:
        return
    text = {id(one) for module in _text_part(model) for one in module.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in text)


def adapt(model: Any, lora: LoraConfig) -> Any:
    """The model with low-rank adapters in its linear layers, wrapped by peft; only they are trained, in float32.

    Raises:
        ConfigError: the model has none of the layers that `lora.targets` names.
    """
    import peft

    text = {id(one) for module in _text_part(model) for one in module.modules()}
    linear = {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear | Conv1D)}
    adapters = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=ALL_LINEAR if ALL_LINEAR in lora.targets else list(lora.targets),
        exclude_modules=[name for name, one in linear.items() if id(one) not in text] or None,
        task_type="CAUSAL_LM",
    )
    model.enable_input_require_grads()  # without it, no input of a checkpointed block needs a gradient
    try:
        return peft.get_peft_model(model, adapters)
    except ValueError as error:
        names = sorted({name.rpartition(".")[2] for name, one in linear.items() if id(one) in text})
        raise ConfigError(
            f"a {model.config.model_type} model cannot have adapters as given by train.lora: {error}",
            "adapters for experts do not support dropout: set train.lora.dropout=0"
            if "dropout" in str(error)
            else f"set train.lora.targets=[{ALL_LINEAR}], or name some of its linear layers: {', '.join(names)}",
        ) from error


def adapted_share(model: PreTrainedModel) -> float:
    """The share of a model's weights that its adapters change, between 0 and 1.

    The total is the weights that text goes through except embeddings and output head, which only full fine-tuning
    changes as well. Experts stored as one tensor are not linear layers; peft supports those of some models.
    """
    from peft.tuners.lora.layer import ParamWrapper
    from peft.tuners.tuners_utils import BaseTunerLayer

    part = [module for one in _text_part(model) for module in one.modules()]
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    ends = [one for one in part if isinstance(one, nn.Embedding) or one is head]
    tuners: list[Any] = [one for one in part if isinstance(one, BaseTunerLayer)]
    wrapped = {id(one) for one in tuners if isinstance(one, ParamWrapper)}  # wraps a weight that is not a layer
    adapted = [one.get_param() if id(one) in wrapped else one.get_base_layer().weight for one in tuners]
    added = [value for name, value in model.named_parameters() if "lora_" in name]
    left_out = {id(one) for one in added} | {id(one) for module in ends for one in module.parameters()}
    weights = {id(one): one.numel() for module in part for one in module.parameters(recurse=False)}
    everything = sum(count for key, count in weights.items() if key not in left_out)
    return float(sum(one.numel() for one in adapted) / everything)


def every_weight_gets_a_gradient(model: PreTrainedModel) -> bool:
    """Whether every trained weight is certain to get a gradient in each step.

    Exceptions are experts to which no token was routed, and router biases, which another rule updates.
    """
    return model.config.model_type in PACKED and not any("expert" in name for name, _ in model.named_parameters())


def _text_part(model: PreTrainedModel) -> list[nn.Module]:
    """The modules that text goes through."""
    if model.config.get_text_config() is model.config:
        return [model]
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    return [one for one in (model.get_decoder(), head) if one is not None]  # type: ignore[no-untyped-call]  # untyped there
