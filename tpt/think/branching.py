"""Sampling in one batch of branching rows, so that what prompts share is computed once.

The common beginning of all prompts (the worked examples) is computed once, the rest of a prompt once for its n samples,
and each later token in one batch of rows, which are dropped when they end and refilled with new problems.

It replaces the model's attention and cache, so it is correct only for models that carry nothing else from token to
token: `tpt.think.check` tests that.
"""

import os
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from tpt.prompt import Decoder
from tpt.think.base import Completion, Draw, Prompt, completed
from tpt.think.cache import BranchingCache
from tpt.think.pick import pick

ATTENTION = "tpt_branching"
REFILL = 16  # rows are refilled when a 16th of them is free: a forward pass per problem would cost more
PREFILL = 64  # prompts computed at a time: the memory for their scores grows with the square of their tokens


@dataclass
class _Problem:
    prompt: Prompt
    limit: int  # tokens of a completion
    finished: dict[int, Completion] = field(default_factory=dict)


@dataclass
class _Row:
    """A sample being drawn; its index in the list of rows is its row in the cache."""

    problem: _Problem
    index: int
    column: int  # the cache column of its next token
    ids: list[int]
    uniforms: random.Random


class Branching:
    """Draws samples in branching rows.

    Args:
        model: a model whose attention can be replaced.
    """

    words = "prompts computed once and branched"

    def __init__(self, model: PreTrainedModel) -> None:
        self._model: Any = model
        self._device = model.device
        AttentionInterface.register(ATTENTION, _no_cache)

    def columns(self, asked: list[tuple[Prompt, int]]) -> int:
        """The most tokens whose keys and values a row may contain."""
        return max(len(prompt.ids) + limit for prompt, limit in asked) - len(_prefix(asked))

    def sample(
        self, asked: list[tuple[Prompt, int]], draw: Draw, rows: int, decode: Decoder
    ) -> Iterator[tuple[Prompt, list[Completion]]]:
        """Each prompt with its completions, as soon as they are finished.

        Args:
            asked: prompts, each with the most tokens that a completion may have.
            rows: samples drawn at a time; at least `draw.n`.
        """
        attend(self._model, ATTENTION)
        waiting = deque(_Problem(prompt, limit) for prompt, limit in asked)
        prefix, columns = _prefix(asked), self.columns(asked)
        # GPU memory that was freed in small pieces cannot hold larger ones: without this, memory use would multiply.
        cache = BranchingCache(rows, self._prefill_prefix(prefix), columns if self._device.type == "cuda" else 0)
        running: list[_Row] = []
        while waiting or running:
            self._admit(waiting, running, rows, cache, draw.n)
            logits = self._step(running, cache)
            uniforms = [row.uniforms.random() for row in running]
            tokens = pick(logits, uniforms, draw.temperature, draw.top_p, draw.top_k, draw.min_p).tolist()
            yield from _retire(running, tokens, cache, draw, decode)

    def forced(self, prompts: list[list[int]], continuations: list[list[list[int]]]) -> list[Tensor]:
        """The model's predictions along given continuations.

        Args:
            prompts: token ids.
            continuations: for each prompt, the ids of its samples; all with the same number of samples and of tokens.

        Returns:
            for each prompt, the logits before each token, [samples, tokens, vocabulary].
        """
        attend(self._model, ATTENTION)
        n, steps = len(continuations[0]), len(continuations[0][0])
        asked = [(Prompt(str(number), ids, 0), steps) for number, ids in enumerate(prompts)]
        cache = BranchingCache(n * len(prompts), self._prefill_prefix(_prefix(asked)))
        rows: list[_Row] = []
        self._admit(deque(_Problem(*one) for one in asked), rows, n * len(prompts), cache, n)
        found = []
        for step in range(steps):
            found.append(self._step(rows, cache))
            for place, row in enumerate(rows):
                row.ids.append(continuations[place // n][place % n][step])
                row.column += 1
        return list(torch.split(torch.stack(found, 1), n))

    def _prefill_prefix(self, prefix: list[int]) -> list[tuple[Tensor, Tensor]]:
        if not prefix:
            return []
        cache = BranchingCache(rows=1)
        self._forward(cache, slice(0, 1), [prefix], [0])
        return cache.as_prefix(len(prefix))

    def _admit(self, waiting: deque[_Problem], rows: list[_Row], room: int, cache: BranchingCache, n: int) -> None:
        """Admit as many problems as there is room for; compute the rest of each prompt once and branch."""
        first = len(rows)
        if rows and room - first < room // REFILL:
            return
        while waiting and len(rows) + n <= room:
            problem = waiting.popleft()
            column = len(problem.prompt.ids) - 1 - cache.prefix_length
            rows += [_Row(problem, index, column, [], random.Random(problem.prompt.seed + index)) for index in range(n)]
        heads = range(first, len(rows), n)
        for start in range(0, len(heads), PREFILL):
            some = heads[start : start + PREFILL]
            rests = [rows[head].problem.prompt.ids[cache.prefix_length : -1] for head in some]
            if any(rests):
                self._forward(cache, torch.tensor(some, device=self._device), rests, [0] * len(rests))
                copies = [head + index for head in some for index in range(1, n)]
                cache.copy_rows([head for head in some for _ in range(1, n)], copies)

    def _step(self, rows: list[_Row], cache: BranchingCache) -> Tensor:
        """The logits of every row's next token."""
        last = [[row.ids[-1] if row.ids else row.problem.prompt.ids[-1]] for row in rows]
        return self._forward(cache, slice(0, len(rows)), last, [row.column for row in rows])

    def _forward(self, cache: BranchingCache, rows: Tensor | slice, ids: list[list[int]], starts: list[int]) -> Tensor:
        """Run `ids` (ragged) through the model, each from its column in `starts`; returns the last token's logits.

        Shorter sequences are padded at the end; what padding writes is overwritten before it is ever read.
        """
        length = max(map(len, ids))
        padded = torch.tensor([one + [0] * (length - len(one)) for one in ids], device=self._device)
        columns = torch.tensor(starts, device=self._device)[:, None] + torch.arange(length, device=self._device)
        cache.begin(rows, columns)
        AttentionInterface.register(ATTENTION, cache.attend)
        AttentionMaskInterface.register(ATTENTION, cache.mask)
        output = self._model(
            input_ids=padded,
            position_ids=columns + cache.prefix_length,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


def attend(model: PreTrainedModel, attention: str) -> None:
    """Make a model use an attention that transformers knows by name, if the model's attention can be replaced."""
    if model.config._attn_implementation != attention and replaceable(model):
        model.set_attn_implementation(attention)


def replaceable(model: PreTrainedModel) -> bool:
    """Whether a model takes its attention from transformers' registry."""
    return bool(model._can_set_attn_implementation())


def common_prefix(sequences: list[list[int]]) -> list[int]:
    """The longest common prefix of all sequences."""
    return list(os.path.commonprefix(sequences))  # noqa: RUF071  # for any sequences, not only for paths


def _prefix(asked: list[tuple[Prompt, int]]) -> list[int]:
    # The last token of a prompt is left for the first step, which needs its logits.
    return common_prefix([prompt.ids[:-1] for prompt, _ in asked])


def _retire(
    rows: list[_Row], tokens: list[int], cache: BranchingCache, draw: Draw, decode: Decoder
) -> Iterator[tuple[Prompt, list[Completion]]]:
    """Add each row's token; drop the rows that ended, and return the problems whose samples have all ended."""
    holes = []
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        row.ids.append(token)
        row.column += 1
        full = len(row.ids) == row.problem.limit
        if token in draw.end_ids or full or decode.stopped(row.ids, draw.stop):
            holes.append(place)
            row.problem.finished[row.index] = completed(row.ids, draw, decode)
    problems = {id(rows[place].problem): rows[place].problem for place in holes}
    _close_holes(rows, holes, cache)
    for problem in problems.values():
        if len(problem.finished) == draw.n:
            yield problem.prompt, [problem.finished[index] for index in range(draw.n)]


def _close_holes(rows: list[_Row], holes: list[int], cache: BranchingCache) -> None:
    """Drop the rows at `holes`; rows from the end take their places, so that there are no gaps."""
    left = len(rows) - len(holes)
    targets = [hole for hole in holes if hole < left]
    sources = sorted({*range(left, len(rows))}.difference(holes))
    if targets:
        cache.copy_rows(sources, targets)
        for source, target in zip(sources, targets, strict=True):
            rows[target] = rows[source]
    del rows[left:]


def _no_cache(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("this attention works only with a BranchingCache")
