"""Liger's cross-entropy is ours: its kernels are for GPUs, and Triton's interpreter runs them on a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from architectures import checkpoint_of
from trainable import SETTINGS

from tpt.train.fit import load
from tpt.train.fused import fuse, fused_loss

BOTH = """
import sys, torch
from pathlib import Path
from trainable import SETTINGS, example
from tpt.train.data import collate
from tpt.train.fit import load
from tpt.train.module import CompletionLoss
from tpt.train.tree import Packing

model, _ = load(Path(sys.argv[1]), SETTINGS)
torch.cuda.is_available = lambda: True  # where Triton interprets, a CPU will do
losses = CompletionLoss(model, fused=True), CompletionLoss(model, fused=False)
assert [one._fused is None for one in losses] == [False, True]
batch = collate([example(number, 5 + number, 9 - number) for number in range(4)], 0, Packing())
found = []
for loss in losses:
    model.zero_grad()
    nll = loss(**batch)
    nll.backward()
    found.append([nll.detach(), *(one.grad.clone() for one in model.parameters())])
for one, other in zip(*found, strict=True):
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_the_fused_loss_and_its_gradients_are_those_of_all_logits(kind: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = checkpoint_of(kind, tiny_model, tmp_path / "start", tie_word_embeddings=True)
    variables = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", BOTH, str(folder)], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_without_a_gpu_or_for_a_model_that_scales_its_logits_it_is_not_used(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, _ = load(tiny_model, SETTINGS)
    scaled, _ = load(checkpoint_of("granite", tiny_model, tmp_path / "start"), SETTINGS)
    assert fused_loss(plain) is None
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert fused_loss(scaled) is None


def test_a_model_of_another_activation_keeps_its_own_parts(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Liger would compute its MLPs with the activation that models of its kind usually have."""
    model, _ = load(checkpoint_of("llama", tiny_model, tmp_path / "start", hidden_act="gelu"), SETTINGS)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    fuse(model)
    assert not [name for name, part in model.named_modules() if "forward" in vars(part) or part._forward_hooks]
