"""Gradients of the log-likelihood of right and of wrong samples, and the angle between them.

Section 2.1 of arXiv 2504.18116: if errors are local, a wrong solution's gradient is roughly opposite to a right one's,
so that the policy gradient with rewards +1 and -1 is roughly twice the gradient on right samples alone.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from lightning_fabric.utilities import move_data_to_device
from torch import Tensor
from transformers import PreTrainedModel

from tpt.records import Example
from tpt.train.attention import packing
from tpt.train.data import collate
from tpt.train.module import CompletionLoss

Gradient = list[Tensor]  # one tensor per parameter


@dataclass(frozen=True, slots=True)
class Products:
    """Inner products of g+, the gradient on right samples, and g-, the one on wrong samples; the rest follows.

    Attributes:
        right: <g+, g+>.
        wrong: <g-, g->.
        cross: <g+, g->.
    """

    right: float
    wrong: float
    cross: float

    @property
    def policy(self) -> float:
        """|g+ - g-|**2, the squared norm of the policy gradient."""
        return max(0.0, self.right + self.wrong - 2 * self.cross)

    @property
    def cosine(self) -> float:
        """Cosine of the angle between g+ - g- and g+; NaN if one of them is 0."""
        return _divided(self.right - self.cross, math.sqrt(self.policy * self.right))

    @property
    def ratio(self) -> float:
        """|g+ - g-| / |g+|; NaN if g+ is 0."""
        return _divided(math.sqrt(self.policy), math.sqrt(self.right))

    @property
    def sides(self) -> float:
        """Cosine of the angle between g+ and g-: -1 if they are opposite, 1 if they have the same direction."""
        return _divided(self.cross, math.sqrt(self.right * self.wrong))


def log_likelihood_gradient(model: PreTrainedModel, samples: list[Example], pad_id: int, batch: int) -> Gradient:
    """Gradient of the mean over samples of a completion's log-likelihood, summed over its tokens.

    Batches and labels are as in training (`CompletionLoss`, `collate`): only the completion counts, including its end
    token. The model's own gradients are set to None.

    Args:
        model: in float32 and in eval mode, since dropout would make the gradient random.
        samples: at least one.
        batch: samples that go through the model at a time.

    Returns:
        a tensor per trainable parameter, of the same shape, in the order of `model.parameters()`.
    """
    objective, device = CompletionLoss(model, fused=False), next(model.parameters()).device
    how = packing(model, max(len(one.prompt_ids) + len(one.completion_ids) for one in samples))
    model.zero_grad(set_to_none=True)
    for start in range(0, len(samples), batch):
        nll = objective(**move_data_to_device(collate(samples[start : start + batch], pad_id, how), device))
        (-nll / len(samples)).backward()
    found = [torch.zeros_like(one) if one.grad is None else one.grad for one in model.parameters() if one.requires_grad]
    model.zero_grad(set_to_none=True)
    return found


def products(right: Gradient, wrong: Gradient) -> Products:
    """The inner products of two gradients, summed in float64."""
    return Products(_dot(right, right), _dot(wrong, wrong), _dot(right, wrong))


class Running:
    """The sums of both gradients over problems; holds two gradients, however many problems there are."""

    def __init__(self) -> None:
        self._right: Gradient = []
        self._wrong: Gradient = []

    def add(self, right: Gradient, wrong: Gradient) -> None:
        """Add a problem's gradients; the tensors may be kept and changed."""
        if not self._right:
            self._right, self._wrong = right, wrong
            return
        for total, one in zip((*self._right, *self._wrong), (*right, *wrong), strict=True):
            total.add_(one)

    def products(self) -> Products:
        """The inner products of the sums."""
        return products(self._right, self._wrong)


def _dot(one: Iterable[Tensor], other: Iterable[Tensor]) -> float:
    return sum(float((a * b).sum(dtype=torch.float64)) for a, b in zip(one, other, strict=True))


def _divided(one: float, other: float) -> float:
    return one / other if other else math.nan
