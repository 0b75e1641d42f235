"""The kept examples as a data set: the chat of each prompt and the answer, as TRL's SFTTrainer and others read them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tpt import prompt, records
from tpt.artefacts import Manifest
from tpt.errors import RunError
from tpt.records import Example, Problem
from tpt.runs import table
from tpt.runs.folder import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
SCHEMA = pa.schema(
    [
        ("prompt", CHAT),
        ("completion", CHAT),
        ("round", pa.int64()),
        ("problem_id", pa.string()),
        ("source", pa.string()),
    ]
)
FILE = "data/train.parquet"  # in the data set's folder


@dataclass
class Written:
    """What was written.

    Attributes:
        by_round: examples of each round.
        sources: examples from `self`, `human`, `run`.
        same_tokens: completions whose text, tokenised again, gives the tokens that were trained on.
        unended: completions without an end token: they were cut off.
    """

    by_round: Counter[int] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    same_tokens: int = 0
    unended: int = 0


def examples_path(run: Run, round: int) -> Path:
    """The examples that a round was trained on."""
    return run.examples_path(round)


def write(run: Run, round: int, tokenizer: "PreTrainedTokenizerBase", ends: list[int], folder: Path) -> Written:
    """Write the examples that rounds 1 to `round` kept to `folder`, in bounded memory.

    Args:
        tokenizer: the model's.
        ends: the tokens that end its completions, the usual one first.

    Raises:
        RunError: a prompt is no longer what was trained on, because another version of tpt words or encodes it.
    """
    written, model = Written(), run.config.model.trained()
    path = folder / FILE
    path.parent.mkdir(parents=True)

    def rows() -> Iterator[dict[str, object]]:
        problems = {
            one.id: one for one in records.read(run.problems_path(table.TRAIN_SET), Problem, run.config.task.asks_with)
        }
        for example in _kept(run, round):
            chat = prompt.messages(problems[example.problem_id], run.config.task, model)
            if prompt.encode_prompt(chat, tokenizer, model) != example.prompt_ids:
                raise RunError(
                    f"the prompt of {example.problem_id} in round {example.round} is no longer the one trained on",
                    f"export with the version that made the run: tpt {_version(run, example.round)}",
                )
            ended = example.completion_ids[-1] in ends
            again = prompt.encode_completion(example.text, tokenizer, ends[0])
            written.same_tokens += example.completion_ids == (again if ended else again[:-1])
            written.unended += not ended
            written.by_round[example.round] += 1
            written.sources[example.source] += 1
            answer = [{"role": "assistant", "content": example.text}]
            yield {
                "prompt": chat,
                "completion": answer,
                "round": example.round,
                "problem_id": example.problem_id,
                "source": example.source,
            }

    remaining = rows()
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        while batch := list(islice(remaining, records.ROWS_PER_BATCH)):
            writer.write_table(pa.Table.from_pylist(batch, SCHEMA))
    return written


def _kept(run: Run, round: int) -> Iterator[Example]:
    for one in range(1, round + 1):
        # Where rounds accumulate, a round's file begins with the examples of those before it.
        yield from (example for example in records.read(examples_path(run, one), Example) if example.round == one)


def _version(run: Run, round: int) -> str:
    return str(run.results(table.trained_on(round), Manifest)["versions"]["tpt"])
