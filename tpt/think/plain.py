"""Sampling with a model's own cache, for models whose cache cannot branch.

Correct for every kind of model (states, latent attention, windows), since no part of it is replaced: prompts of the
same length form a batch, so there is no padding, and every sample computes its whole prompt.
"""

import random
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    PreTrainedModel,
    StoppingCriteria,
    StoppingCriteriaList,
)

from tpt.prompt import Decoder
from tpt.think.base import Completion, Draw, Prompt, completed
from tpt.think.branching import attend
from tpt.think.pick import pick

PREFILL_TOKENS = 16384  # tokens in the prompts of a batch, which all its samples compute at the same time


class Plain:
    """Draws samples with a model's own cache.

    Args:
        attention: its name in transformers.
    """

    words = "every sample computes its prompt, with the model's own cache"

    def __init__(self, model: PreTrainedModel, attention: str) -> None:
        self._model: Any = model
        self._attention = attention

    def columns(self, asked: list[tuple[Prompt, int]]) -> int:
        """See `Branching.columns`."""
        return max(len(prompt.ids) + limit for prompt, limit in asked)

    def sample(
        self, asked: list[tuple[Prompt, int]], draw: Draw, rows: int, decode: Decoder
    ) -> Iterator[tuple[Prompt, list[Completion]]]:
        """See `Branching.sample`."""
        attend(self._model, self._attention)
        for alike in _alike(asked, rows, draw.n):
            prompts, limit = [prompt for prompt, _ in alike], alike[0][1]
            uniforms = [random.Random(prompt.seed + index) for prompt in prompts for index in range(draw.n)]

            def choose(logits: Tensor, uniforms: list[random.Random] = uniforms) -> Tensor:
                points = [one.random() for one in uniforms]
                return pick(logits, points, draw.temperature, draw.top_p, draw.top_k, draw.min_p)

            def stopped(ids: list[int]) -> bool:
                return decode.stopped(ids, draw.stop)

            ids = [prompt.ids for prompt in prompts]
            found = iter(self._generate(ids, draw.n, limit, draw.end_ids, choose, stopped if draw.stop else None))
            for prompt in prompts:
                yield prompt, [completed(next(found), draw, decode) for _ in range(draw.n)]

    def forced(self, prompts: list[list[int]], continuations: list[list[list[int]]]) -> list[Tensor]:
        """See `Branching.forced`."""
        attend(self._model, self._attention)
        return [self._forced(*one) for one in zip(prompts, continuations, strict=True)]

    def _forced(self, prompt: list[int], continuations: list[list[int]]) -> Tensor:
        tokens = torch.tensor(continuations, device=self._model.device)
        found: list[Tensor] = []

        def choose(logits: Tensor) -> Tensor:
            found.append(logits)
            return tokens[:, len(found) - 1]

        self._generate([prompt], len(tokens), tokens.shape[1], (), choose)
        return torch.stack(found, 1)

    def _generate(
        self,
        prompts: list[list[int]],
        n: int,
        limit: int,
        end_ids: tuple[int, ...],
        choose: Callable[[Tensor], Tensor],
        stopped: Callable[[list[int]], bool] | None = None,
    ) -> list[list[int]]:
        """`n` completions of each prompt, in order.

        Args:
            choose: picks the next token of every row from its logits.
            stopped: whether a completion ends with its last token, though that is none of `end_ids`.
        """
        ids = torch.tensor([prompt for prompt in prompts for _ in range(n)], device=self._model.device)
        settings = GenerationConfig(  # type: ignore[no-untyped-call]
            max_new_tokens=limit, eos_token_id=list(end_ids) or None, pad_token_id=0, do_sample=False, use_cache=True
        )
        made = self._model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            generation_config=settings,
            logits_processor=LogitsProcessorList([_Choice(choose)]),
            stopping_criteria=StoppingCriteriaList([_Stops(stopped, ids.shape[1])] if stopped else []),
        )
        rows: list[list[int]] = made[:, ids.shape[1] :].tolist()
        return rows


class _Choice(LogitsProcessor):
    """Leaves only one token to choose."""

    def __init__(self, choose: Callable[[Tensor], Tensor]) -> None:
        self._choose = choose

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return torch.full_like(scores, float("-inf")).scatter(1, self._choose(scores)[:, None], 0.0)


class _Stops(StoppingCriteria):
    """Ends the rows whose completions have come to an end."""

    def __init__(self, stopped: Callable[[list[int]], bool], start: int) -> None:
        self._stopped, self._start = stopped, start

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        found = [self._stopped(row) for row in input_ids[:, self._start :].tolist()]
        return torch.tensor(found, device=input_ids.device)


def _alike(asked: list[tuple[Prompt, int]], rows: int, n: int) -> Iterator[list[tuple[Prompt, int]]]:
    """`asked` in batches of prompts with the same length and limit, whose `n` samples take at most `rows` rows."""

    def shape(one: tuple[Prompt, int]) -> tuple[int, int]:
        return len(one[0].ids), one[1]

    for _, same in groupby(sorted(asked, key=shape), key=shape):
        alike = list(same)
        size = max(1, min(rows, PREFILL_TOKENS // shape(alike[0])[0]) // n)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))
