"""What a sampling engine is: prompts in, completions out as they finish. Imports no torch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from tpt import prompt
from tpt.artefacts import EngineDescription
from tpt.prompt import Decoder
from tpt.records import LENGTH, STOP, STOP_STRING
from tpt.settings.model import ModelConfig
from tpt.settings.sampling import SampleConfig
from tpt.tasks.base import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prompt:
    """One problem's prompt.

    Attributes:
        key: identifies the problem in the results; unique among the prompts of one call.
        ids: token ids.
        seed: seed of the problem's sample 0; sample i has `seed + i`, so seeds must be at least n apart.
        chat: the prompt as messages, for a server that does not take token ids.
    """

    key: str
    ids: list[int]
    seed: int
    chat: Sequence[Mapping[str, str]] = ()


@dataclass
class Completion:
    """One sample of a problem.

    Attributes:
        ids: token ids as sampled, including the end token if there is one; of a completion cut before a stop string,
            those before it and the end token that it lacks.
        text: the ids as text, without special tokens.
        finish_reason: "stop" if an end token ended it, "stop_string" if a stop string did, "length" if it was cut off.
    """

    ids: list[int]
    text: str
    finish_reason: str


@dataclass(frozen=True)
class Draw:
    """How completions are drawn.

    Attributes:
        n: completions per prompt.
        temperature: 0 takes the most likely token.
        top_p: draw from the smallest set of most likely tokens whose probabilities add up to this.
        max_tokens: completions are cut off after this many tokens, or when the context is full.
        end_ids: tokens that end a completion; the first one also ends those that a stop string cuts.
        top_k: draw from this many most likely tokens; 0: from all.
        min_p: draw from tokens that are at least this share as likely as the most likely one.
        stop: texts before which a completion is cut.
    """

    n: int
    temperature: float
    top_p: float
    max_tokens: int
    end_ids: tuple[int, ...]
    top_k: int = 0
    min_p: float = 0.0
    stop: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        settings: SampleConfig,
        task: Task,
        model: ModelConfig,
        tokenizer: "PreTrainedTokenizerBase",
        folder: Path,
    ) -> "Draw":
        """What some settings mean for a model.

        Args:
            folder: its checkpoint.

        Raises:
            ModelError: no token ends a completion.
            ConfigError: nothing ends a completion of a plain-text prompt.
        """
        return cls(
            n=settings.samples_per_problem,
            temperature=settings.temperature,
            top_p=settings.top_p,
            max_tokens=settings.max_tokens,
            end_ids=tuple(prompt.end_ids(tokenizer, folder, model)),
            top_k=settings.top_k,
            min_p=settings.min_p,
            stop=prompt.stop_strings(settings, task, tokenizer, model),
        )


def completed(ids: list[int], draw: Draw, decode: Decoder) -> Completion:
    """The completion consisting of the ids up to the first end token or stop string."""
    end = next((place for place, token in enumerate(ids) if token in draw.end_ids), len(ids))
    kept = decode.cut(ids[:end], draw.stop) if draw.stop else None
    if kept is not None:
        return Completion([*kept, *draw.end_ids[:1]], decode(kept), STOP_STRING)
    return Completion(ids[: end + 1], decode(ids[:end]), STOP if end < len(ids) else LENGTH)


class Sampler(Protocol):
    """An engine with a loaded model, and a context manager that closes it; engines are subclasses."""

    def sample(self, prompts: Iterable[Prompt], draw: Draw) -> Iterator[tuple[Prompt, list[Completion]]]:
        """Each prompt with its n completions, as soon as they are finished, in any order.

        Prompts are consumed as there is room for them, so that the batch stays full.

        Raises:
            EngineError: the engine ran out of memory or died.
            ModelError: a prompt leaves no room for a completion.
        """
        ...

    def describe(self) -> EngineDescription:
        """Engine, version, device, dtype, and, in words, how deterministic it is."""
        ...

    def close(self) -> None:
        """Free the engine; may be called twice."""
        ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
