"""The engine for machines without vLLM: transformers' models, sampled in branching rows or the plain way."""

import logging
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers import AutoTokenizer, GenerationConfig

from tpt.artefacts import EngineDescription
from tpt.checkpoint import load_causal_lm
from tpt.errors import EngineError, ModelError, said
from tpt.hardware import cpu_threads
from tpt.models import head_size
from tpt.prompt import Decoder
from tpt.think.base import Completion, Draw, Prompt, Sampler
from tpt.think.branching import Branching, replaceable
from tpt.think.check import Check
from tpt.think.plain import Plain

if TYPE_CHECKING:
    from tpt.settings.model import ModelConfig
    from tpt.settings.sampler import SamplerConfig

logger = logging.getLogger(__name__)

LOOKAHEAD = 4096  # prompts among which a common beginning is searched for
ROWS = {"cpu": 64, "cuda": 4096}  # sequences in a batch, if memory allows; more gain little on 2 cores
VLLM = "set sampler=vllm, which has its own code for many models"
PICKING = 24  # bytes that choosing a token takes per entry of the vocabulary


def load() -> None:
    """Nothing: what is slow to import was imported with this module."""


def make(config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int, _: int) -> "TransformersSampler":
    """The engine with a model, see `think.engines.make_sampler`; it seeds each sample by itself."""
    return TransformersSampler(config, model, model_dir, context)


class TransformersSampler(Sampler):
    """Samples with a transformers model in this process.

    In branching rows, if that computes the model (`tpt.think.check`), otherwise the plain way.
    """

    def __init__(self, config: "SamplerConfig", model: "ModelConfig", model_dir: Path, context: int) -> None:
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._name = model.name
        self._context = context
        self._rows = config.max_num_seqs or ROWS[self._device]
        self._held = self._rows  # of the last batch
        self._measure = self._device == "cuda" and not config.max_num_seqs
        # On CPUs without matrix units bfloat16 is emulated: slower, and no more precise.
        dtype = torch.float32 if self._device == "cpu" else getattr(torch, model.dtype)
        if self._device == "cpu":
            torch.set_num_threads(cpu_threads())
        try:
            loaded: Any = load_causal_lm(model_dir, dtype=dtype)
            self._model: Any = loaded.to(self._device).eval()
            self._tokenizer = AutoTokenizer.from_pretrained(model_dir)
            self._decode = Decoder(self._tokenizer)
            # The checkpoint's own defaults must not change the draw.
            self._model.generation_config = GenerationConfig()  # type: ignore[no-untyped-call]
            self._sampling: Any = self._way()
        except torch.OutOfMemoryError as error:
            raise self._out_of_memory() from error
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"transformers cannot load {model.name} from {model_dir}: {said(error)}",
                "give a folder written by save_pretrained; a newer model may need a newer transformers",
            ) from error

    def _way(self) -> Branching | Plain:
        """The fastest sampling method that computes this model.

        Raises:
            ModelError: none does.
        """
        own = self._model.config._attn_implementation
        try:
            check = Check.of(self._model, self._tokenizer)
        except (torch.OutOfMemoryError, ModelError):
            raise
        except Exception as error:
            raise ModelError(f"transformers cannot compute {self._name}: {said(error)}", VLLM) from error
        unbranched: str | None = "its attention cannot be replaced"
        if replaceable(self._model):
            branching = Branching(self._model)
            unbranched = check.fault(branching.forced)
            if unbranched is None:
                return branching
        for attention in dict.fromkeys((own, "eager")):
            plain = Plain(self._model, attention)
            fault = check.fault(plain.forced)
            if fault is None:
                logger.warning(
                    "%s is sampled without branching, which is slower: %s. If vLLM supports the model, sampler=vllm is "
                    "faster",
                    self._name,
                    unbranched,
                )
                return plain
        raise ModelError(f"sampling {self._name} with transformers does not agree with its forward pass: {fault}", VLLM)

    def describe(self) -> EngineDescription:
        """See `Sampler.describe`."""
        return {
            "engine": "transformers",
            "version": transformers.__version__,
            "device": torch.cuda.get_device_name() if self._device == "cuda" else f"cpu x {torch.get_num_threads()}",
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "rows": self._held,
            "way": self._sampling.words,
            "determinism": "each sample has its own seed; the same seed gives the same sample on the same machine, "
            "up to rounding, which may depend on the other prompts in the batch",
        }

    def close(self) -> None:
        """See `Sampler.close`."""
        self._model = self._sampling = None

    @torch.inference_mode()
    def sample(self, prompts: Iterable[Prompt], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        """See `Sampler.sample`."""
        waiting = iter(prompts)
        try:
            while chunk := [(one, self._limit(one, draw)) for one in islice(waiting, LOOKAHEAD)]:
                # As many as memory allows, but at least the samples of one prompt.
                self._held = max(draw.n, min(self._room(self._sampling.columns(chunk)), len(chunk) * draw.n))
                yield from self._sampling.sample(chunk, draw, self._held, self._decode)
        except torch.OutOfMemoryError as error:
            raise self._out_of_memory() from error

    def _limit(self, prompt: Prompt, draw: Draw) -> int:
        """The most tokens that a completion may have."""
        limit = min(draw.max_tokens, self._context - len(prompt.ids))
        if limit < 1:
            raise ModelError(
                f"the prompt of {prompt.key} has {len(prompt.ids)} tokens, but the context is {self._context}",
                "use fewer worked examples (task.few_shot), or set a larger model.context",
            )
        return limit

    def _room(self, columns: int) -> int:
        """Rows of `columns` columns that fit into half of a GPU's free memory, at most the configured number."""
        if not self._measure:
            return self._rows
        config = self._model.config.get_text_config()
        heads = getattr(config, "num_key_value_heads", None) or getattr(config, "num_attention_heads", None)
        width = heads * head_size(config) if heads else config.hidden_size
        token = 2 * config.num_hidden_layers * width * self._model.dtype.itemsize
        free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return min(self._rows, int(free // 2 // (columns * token + config.vocab_size * PICKING)))

    def _out_of_memory(self) -> EngineError:
        return EngineError(
            f"{self._name} and {self._rows} sequences do not fit into the GPU's memory",
            "set a lower sampler.max_num_seqs, or use a smaller model",
        )
