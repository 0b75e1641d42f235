"""Choosing the next token of every row."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pick(
    logits: Tensor, uniforms: Sequence[float], temperature: float, top_p: float, top_k: int = 0, min_p: float = 0.0
) -> Tensor:
    """The next token of each row, by inverting its cumulative distribution.

    What is drawn from is limited in the order in which vLLM does: by `min_p`, `top_k`, and of what remains by `top_p`.

    A row's token depends only on its own logits and its own uniform number, so it does not matter which other rows
    share the batch.

    Args:
        logits: [rows, vocabulary].
        uniforms: a number in [0, 1) for each row.
        temperature: divides the logits; 0 takes the most likely token.
        top_p: draw from the smallest set of most likely tokens whose probabilities add up to this.
        top_k: draw from this many most likely tokens, and those as likely as the last of them; 0: from all.
        min_p: draw from tokens that are at least this share as likely as the most likely one.

    Returns:
        [rows]
    """
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.float() / temperature, -1)
    if min_p > 0:
        least = min_p * probabilities.amax(-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < least, 0)
    if 0 < top_k < logits.shape[-1]:
        least = probabilities.topk(top_k, -1).values[:, -1:]
        probabilities = probabilities.masked_fill(probabilities < least, 0)
    if top_p < 1 and (min_p > 0 or top_k > 0):
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    if top_p < 1:
        probabilities = nucleus(probabilities, top_p)
    # float64: over a vocabulary of 100,000, rounding in float32 sums would shift the borders between tokens.
    borders = probabilities.cumsum(-1, dtype=torch.float64)
    points = torch.tensor(uniforms, dtype=torch.float64, device=logits.device) * borders[:, -1]
    return torch.searchsorted(borders, points[:, None], right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """`probabilities` [rows, vocabulary] with all but the most likely tokens, up to a sum of `top_p`, set to 0.

    The token that crosses `top_p` is kept, so there is always at least one.
    """
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    return torch.zeros_like(probabilities).scatter(-1, order, ordered.masked_fill(before >= top_p, 0))
