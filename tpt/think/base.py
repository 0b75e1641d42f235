"""What a sampling engine is: prompts in, completions out as they finish. Imports no torch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from tpt.artefacts import EngineDescription


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
        ids: token ids as sampled, including the end token if there is one.
        text: the ids as text, without special tokens.
        finish_reason: "stop" if an end token ended it, "length" if it was cut off.
    """

    ids: list[int]
    text: str
    finish_reason: str


def completed(ids: list[int], end_ids: tuple[int, ...], decode: Callable[[list[int]], str]) -> Completion:
    """The completion consisting of the ids up to the first end token.

    Args:
        decode: turns ids into text.
    """
    end = next((place for place, token in enumerate(ids) if token in end_ids), None)
    if end is None:
        return Completion(ids, decode(ids), "length")
    return Completion(ids[: end + 1], decode(ids[:end]), "stop")


@dataclass(frozen=True)
class Draw:
    """How completions are drawn.

    Attributes:
        n: completions per prompt.
        temperature: 0 takes the most likely token.
        top_p: draw from the smallest set of most likely tokens whose probabilities add up to this.
        max_tokens: completions are cut off after this many tokens, or when the context is full.
        end_ids: tokens that end a completion.
    """

    n: int
    temperature: float
    top_p: float
    max_tokens: int
    end_ids: tuple[int, ...]


class Sampler(Protocol):
    """An engine with a loaded model; a context manager that closes the engine."""

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

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
