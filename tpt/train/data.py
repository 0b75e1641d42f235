"""Batches of examples, planned up front so that every token weighs the same whatever the batching."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from tpt.config import TrainConfig
from tpt.errors import DataError
from tpt.records import Example

IGNORED = -100  # label of a token that is not trained on
BUCKET = 32  # steps among which examples of like length are brought together


@dataclass(frozen=True)
class MicroBatch:
    """Some examples that go through the model together.

    Attributes:
        indices: which examples.
        step_tokens: trained tokens of the whole optimizer step, over all of its micro-batches and ranks.
    """

    indices: tuple[int, ...]
    step_tokens: int


def plan(
    lengths: list[int], labels: list[int], batch_size: int, micro_batch: int, ranks: int, seed: int
) -> list[MicroBatch]:
    """One epoch's micro-batches: rank r of R takes every R-th from the r-th on.

    Which examples make a step depends on `batch_size` and `seed` alone, and not on how the step is split up. Examples
    are shuffled, then brought together with others of like length, and the order of the steps is shuffled again, so
    that little is padding and the order still is chance. Each step has as many micro-batches as any other, of which
    the last may be empty; only the last step may have fewer examples.

    Args:
        lengths: tokens of each example, prompt and completion.
        labels: trained tokens of each example.
        batch_size: examples in an optimizer step.
        micro_batch: examples that go through a device at once.
        seed: of this epoch's order.
    """
    rng = random.Random(seed)
    order = list(range(len(lengths)))
    rng.shuffle(order)
    steps: list[list[int]] = []
    for start in range(0, len(order), batch_size * BUCKET):
        bucket = sorted(order[start : start + batch_size * BUCKET], key=lambda index: lengths[index])
        steps += [bucket[at : at + batch_size] for at in range(0, len(bucket), batch_size)]
    rng.shuffle(steps)
    per_step = -(-batch_size // (micro_batch * ranks)) * ranks
    planned: list[MicroBatch] = []
    for step in steps:
        tokens = sum(labels[index] for index in step)
        parts = [tuple(step[at : at + micro_batch]) for at in range(0, len(step), micro_batch)]
        parts += [()] * (per_step - len(parts))
        planned += [MicroBatch(part, tokens) for part in parts]
    return planned


class Examples(Dataset[Example]):
    """The tokens of a parquet file's examples that fit `max_length`, four bytes a token in memory.

    Attributes:
        lengths: tokens of each example, prompt and completion.
        labels: tokens of each example's completion.
        left_out: examples that do not fit.

    Raises:
        DataError: no example is left.
    """

    def __init__(self, path: Path, max_length: int) -> None:
        table = pq.read_table(path, columns=["prompt_ids", "completion_ids"])
        labels = pc.list_value_length(table["completion_ids"])
        lengths = pc.add(labels, pc.list_value_length(table["prompt_ids"]))
        fits = pc.less_equal(lengths, max_length)
        self._table = table.filter(fits).combine_chunks()
        self.lengths: list[int] = lengths.filter(fits).to_pylist()
        self.labels: list[int] = labels.filter(fits).to_pylist()
        self.left_out = table.num_rows - len(self)
        if not len(self):
            raise DataError(
                f"none of the {table.num_rows} examples fits into {max_length} tokens", "raise train.max_length"
            )

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Example:
        prompt_ids, completion_ids = (self._table[name][index].as_py() for name in ("prompt_ids", "completion_ids"))
        return Example("", "", 0, prompt_ids, completion_ids, "")


def collate(rows: list[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Examples as right-padded tensors `input_ids`, `attention_mask`, `labels`, each of shape (batch, longest).

    Only the completion is labelled, its end token too; no token is made anew from text.
    """
    longest = max((len(row.prompt_ids) + len(row.completion_ids) for row in rows), default=2)
    shape = (max(1, len(rows)), longest)
    input_ids = torch.full(shape, pad_id)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORED)
    attention_mask[:, 0] = 1  # an empty micro-batch is one padded row without labels
    for at, row in enumerate(rows):
        ids = torch.tensor(row.prompt_ids + row.completion_ids)
        input_ids[at, : len(ids)] = ids
        attention_mask[at, : len(ids)] = 1
        labels[at, len(row.prompt_ids) : len(ids)] = ids[len(row.prompt_ids) :]
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


class _Planned:
    """A batch sampler over a plan that can begin in its middle; its length stays that of the whole epoch."""

    def __init__(self, batches: list[MicroBatch], skip: int) -> None:
        self.batches, self.skip = batches, skip

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[MicroBatch]:
        yield from self.batches[self.skip :]
        self.skip = 0


class _Fetch(Dataset[dict[str, Any]]):
    """What the loader asks for a whole micro-batch at once."""

    def __init__(self, examples: Examples, pad_id: int) -> None:
        self.examples, self.pad_id = examples, pad_id

    def __getitem__(self, batch: Any) -> dict[str, Any]:
        tensors: dict[str, Any] = dict(collate([self.examples[index] for index in batch.indices], self.pad_id))
        return tensors | {"step_tokens": batch.step_tokens}


class ExampleModule(pl.LightningDataModule):
    """The training batches, epoch by epoch; after a restart it goes on at the batch the checkpoint ended with.

    Args:
        examples: what to train on.
        settings: the sizes of batches, and over how many ranks they are split.
        pad_id: token id of padding, which is neither attended to nor trained on.
        seed: of the order of the examples.
    """

    def __init__(self, examples: Examples, settings: TrainConfig, seed: int, pad_id: int) -> None:
        super().__init__()
        self.examples, self.settings, self.pad_id, self.seed = examples, settings, pad_id, seed
        self.resume_at: tuple[int, int] = (0, 0)  # epoch, optimizer steps of it that are done

    def epoch(self, number: int) -> list[MicroBatch]:
        """The plan of an epoch over all ranks."""
        sizes = self.settings.batch_size, self.settings.micro, self.settings.ranks
        return plan(self.examples.lengths, self.examples.labels, *sizes, self.seed + number)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-len(self.examples) // self.settings.batch_size)

    def train_dataloader(self) -> DataLoader[Any]:
        """This rank's batches of the current epoch."""
        assert self.trainer is not None
        rank, number = self.trainer.global_rank, self.trainer.current_epoch
        epoch, done = self.resume_at
        skip = done * self.settings.accumulate if number == epoch else 0
        sampler = _Planned(self.epoch(number)[rank :: self.settings.ranks], skip)
        return DataLoader(_Fetch(self.examples, self.pad_id), sampler=sampler, batch_size=None)
