"""What only a GPU can show: compiled flex attention and liger's kernels train as PyTorch's own operations do.

make test-gpu
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from architectures import checkpoint_of
from lightning_fabric.utilities import move_data_to_device
from trainable import SETTINGS, example
from transformers import AutoConfig
from transformers.models.gemma2 import modeling_gemma2
from transformers.models.llama import modeling_llama

from tpt.records import Example
from tpt.settings.train import TrainConfig
from tpt.train.attention import FLEX, resolve
from tpt.train.data import collate
from tpt.train.fit import load
from tpt.train.module import CompletionLoss
from tpt.train.tree import Packing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and TPT_TEST_GPUS=0 to show it"),
]
SIZES = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32}
ODD = {"hidden_size": 96, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 32}  # as SmolLM2's 9 and 3
MADE = {"gain": 1, "window": 4096, "num_hidden_layers": 3, "tie_word_embeddings": True}  # more gain, and bfloat16 shows
PLAIN = replace(SETTINGS, attention="eager", fused=False)


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Liger's parts stay in transformers' modules: put the modules' own back after a test."""
    for module in (modeling_llama, modeling_gemma2):
        for name, part in vars(module).items():
            if not name.startswith("__"):
                monkeypatch.setattr(module, name, part)


def batches(count: int) -> Iterator[list[Example]]:
    """Examples of many numbers and lengths; half of the batches begin alike."""
    rng = random.Random(0)
    for number in range(count):
        shots = [rng.randrange(3, 500) for _ in range(50 * (number % 2))]
        some = [example(rng.randrange(10**6), rng.randrange(5, 90), rng.randrange(3, 60)) for _ in range(2 + number)]
        yield [replace(one, prompt_ids=shots + one.prompt_ids) for one in some]


def gradients(loss: CompletionLoss, some: list[Example], how: Packing | None) -> dict[str, torch.Tensor]:
    """Of the loss on a batch in bfloat16's autocast, and the loss itself."""
    loss.zero_grad()
    batch = move_data_to_device(collate(some, 0, how), torch.device("cuda"))
    with torch.autocast("cuda", dtype=torch.bfloat16):
        nll = loss(**batch)
    nll.backward()
    found = {name: one.grad.clone() for name, one in loss.named_parameters() if one.grad is not None}
    return {"loss": nll.detach(), **found}


def traced(folder: Path, settings: TrainConfig, count: int, how: Packing | None) -> list[dict[str, torch.Tensor]]:
    """The gradients of all batches under some settings."""
    model, _ = load(folder, settings)
    loss = CompletionLoss(model, settings.fused).cuda()
    return [gradients(loss, some, how) for some in batches(count)]


def apart(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest distance of two gradients, as a share of their length."""
    return max(float((one[name] - other[name]).norm() / other[name].norm()) for name in one)


@pytest.mark.parametrize("fused", [False, True], ids=["", "liger"])
@pytest.mark.parametrize(
    ("kind", "sizes"), [("llama", SIZES), ("llama", ODD), ("gemma2", SIZES)], ids=["llama", "odd heads", "gemma2"]
)
def test_trees_under_compiled_flex_attention_are_sequences_by_themselves(
    kind: str, sizes: dict[str, int], fused: bool, tiny_model: Path, tmp_path: Path
) -> None:
    if fused:
        pytest.importorskip("liger_kernel")
    folder = checkpoint_of(kind, tiny_model, tmp_path / "start", **MADE, **sizes)
    assert resolve("auto", AutoConfig.from_pretrained(folder)) == FLEX
    plain = traced(folder, PLAIN, 8, None)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):  # or it would go on uncompiled, and slow
        ours = traced(folder, replace(SETTINGS, fused=fused), 8, Packing(multiple=128, masked=True))
    assert [apart(*both) < 0.03 for both in zip(ours, plain, strict=True)] == [True] * 8, "bfloat16 keeps 8 bits"
