"""Whether a sampling method computes the same model as the checkpoint.

Nothing in a model tells that it carries more from token to token than keys and values, has attention sinks, or counts
positions itself, and a method that lacks this samples from a different model without any error. So its logits are
compared with those of the model's own forward pass, over whole texts and without a cache.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tpt.errors import ModelError, said
from tpt.think.branching import attend

TEXT = (
    "A farmer has 12 hens, and each of them lays 5 eggs a week. She keeps 8 eggs for her own kitchen and sells all the "
    "others at the market for 25 cents each. How many dollars does she earn in four weeks? Let us think step by step."
)
# Tokens: of the common beginning of both prompts, of the prompts, and of each continuation.
SHARED, LENGTHS, SAMPLES, STEPS = 20, (32, 27), 2, 3
# Deviations from the forward pass, relative to the logits' spread over the vocabulary. Rounding causes up to 1e-5 in
# float32 and 0.05 in half precision (30 layers: 0.03; a different choice of experts: 0.05); a different computation
# causes 5e-4 or more, and in most cases (positions or states left out) more than 0.1.
TOLERANCE, HALF_TOLERANCE = 3e-4, 0.1

Forced = Callable[[list[list[int]], list[list[list[int]]]], list[Tensor]]


@dataclass
class Check:
    """Two prompts with a common beginning, each with branching continuations, and the model's logits along them."""

    prompts: list[list[int]]
    continuations: list[list[list[int]]]
    expected: list[Tensor]  # for each prompt, the logits before each token of its continuations
    tolerance: float

    @classmethod
    @torch.inference_mode()
    def of(cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> "Check":
        """Compute a model's logits over whole texts and without a cache.

        Raises:
            ModelError: they are not numbers.
        """
        ids: list[int] = tokenizer(TEXT)["input_ids"]
        prompts = [ids[: LENGTHS[0]], ids[:SHARED] + ids[-(LENGTHS[1] - SHARED) :]]
        starts = [5 * number for number in range(len(LENGTHS) * SAMPLES)]
        drawn = [ids[start : start + STEPS] for start in starts]
        continuations = [drawn[:SAMPLES], drawn[SAMPLES:]]
        attend(model, "eager")  # the complete one: sdpa supports neither sinks nor caps on scores
        expected = [_whole_texts(model, *one) for one in zip(prompts, continuations, strict=True)]
        if any(bool(one.isnan().any()) for one in expected):
            raise ModelError(
                f"the logits of {model.name_or_path} are not numbers (nan)",
                "its weights contain nan or infinity, or numbers too large for model.dtype: use an earlier checkpoint, "
                "or set model.dtype=float32",
            )
        tolerance = TOLERANCE if model.dtype == torch.float32 else HALF_TOLERANCE
        return cls(prompts, continuations, expected, tolerance)

    @torch.inference_mode()
    def fault(self, forced: Forced) -> str | None:
        """What is wrong with a sampling method, in words; None if it computes the model.

        Args:
            forced: the method's function, see `Branching.forced`.
        """
        try:
            found = forced(self.prompts, self.continuations)
            deviation = sum(map(_deviation, found, self.expected)) / len(found)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever an unsuitable model raises
            return f"{type(error).__name__}: {said(error)}"
        if deviation <= self.tolerance:
            return None
        return f"its logits differ by {deviation:.2g} of their spread"  # also true for NaN


def _whole_texts(model: PreTrainedModel, prompt: list[int], continuations: list[list[int]]) -> Tensor:
    ids = torch.tensor([prompt + one[:-1] for one in continuations], device=model.device)
    keep: dict[str, Any] = {"logits_to_keep": STEPS} if _can_keep(model) else {}
    logits: Tensor = model(input_ids=ids, use_cache=False, **keep).logits
    return logits[:, -STEPS:]


def _can_keep(model: PreTrainedModel) -> bool:
    """Whether a model's forward pass can return only the last logits."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _deviation(found: Tensor, expected: Tensor) -> float:
    """Root mean square difference of logits relative to their spread, averaged over positions."""
    difference = (found.float() - expected.float()).square().mean(-1).sqrt()
    return float((difference / expected.float().std(-1)).mean())
