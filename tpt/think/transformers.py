"""The engine for machines without vLLM: transformers' models with a cache that branches.

What all prompts begin with (the worked examples) is computed once, the rest of a prompt once for its n samples, and
each token after that in one batch of rows that are dropped when they end and filled up with new problems.
"""

import os
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
import transformers
from torch import Tensor
from transformers import AttentionInterface, AutoTokenizer

from tpt.checkpoint import load_causal_lm
from tpt.errors import EngineError, ModelError
from tpt.hardware import cpu_threads
from tpt.models import head_size
from tpt.think.base import Completion, Draw, Prompt
from tpt.think.cache import BranchingCache
from tpt.think.pick import pick

if TYPE_CHECKING:
    from tpt.config import ModelConfig, SamplerConfig

ATTENTION = "tpt_branching"
LOOKAHEAD = 4096  # prompts whose common beginning is looked for at once
ROWS = {"cpu": 64, "cuda": 4096}  # sequences in a batch, where memory allows; more gain little on 2 cores
REFILL = 16  # rows are filled up once a 16th of them is free: a forward pass for each problem would cost more
PREFILL = 64  # prompts computed at once: their scores take memory by the square of their tokens
PICKING = 24  # bytes that choosing a token takes for each word of the vocabulary


@dataclass
class _Problem:
    prompt: Prompt
    limit: int  # tokens of a completion
    finished: dict[int, Completion] = field(default_factory=dict)


@dataclass
class _Row:
    """A sample being drawn; its place in the list of rows is its row in the cache."""

    problem: _Problem
    index: int
    column: int  # where its next token goes in the cache
    ids: list[int]
    uniforms: random.Random


