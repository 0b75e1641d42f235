"""What of a model is trained: adapters in all its linear layers, and nothing that text does not go through."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from architectures import build, checkpoint_of
from pytorch_lightning.strategies import DDPStrategy
from safetensors import safe_open
from trainable import SETTINGS, example

from tpt import records
from tpt.artefacts import Trained
from tpt.errors import ConfigError
from tpt.progress import Progress
from tpt.records import Example
from tpt.runs import table
from tpt.settings.config import Config
from tpt.settings.train import BF16_TRUE_RATE, LoraConfig, TrainConfig
from tpt.train.data import collate
from tpt.train.fit import _strategy, fit, load
from tpt.train.module import CompletionLoss
from tpt.train.trained import adapt, adapted_share, check, freeze_beside_text

LORA = LoraConfig(rank=2)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "phi3", "opt", "gemma3", "mixtral"])
def test_adapters_are_in_every_linear_layer_and_they_alone_are_trained(kind: str) -> None:
    model = build(kind)
    adapt(model, LORA)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    assert adapted_share(model) > 0.95, "all but norms and biases"


def test_the_share_of_the_weights_that_adapters_change_counts_what_they_do_not_reach() -> None:
    heads, experts = 4 * (2 * 32 * 32 + 2 * 32 * 16), 4 * 4 * 3 * 32 * 64
    model = build("gpt_oss")
    adapt(model, LORA)
    assert adapted_share(model) == pytest.approx(heads / (heads + experts), rel=0.05), "beside routers, norms, biases"
    model = build("llama")
    adapt(model, replace(LORA, targets=["q_proj"]))
    assert adapted_share(model) == pytest.approx(32 * 32 / (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64), rel=0.03)


@pytest.mark.parametrize("kind", ["gpt2", "mixtral"])
def test_merged_adapters_compute_what_they_computed_beside_the_weights(
    kind: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = checkpoint_of(kind, tiny_model, tmp_path / "start")
    model, merge = load(folder, replace(SETTINGS, lora=LORA))
    plain, _ = load(folder, SETTINGS)
    ids = torch.tensor([[5, 9, 200, 31]])
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "lora_B" in name:
                one.normal_(std=0.1)
        before, start = model(input_ids=ids).logits, plain(input_ids=ids).logits
        torch.testing.assert_close(merge()(input_ids=ids).logits, before, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(before, start, atol=0.01)


def test_experts_take_no_dropout_in_their_adapters() -> None:
    with pytest.raises(ConfigError, match=r"set train\.lora\.dropout=0"):
        adapt(build("mixtral"), replace(LORA, dropout=0.1))


def test_the_results_say_what_share_of_the_weights_is_adapted(tiny_model: Path, tmp_path: Path) -> None:
    records.write(tmp_path / "examples.parquet", Example, [example(i, 5, 5) for i in range(4)])

    def results(name: str, lora: LoraConfig) -> Trained:
        config = replace(SETTINGS, lora=lora)
        return fit(tiny_model, tmp_path / "examples.parquet", tmp_path / name, config, 0, 64, Progress())

    whole, part = results("whole", LORA), results("part", replace(LORA, targets=["q_proj"]))
    assert whole["adapted_share"] == pytest.approx(0.99, abs=0.01)
    assert "warnings" not in whole
    assert part["warnings"] == [next(one for one in part["warnings"] if "10% of the model" in one)]
    assert "adapted_share" not in results("full", LoraConfig())


def test_layers_that_a_model_has_not_are_refused_before_its_weights_are_read(tiny_model: Path, tmp_path: Path) -> None:
    folder = checkpoint_of("gpt2", tiny_model, tmp_path / "gpt2")
    for path in folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(ConfigError, match=r"(?s)a gpt2 model.*q_proj.*all-linear.*c_attn, c_fc, c_proj"):
        check(folder, replace(SETTINGS, lora=replace(LORA, targets=["q_proj"])))
    with pytest.raises(ConfigError, match=r"train.attention=sdpa: transformers supports only eager for bloom"):
        check(checkpoint_of("bloom", tiny_model, tmp_path / "bloom"), replace(SETTINGS, attention="sdpa"))
    check(folder, replace(SETTINGS, lora=LORA))


def test_what_text_does_not_go_through_is_not_trained() -> None:
    model = build("gemma3")
    freeze_beside_text(model)
    CompletionLoss(model, fused=False)(**collate([example(0, 5, 5)], 0)).backward()
    trained = {name for name, one in model.named_parameters() if one.requires_grad}
    assert trained == {name for name, one in model.named_parameters() if one.grad is not None}
    assert {name.split(".")[1] for name in trained} == {"language_model"}
    adapt(model, LORA)
    assert not any("lora_" in name for name, _ in model.named_parameters() if "vision" in name)


@pytest.mark.parametrize(("kind", "unused"), [("llama", False), ("gemma3", False), ("ernie4_5_moe", True)])
def test_ranks_wait_for_no_gradient_of_weights_that_may_get_none(kind: str, unused: bool) -> None:
    model = build(kind)
    freeze_beside_text(model)
    strategy = _strategy(replace(SETTINGS, strategy="ddp", devices=2), model)
    assert isinstance(strategy, DDPStrategy)
    assert strategy._ddp_kwargs["find_unused_parameters"] is unused


@pytest.mark.parametrize("rate", [1e-5, 1e-3])
def test_weights_in_bfloat16_are_refused_where_they_would_not_move(
    rate: float, tiny_config: Callable[..., Config]
) -> None:
    chosen = ("train.precision=bf16-true", f"train.learning_rate={rate}")
    with pytest.raises(ConfigError, match=rf"(?s)next to nothing with train.learning_rate={rate:g}.*bf16-mixed"):
        tiny_config(*chosen)
    tiny_config(*chosen, "train.lora.rank=4")
    tiny_config("train.precision=bf16-true", f"train.learning_rate={BF16_TRUE_RATE}")


@pytest.mark.parametrize(("rate", "low", "high"), [(1e-5, 0.0, 0.03), (BF16_TRUE_RATE, 0.9, 1.01)])
def test_adamw_moves_bfloat16_weights_from_the_rate_on_at_which_they_are_allowed(
    rate: float, low: float, high: float, smollm2: Path
) -> None:
    """The share of the way of float32 weights that they go."""
    with safe_open(next(smollm2.glob("*.safetensors")), "pt") as file:
        start = file.get_tensor("model.layers.7.self_attn.k_proj.weight").bfloat16()
    weights = [torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.float())]
    optimizers = [torch.optim.AdamW([one], lr=rate, weight_decay=0.0) for one in weights]
    rng = torch.Generator().manual_seed(0)
    slope = 0.3 * torch.randn(start.shape, generator=rng)
    for _ in range(60):
        gradient = slope + torch.randn(start.shape, generator=rng)
        for weight, optimizer in zip(weights, optimizers, strict=True):
            weight.grad = gradient.to(weight.dtype)
            optimizer.step()
    ours, whole = (one.detach().float() - start.float() for one in weights)
    assert low < float((ours * whole).sum() / whole.square().sum()) < high


def test_adapters_of_a_bfloat16_model_are_float32_and_so_is_what_they_are_merged_into(tiny_model: Path) -> None:
    config: TrainConfig = replace(SETTINGS, precision="bf16-true", lora=LORA)
    model, merge = load(tiny_model, config)
    kinds = {("lora_" in name, one.dtype) for name, one in model.named_parameters()}
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}
    with torch.no_grad():
        for name, one in model.named_parameters():
            if "lora_B" in name:
                one.fill_(1e-6)
    before = {name: one.float() for name, one in model.named_parameters() if "lora_" not in name}
    merged = dict(merge().named_parameters())
    moved = [name for name, one in before.items() if not torch.equal(one, merged[name.replace(".base_layer", "")])]
    assert len(moved) == 2 * 7, "in bfloat16 so little would be rounded away"


def test_the_share_that_adapters_change_is_part_of_what_a_training_says_of_itself() -> None:
    results = {"steps": 2, "first_loss": 1.0, "final_loss": 0.5}
    assert table.TRAIN.outcome(results) == "2 steps, loss 1.000 -> 0.500"
    assert table.TRAIN.outcome(results | {"adapted_share": 0.9552}).endswith("adapters on 96 % of the weights")
