"""Whether a way of sampling computes the model that the checkpoint is.

Nothing in a model says that it keeps more from token to token than keys and values, that it has sinks in its attention
or counts positions by itself, and a way that leaves this out samples from another model without any error. So what it
expects is compared with the model's own forward pass, over whole texts and without a cache.
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
# Tokens: of the beginning that both prompts share, of the prompts, and of each continuation.
SHARED, LENGTHS, SAMPLES, STEPS = 20, (32, 27), 2, 3
# Deviations from the forward pass, in parts of the logits' spread over the vocabulary. Rounding makes up to 1e-5 in
# float32 and 0.05 in half precision (30 layers: 0.03; experts that are chosen otherwise: 0.05); what is computed
# otherwise makes 5e-4 and more, and most of it (positions, states left out) more than 0.1.
TOLERANCE, HALF_TOLERANCE = 3e-4, 0.1

Forced = Callable[[list[list[int]], list[list[list[int]]]], list[Tensor]]


@dataclass
class Check:
    """Two prompts with a common beginning, each with continuations that branch, and what the model makes of them."""

    prompts: list[list[int]]
    continuations: list[list[list[int]]]
    expected: list[Tensor]  # of each prompt the logits before each token of its continuations
    tolerance: float

    @classmethod
    @torch.inference_mode()
    def of(cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> "Check":
        """Compute what a model expects, over whole texts and without a cache.

        Raises:
            ModelError: what it expects is not a number.
        """
        ids: list[int] = tokenizer(TEXT)["input_ids"]
        prompts = [ids[: LENGTHS[0]], ids[:SHARED] + ids[-(LENGTHS[1] - SHARED) :]]
        starts = [5 * number for number in range(len(LENGTHS) * SAMPLES)]
        drawn = [ids[start : start + STEPS] for start in starts]
        continuations = [drawn[:SAMPLES], drawn[SAMPLES:]]
        attend(model, "eager")  # the one that leaves nothing out: sdpa knows of no sinks and no caps on scores
        expected = [_whole_texts(model, *one) for one in zip(prompts, continuations, strict=True)]
        if any(bool(one.isnan().any()) for one in expected):
            raise ModelError(
                f"the logits of {model.name_or_path} are not numbers (nan)",
                "its weights hold nan or infinity, or numbers too large for model.dtype: take an earlier checkpoint, "
                "or set model.dtype=float32",
            )
        tolerance = TOLERANCE if model.dtype == torch.float32 else HALF_TOLERANCE
        return cls(prompts, continuations, expected, tolerance)

    @torch.inference_mode()
    def fault(self, forced: Forced) -> str | None:
        """What is wrong with a way of sampling, in words; None: it computes the model.

        Args:
            forced: of the way, see `Branching.forced`.
        """
        try:
            found = forced(self.prompts, self.continuations)
            deviation = sum(map(_deviation, found, self.expected)) / len(found)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever a model does that was not made for this
            return f"{type(error).__name__}: {said(error)}"
        if deviation <= self.tolerance:
            return None
        return f"its logits differ by {deviation:.2g} of their spread"  # NaN comes here too


def _whole_texts(model: PreTrainedModel, prompt: list[int], continuations: list[list[int]]) -> Tensor:
    ids = torch.tensor([prompt + one[:-1] for one in continuations], device=model.device)
    keep: dict[str, Any] = {"logits_to_keep": STEPS} if _can_keep(model) else {}
    logits: Tensor = model(input_ids=ids, use_cache=False, **keep).logits
    return logits[:, -STEPS:]


def _can_keep(model: PreTrainedModel) -> bool:
    """Whether a model's forward pass gives the last logits alone."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _deviation(found: Tensor, expected: Tensor) -> float:
    """Mean over places of the root mean square of what logits differ by, in parts of their spread."""
    difference = (found.float() - expected.float()).square().mean(-1).sqrt()
    return float((difference / expected.float().std(-1)).mean())
