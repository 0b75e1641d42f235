"""Small models of the architectures that transformers has: what a batch computes is what each sequence does alone.

A release of transformers that changes one of them is seen here.
"""

import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from architectures import build, config
from trainable import example
from transformers import PreTrainedModel

from tpt.errors import ConfigError
from tpt.records import Example
from tpt.train.attention import PACKED, packing, resolve, supported
from tpt.train.data import collate
from tpt.train.module import CompletionLoss
from tpt.train.trained import every_weight_gets_a_gradient, freeze_beside_text
from tpt.train.tree import Packing

COMMON = ("llama", "qwen2", "gemma3_text", "gpt2", "mixtral")  # the others take long together
# Tokens meet in a convolution, or in a state that runs along the row.
STATEFUL = ["bamba", "falcon_mamba", "granitemoehybrid", "inkling_text", "jamba", "lfm2", "lfm2_moe", "mamba", "mamba2"]
STATEFUL += ["minimax", "nemotron_h", "olmo_hybrid", "qwen3_5_text", "qwen3_next", "recurrent_gemma", "rwkv", "zamba"]
PLACELESS = ["bloom", "mpt", "openai-gpt"]  # take no positions or no mask as we give them
SHOTS = [random.Random(9).randrange(3, 500) for _ in range(6)]
ROWS = [replace(one, prompt_ids=SHOTS + one.prompt_ids) for one in (example(i, 3 + i, 9 - i) for i in range(4))]


def thorough(kinds: list[str]) -> list[Any]:
    """Parameters of a test, of which all but a few are slow."""
    return [kind if kind in COMMON else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


def made(kind: str, **settings: Any) -> Any:
    return build(kind, resolve("auto", config(kind, **settings)), **settings).train()


def traced(model: PreTrainedModel, rows: list[Example], how: Packing | None) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a batch, and its gradients."""
    model.zero_grad()
    loss = CompletionLoss(model, fused=False)(**collate(rows, 0, how))
    loss.backward()
    return loss.item(), {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


def check_that_a_batch_is_its_sequences(model: PreTrainedModel, how: Packing | None) -> None:
    loss, gradients = traced(model, ROWS, how)
    apart = [traced(model, [row], None) for row in ROWS]
    assert loss == pytest.approx(sum(one for one, _ in apart), rel=1e-5)
    expected = {name: torch.stack([some[name] for _, some in apart if name in some]).sum(0) for name in gradients}
    largest = max(float(one.abs().max()) for one in gradients.values())
    for name, gradient in gradients.items():
        scale = max(float(expected[name].abs().max()), 1e-3 * largest)
        torch.testing.assert_close(gradient, expected[name], rtol=1e-3, atol=1e-3 * scale, msg=name)


@pytest.mark.parametrize("kind", thorough(sorted(PACKED)))
def test_a_kind_that_is_packed_computes_what_each_sequence_does_alone(kind: str) -> None:
    model = made(kind)
    assert packing(model, 40) is not None
    assert collate(ROWS, 0, Packing())["input_ids"].shape[0] == 1
    freeze_beside_text(model)
    check_that_a_batch_is_its_sequences(model, Packing())
    if every_weight_gets_a_gradient(model):
        assert not [name for name, one in model.named_parameters() if one.requires_grad and one.grad is None]


@pytest.mark.slow
@pytest.mark.parametrize("kind", STATEFUL + PLACELESS)
def test_other_kinds_take_each_sequence_in_a_row_of_its_own(kind: str) -> None:
    model = made(kind)
    assert packing(model, 40) is None
    check_that_a_batch_is_its_sequences(model, None)


def test_a_layer_of_an_unknown_type_is_not_packed() -> None:
    model = made("llama")
    model.config.layer_types = ["full_attention", "conv"]
    assert packing(model, 40) is None


def test_a_model_whose_bias_counts_places_in_the_row_is_not_packed() -> None:
    assert packing(made("falcon", alibi=True), 40) is None


WITHOUT_SDPA = ["bloom", "codegen", "gpt_oss", "gptj", "granite_swa", "granitemoe_swa", "mamba", "rwkv", "xglm"]


@pytest.mark.parametrize("kind", WITHOUT_SDPA)
def test_a_model_without_sdpa_is_computed_as_it_can_be(kind: str) -> None:
    assert "sdpa" not in supported(config(kind))
    assert resolve("auto", config(kind)) == "eager"
    assert build(kind, "eager").config._attn_implementation == "eager"


@pytest.mark.parametrize("kind", WITHOUT_SDPA)
def test_an_attention_that_a_model_has_not_is_an_error_that_names_those_it_has(kind: str) -> None:
    known = " or ".join(supported(config(kind)))
    with pytest.raises(
        ConfigError, match=rf"(?s)train.attention=sdpa.*supports only {known} for {kind}.*auto.*eager here"
    ):
        resolve("sdpa", config(kind))
