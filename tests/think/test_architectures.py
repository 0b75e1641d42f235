"""Every architecture of transformers: the engine samples from the model that its own forward pass computes, or refuses.

What is sampled is held against the likeliest continuation, computed anew from the whole text at each token, without a
cache and with the attention that leaves nothing out. A new release that breaks a model is seen here.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import architectures
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from tpt.errors import ModelError
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SamplerConfig
from tpt.think.base import Draw, Prompt
from tpt.think.branching import Branching
from tpt.think.check import Check
from tpt.think.engines import make_sampler
from tpt.think.plain import Plain

CONTEXT, STEPS = 128, 8
# Whatever a greedy draw takes, each of a problem's samples takes it, so two show whether a row that branched is right.
GREEDY = Draw(n=2, temperature=0.0, top_p=1.0, max_tokens=STEPS, end_ids=())

BRANCHING = (
    *("llama", "qwen2", "qwen3", "mistral", "mixtral", "phi3", "gemma2", "gemma3_text", "gemma3", "olmo2", "gpt2"),
    *("gpt_neox", "smollm3", "starcoder2", "cohere2", "llama4_text", "qwen3_moe", "qwen2_moe", "hrm_text", "granite"),
)
PLAIN = (
    *("mamba", "mamba2", "falcon_mamba", "bloom", "codegen", "xglm", "openai-gpt", "gpt_neox_japanese", "diffllama"),
    *("gpt_oss", "granite_swa", "lfm2", "lfm2_moe", "qwen3_5_text", "qwen3_next", "jamba", "nemotron_h", "minimax"),
    *("deepseek_v2", "deepseek_v3", "glm4_moe_lite", "minicpm3"),
)
REFUSED = ("rwkv", "bert", "roberta")  # of rwkv transformers' own state is wrong; bert looks at what comes after
UNLOADED = ("emu3", "mllama")  # transformers saves the whole, and loads of it a text part that it does not know
OTHERS = sorted({*architectures.KINDS} - {*BRANCHING, *PLAIN, *REFUSED, *UNLOADED})


def prompts() -> list[Prompt]:
    """With a common beginning, and ends of unequal length that a window or a chunk ends in or before."""
    rng = random.Random(0)
    ids = [rng.randrange(3, 500) for _ in range(2 * architectures.REACH)]
    return [Prompt("short", ids[: architectures.REACH - 3], 0), Prompt("long", [*ids[:30], *ids[:2:-1]], 10)]


def likeliest(model: PreTrainedModel, ids: list[int]) -> list[int]:
    found: list[int] = []
    for _ in range(STEPS):
        with torch.no_grad():
            found.append(int(model(input_ids=torch.tensor([ids + found]), use_cache=False).logits[0, -1].argmax()))
    return found


def sampled(kind: str, tokenizer: Path, folder: Path) -> tuple[str, dict[str, list[list[int]]], PreTrainedModel]:
    """Which way the engine samples a kind of model, and the ids it samples."""
    architectures.checkpoint_of(kind, tokenizer, folder)
    config = ModelConfig(name=kind, source="random", dtype="float32")
    with make_sampler(SamplerConfig(engine="transformers"), config, folder, CONTEXT, seed=0) as engine:
        found = {prompt.key: [one.ids for one in drawn] for prompt, drawn in engine.sample(prompts(), GREEDY)}
        way = engine.describe()["way"]
    causal: Any = AutoModelForCausalLM
    return way, found, causal.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*BRANCHING, *PLAIN])
def test_samples_are_those_of_the_models_own_forward_pass(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    way, found, model = sampled(kind, tiny_model, tmp_path)
    assert way == (Branching.words if kind in BRANCHING else Plain.words)
    for prompt in prompts():
        assert found[prompt.key] == [likeliest(model, prompt.ids)] * GREEDY.n, prompt.key


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED)
def test_a_model_that_transformers_samples_wrong_is_refused(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not agree with its forward pass") as caught:
        sampled(kind, tiny_model, tmp_path)
    assert "sampler=vllm" in caught.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("kind", UNLOADED)
def test_a_model_that_transformers_does_not_load_is_refused(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"(?i)transformers cannot load the model.*{kind}"):
        sampled(kind, tiny_model, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_any_other_architecture_is_sampled_right_or_refused(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    try:
        architectures.build(kind)
    except Exception as error:
        pytest.skip(f"no tiny model of it can be made without knowing it: {type(error).__name__}")
    try:
        _, found, model = sampled(kind, tiny_model, tmp_path)
    except ModelError as error:
        assert re.search("sampler=vllm", error.hint)
        return
    for prompt in prompts():
        assert found[prompt.key] == [likeliest(model, prompt.ids)] * GREEDY.n, prompt.key


def halved(model: Any) -> PreTrainedModel:
    made: PreTrainedModel = model.to(torch.bfloat16)
    return made


@pytest.fixture(scope="module")
def tiny_check(tiny_model: Path) -> Iterator[tuple[PreTrainedModel, Check]]:
    model = halved(architectures.build("llama"))
    yield model, Check.of(model, AutoTokenizer.from_pretrained(tiny_model))


def test_rounding_in_half_precision_is_not_taken_for_another_model(tiny_check: tuple[PreTrainedModel, Check]) -> None:
    model, check = tiny_check
    assert check.fault(Branching(model).forced) is None
    assert check.fault(Plain(model, "eager").forced) is None


def test_a_small_difference_in_the_model_is_not_taken_for_rounding(tiny_check: tuple[PreTrainedModel, Check]) -> None:
    """Positions that turn by another angle, as in a model that counts them by itself."""
    _, check = tiny_check
    theta: dict[str, Any] = {"rope_parameters": {"rope_type": "default", "rope_theta": 100.0}}
    other = halved(architectures.build("llama", **theta))
    assert "differ by" in str(check.fault(Branching(other).forced))


@pytest.mark.parametrize("kind", ["bloom", "granite_swa"])
def test_what_cannot_branch_is_said_in_the_log_and_in_the_manifest(
    kind: str, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    way, found, model = sampled(kind, tiny_model, tmp_path)
    assert way == Plain.words
    assert "sampled without branching, which is slower" in caplog.text
    assert found["short"][1] == likeliest(model, prompts()[0].ids)


def test_weights_that_are_not_numbers_are_said(tiny_model: Path, tmp_path: Path) -> None:
    folder = architectures.checkpoint_of("llama", tiny_model, tmp_path)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    model.model.layers[0].mlp.down_proj.weight.data.fill_(float("nan"))
    model.save_pretrained(folder)
    with pytest.raises(ModelError, match="are not numbers") as caught:
        make_sampler(
            SamplerConfig(engine="transformers"), ModelConfig(name="llama", source="random"), folder, CONTEXT, seed=0
        )
    assert "contain nan" in caught.value.hint