class TransformersSampler:
    """Samples with a transformers model in this process."""

    def __init__(self, config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int) -> None:
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._name = model.name
        self._context = context
        self._rows = config.max_num_seqs or ROWS[self._device]
        self._held = self._rows  # of the last batch
        self._measure = self._device == "cuda" and not config.max_num_seqs
        # On CPUs without matrix units bfloat16 is emulated: slower, and no more exact.
        dtype = torch.float32 if self._device == "cpu" else getattr(torch, model.dtype)
        if self._device == "cpu":
            torch.set_num_threads(cpu_threads())
        AttentionInterface.register(ATTENTION, _no_cache)
        try:
            loaded: Any = load_causal_lm(model_dir, dtype=dtype, attn_implementation=ATTENTION)
            self._model: Any = loaded.to(self._device).eval()
            self._tokenizer = AutoTokenizer.from_pretrained(model_dir)
        except torch.OutOfMemoryError as error:
            raise self._out_of_memory() from error
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"transformers cannot load {model.name} from {model_dir}: {_first_line(error)}",
                "give a folder that save_pretrained wrote; a newer model may need a newer transformers",
            ) from error
        self._window = getattr(self._model.config, "sliding_window", None)

    def describe(self) -> dict[str, Any]:
        """See `Sampler.describe`."""
        return {
            "engine": "transformers",
            "version": transformers.__version__,
            "device": torch.cuda.get_device_name() if self._device == "cuda" else f"cpu x {torch.get_num_threads()}",
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "rows": self._held,
            "determinism": "each sample is seeded by itself; the same seed gives the same sample on the same machine, "
            "up to rounding, which may differ with the other prompts in the batch",
        }

    def close(self) -> None:
        """See `Sampler.close`."""
        self._model = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @torch.inference_mode()
    def sample(self, prompts: Iterable[Prompt], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        """See `Sampler.sample`."""
        waiting = iter(prompts)
        try:
            while chunk := list(islice(waiting, LOOKAHEAD)):
                yield from self._sample_chunk(deque(self._problem(prompt, draw) for prompt in chunk), draw)
        except torch.OutOfMemoryError as error:
            raise self._out_of_memory() from error

    def _problem(self, prompt: Prompt, draw: Draw) -> _Problem:
        limit = min(draw.max_tokens, self._context - len(prompt.ids))
        if limit < 1:
            raise ModelError(
                f"the prompt of {prompt.key} has {len(prompt.ids)} tokens, and the context is {self._context}",
                "use fewer worked examples (task.few_shot), or set a larger model.context",
            )
        if self._window and len(prompt.ids) + limit > self._window:
            raise ModelError(
                f"{self._name} looks back {self._window} tokens only in some layers, and the prompt of {prompt.key} "
                f"and its completion may take {len(prompt.ids) + limit}",
                "lower max_tokens, or use sampler=vllm",
            )
        return _Problem(prompt, limit)

    def _sample_chunk(self, waiting: deque[_Problem], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        """Sample problems of which every prompt begins with the same prefix."""
        # The last token of a prompt is left to the first step, which needs its logits.
        prefix = common_prefix([problem.prompt.ids[:-1] for problem in waiting])
        columns = max(len(one.prompt.ids) + one.limit for one in waiting) - len(prefix)
        room = self._held = max(draw.n, min(self._room(columns), len(waiting) * draw.n))
        # A GPU's memory that was given back in small pieces holds no larger ones: it would be used up several times.
        cache = BranchingCache(room, self._prefill_prefix(prefix), columns if self._device == "cuda" else 0)
        rows: list[_Row] = []
        while waiting or rows:
            self._admit(waiting, rows, room, cache, draw)
            tokens = self._step(rows, cache, draw)
            yield from _retire(rows, tokens, cache, draw, self._decode)

    def _room(self, columns: int) -> int:
        """Rows of so many columns that half of a GPU's free memory holds, up to `ROWS`; or as many as are asked for."""
        if not self._measure:
            return self._rows
        config = self._model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        token = 2 * config.num_hidden_layers * heads * head_size(config) * self._model.dtype.itemsize
        free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return min(self._rows, int(free // 2 // (columns * token + config.vocab_size * PICKING)))

    def _prefill_prefix(self, prefix: list[int]) -> list[tuple[Tensor, Tensor]]:
        if not prefix:
            return []
        cache = BranchingCache(rows=1)
        self._forward(cache, slice(0, 1), [prefix], [0])
        return cache.as_prefix(len(prefix))

    def _admit(self, waiting: deque[_Problem], rows: list[_Row], room: int, cache: BranchingCache, draw: Draw) -> None:
        """Take in as many problems as there is room for; compute the rest of their prompts once and branch."""
        first = len(rows)
        if rows and room - first < room // REFILL:
            return
        while waiting and len(rows) + draw.n <= room:
            problem = waiting.popleft()
            column = len(problem.prompt.ids) - 1 - cache.prefix_length
            rows += [
                _Row(problem, index, column, [], random.Random(problem.prompt.seed + index)) for index in range(draw.n)
            ]
        heads = range(first, len(rows), draw.n)
        for start in range(0, len(heads), PREFILL):
            some = heads[start : start + PREFILL]
            rests = [rows[head].problem.prompt.ids[cache.prefix_length : -1] for head in some]
            if any(rests):
                self._forward(cache, torch.tensor(some, device=self._device), rests, [0] * len(rests))
                copies = [head + index for head in some for index in range(1, draw.n)]
                cache.copy_rows([head for head in some for _ in range(1, draw.n)], copies)

    def _step(self, rows: list[_Row], cache: BranchingCache, draw: Draw) -> list[int]:
        """The next token of every row."""
        last = [[row.ids[-1] if row.ids else row.problem.prompt.ids[-1]] for row in rows]
        logits = self._forward(cache, slice(0, len(rows)), last, [row.column for row in rows])
        uniforms = [row.uniforms.random() for row in rows]
        tokens: list[int] = pick(logits, uniforms, draw.temperature, draw.top_p).tolist()
        return tokens

    def _forward(self, cache: BranchingCache, rows: Tensor | slice, ids: list[list[int]], starts: list[int]) -> Tensor:
        """Run `ids` (ragged) through the model, each from its column in `starts`; gives the last column's logits.

        Shorter sequences are padded at their end; what that writes is overwritten before it is ever seen.
        """
        length = max(map(len, ids))
        padded = torch.tensor([one + [0] * (length - len(one)) for one in ids], device=self._device)
        columns = torch.tensor(starts, device=self._device)[:, None] + torch.arange(length, device=self._device)
        cache.begin(rows, columns)
        AttentionInterface.register(ATTENTION, cache.attend)
        output = self._model(
            input_ids=padded,
            position_ids=columns + cache.prefix_length,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits

    def _decode(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _out_of_memory(self) -> EngineError:
        return EngineError(
            f"{self._name} and {self._rows} sequences do not fit into the GPU's memory",
            "set a lower sampler.max_num_seqs, or use a smaller model",
        )


def common_prefix(sequences: list[list[int]]) -> list[int]:
    """The longest beginning that all sequences share."""
    return list(os.path.commonprefix(sequences))  # noqa: RUF071  # of any sequences, not only of paths


def _retire(
    rows: list[_Row], tokens: list[int], cache: BranchingCache, draw: Draw, decode: Any
) -> Iterator[tuple[Prompt, list[Completion]]]:
    """Add each row's token; drop the rows that ended, and give back the problems of which all samples did."""
    holes = []
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        row.ids.append(token)
        row.column += 1
        stopped = token in draw.end_ids
        if stopped or len(row.ids) == row.problem.limit:
            holes.append(place)
            text = decode(row.ids[:-1] if stopped else row.ids)
            row.problem.finished[row.index] = Completion(row.ids, text, "stop" if stopped else "length")
    problems = {id(rows[place].problem): rows[place].problem for place in holes}
    _close_holes(rows, holes, cache)
    for problem in problems.values():
        if len(problem.finished) == draw.n:
            yield problem.prompt, [problem.finished[index] for index in range(draw.n)]


def _close_holes(rows: list[_Row], holes: list[int], cache: BranchingCache) -> None:
    """Drop the rows at `holes`; rows from the end take their places, so that the rows lie without gaps."""
    left = len(rows) - len(holes)
    targets = [hole for hole in holes if hole < left]
    sources = sorted({*range(left, len(rows))}.difference(holes))
    if targets:
        cache.copy_rows(sources, targets)
        for source, target in zip(sources, targets, strict=True):
            rows[target] = rows[source]
    del rows[left:]


def _no_cache(*args: Any, **kwargs: Any) -> None:
    raise RuntimeError("this attention works with a BranchingCache only")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
