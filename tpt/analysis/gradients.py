"""The scores of samples, grad log pi(completion | prompt), as sketches of flat size."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from lightning_fabric.utilities import move_data_to_device
from torch import Tensor
from transformers import PreTrainedModel

from tpt.analysis.inner_products import Floats, Vectors
from tpt.records import Example, Sample
from tpt.train.attention import packing
from tpt.train.data import collate
from tpt.train.module import CompletionLoss

SIZE = 2**15


class Sketch:
    """Scores of one model, with a random sign at each parameter, folded into `size` sums.

    Inner products of sketches have the scores' inner products as their expectation over the signs, with a standard
    deviation of about |s| |s'| sqrt(2 / size) (the count sketch of Charikar, Chen and Farach-Colton 2002, with buckets
    in turn). Gradients are folded parameter by parameter during the backward pass, so no whole gradient is held; the
    signs take one byte per parameter.

    Args:
        model: in float32 and in eval mode, since dropout would make the scores random. Its gradients are not kept.
        size: numbers in a sketch.
        seed: of the signs. Only sketches of the same seed and size can be multiplied.
    """

    def __init__(self, model: PreTrainedModel, size: int = SIZE, seed: int = 0) -> None:
        self._model, self._size = model, size
        self._objective = CompletionLoss(model, fused=False)
        self._device = next(model.parameters()).device
        self._sum = torch.zeros(size, device=self._device)
        generator = torch.Generator().manual_seed(seed)
        self._folds: list[tuple[Tensor, Callable[[Tensor], None]]] = []
        start = 0
        for one in model.parameters():
            if one.requires_grad:
                signs = 2 * torch.randint(0, 2, (one.numel(),), generator=generator, dtype=torch.int8) - 1
                self._folds.append((one, self._folding(signs.to(self._device), start)))
                start = (start + one.numel()) % size

    def scores(self, samples: Sequence[Sample]) -> Vectors:
        """The sketched score of each sample: of its completion, including its end token, at temperature 1.

        Returns:
            shape (samples, size).
        """
        hooks = [
            one.register_post_accumulate_grad_hook(fold)  # type: ignore[no-untyped-call]  # torch gives no hints here
            for one, fold in self._folds
        ]
        try:
            return np.stack([self._score(one) for one in samples])
        finally:
            for hook in hooks:
                hook.remove()

    @torch.no_grad()
    def log_likelihoods(self, samples: Sequence[Sample]) -> Floats:
        """The log-likelihood of each sample's completion, including its end token, at temperature 1.

        Returns:
            in nats, shape (samples,).
        """
        return np.array([-float(self._nll(one)) for one in samples])

    def _nll(self, sample: Sample) -> Tensor:
        example = Example(sample.problem_id, "self", 0, sample.prompt_ids, sample.completion_ids, sample.text)
        how = packing(self._model, len(example.prompt_ids) + len(example.completion_ids))
        batch = move_data_to_device(collate([example], pad_id=0, packing=how), self._device)
        nll: Tensor = self._objective(**batch)
        return nll

    def _score(self, sample: Sample) -> Vectors:
        self._sum.zero_()
        torch.autograd.backward(-self._nll(sample))
        found: Vectors = self._sum.cpu().numpy().copy()
        return found

    def _folding(self, signs: Tensor, start: int) -> Callable[[Tensor], None]:
        def fold(parameter: Tensor) -> None:
            gradient, parameter.grad = parameter.grad, None
            if gradient is not None:
                self._sum += folded(gradient.flatten() * signs, start, self._size)

        return fold


def folded(values: Tensor, start: int, size: int) -> Tensor:
    """Sums of the values that stand `size` places apart.

    Args:
        values: shape (n,).
        start: the place of the first value, below `size`.

    Returns:
        shape (size,).
    """
    padded = torch.nn.functional.pad(values, (start, -(start + len(values)) % size))
    return padded.view(-1, size).sum(0)
