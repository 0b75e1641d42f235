"""Batches of examples, planned in advance so that every token has the same weight, whatever the batching."""

import random
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.compute as pc
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tpt import records
from tpt.errors import DataError
from tpt.records import Example
from tpt.settings.train import TrainConfig
from tpt.train.tree import Packing, plant

# The tokens of a prompt and of its completion -> those of the completion to train on; None: none of them
Shorten = Callable[[list[int], list[int]], list[int] | None]
BUCKET = 32  # steps among which examples of similar length are grouped


@dataclass(frozen=True)
class MicroBatch:
    """Some examples that go through the model together.

    Attributes:
        indices: which examples.
        step_tokens: trained tokens in the whole optimizer step, over all of its micro-batches and ranks.
    """

    indices: tuple[int, ...]
    step_tokens: int


def plan(
    lengths: list[int],
    labels: list[int],
    batch_size: int,
    micro_batch: int,
    ranks: int,
    seed: int,
    groups: Sequence[Hashable] | None = None,
) -> list[MicroBatch]:
    """One epoch's micro-batches: rank r of R takes every R-th, starting with the r-th.

    Which examples make up a step depends only on `batch_size`, `groups` and `seed`, not on how the step is split up.
    Examples are shuffled, then grouped with others of similar length, and the order of the steps is shuffled again, so
    that there is little padding and the order is still random. All steps have the same number of micro-batches, the
    last of which may be empty; only the last step may have fewer examples.

    Args:
        lengths: tokens of each example, prompt and completion.
        labels: trained tokens of each example.
        batch_size: examples in an optimizer step.
        micro_batch: examples that go through a device at a time.
        seed: seed of this epoch's order.
        groups: the group of each example; examples of a group stay together. None if each is its own group.
    """
    rng = random.Random(seed)
    of: Sequence[Hashable] = range(len(lengths)) if groups is None else groups
    members: dict[Hashable, list[int]] = {}
    for index, group in enumerate(of):
        members.setdefault(group, []).append(index)
    shuffled = list(members)
    rng.shuffle(shuffled)
    order = [index for group in shuffled for index in members[group]]
    longest = {group: max(lengths[index] for index in some) for group, some in members.items()}
    steps: list[list[int]] = []
    for start in range(0, len(order), batch_size * BUCKET):
        bucket = sorted(order[start : start + batch_size * BUCKET], key=lambda index: longest[of[index]])
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
    """The tokens of a parquet file's examples that fit into `max_length`, at four bytes per token in memory.

    Args:
        shorten: gives what to train on of a completion, from its prompt's tokens and its own; None: nothing. Without
            it, all of each completion.

    Attributes:
        lengths: tokens of each example, prompt and completion.
        labels: tokens of each example's completion.
        problems: the problem of each example, as a number.
        left_out: examples that do not fit, or of which nothing is trained on.

    Raises:
        DataError: no example is left.
    """

    def __init__(self, path: Path, max_length: int, shorten: Shorten | None = None) -> None:
        columns = [records.schema(Example).field(name) for name in ("problem_id", "prompt_ids", "completion_ids")]
        whole = records.read_columns(path, columns)
        table = _shortened(whole, shorten) if shorten else whole
        labels = pc.list_value_length(table["completion_ids"])
        lengths = pc.add(labels, pc.list_value_length(table["prompt_ids"]))
        fits = pc.less_equal(lengths, max_length)
        kept = table.filter(fits).combine_chunks()
        self._table = kept.drop_columns("problem_id")
        problems = pc.dictionary_encode(kept["problem_id"]).combine_chunks()
        self.problems: list[int] = problems.indices.to_pylist()
        self.lengths: list[int] = lengths.filter(fits).to_pylist()
        self.labels: list[int] = labels.filter(fits).to_pylist()
        self.left_out = whole.num_rows - len(self)
        if whole.num_rows and not table.num_rows:
            raise DataError(
                f"none of the {whole.num_rows} examples finishes its thinking",
                "raise think.max_tokens, or set train.thinking=keep",
            )
        if not len(self):
            raise DataError(
                f"none of the {whole.num_rows} examples fits into {max_length} tokens", "raise train.max_length"
            )

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> Example:
        prompt_ids, completion_ids = (self._table[name][index].as_py() for name in ("prompt_ids", "completion_ids"))
        return Example("", "", 0, prompt_ids, completion_ids, "")


def _shortened(table: pa.Table, shorten: Shorten) -> pa.Table:
    """Examples with what is trained on of their completions, those left out of which that is nothing."""
    pairs = zip(table["prompt_ids"].to_pylist(), table["completion_ids"].to_pylist(), strict=True)
    kept = pa.array([shorten(*pair) for pair in pairs], pa.list_(pa.int32()))
    place = table.schema.get_field_index("completion_ids")
    return table.set_column(place, "completion_ids", kept).filter(pc.is_valid(kept))


class Batch(TypedDict):
    """The tensors that `CompletionLoss` takes.

    Attributes:
        input_ids: token ids; shape (rows, longest).
        position_ids: each token's distance from its root, same shape; None if each row is one sequence from its start
            and needs no mask.
        ends: see `tpt.train.tree`; same shape, and None likewise.
        sources: for each trained token, the position in the flattened rows of the token from which it is predicted;
            shape (trained tokens,).
        labels: the ids of the trained tokens; same shape.
    """

    input_ids: Tensor
    position_ids: Tensor | None
    ends: Tensor | None
    sources: Tensor
    labels: Tensor


class StepBatch(Batch):
    """A micro-batch of an optimizer step.

    Attributes:
        step_tokens: trained tokens in the whole step.
    """

    step_tokens: int


def collate(rows: list[Example], pad_id: int, packing: Packing | None = None) -> Batch:
    """Examples as a batch. Only the completion is labelled, including its end token; text is never tokenized again.

    Args:
        packing: how to combine examples into prefix trees; None to give each its own row.
    """
    trees, order = plant([row.prompt_ids + row.completion_ids for row in rows], packing)
    longest = max((len(tree.ids) for tree in trees), default=2)
    width = packing.padded(longest) if packing else longest
    shape = (max(1, len(trees)), width)  # an empty micro-batch is a row of padding without labels
    input_ids, position_ids = torch.full(shape, pad_id), torch.zeros(shape, dtype=torch.long)
    ends = torch.arange(1, width + 1).repeat(shape[0], 1)  # padding sees only itself
    sources: list[int] = []
    labels: list[int] = []
    numbers = iter(order)
    for at, tree in enumerate(trees):
        length = len(tree.ids)
        input_ids[at, :length] = torch.tensor(tree.ids)
        position_ids[at, :length] = torch.tensor(tree.positions)
        ends[at, :length] = torch.tensor(tree.ends)
        for path in tree.paths:
            first = max(1, len(rows[next(numbers)].prompt_ids))  # nothing precedes a first token
            sources += (at * width + place for place in path[first - 1 : -1])
            labels += (tree.ids[place] for place in path[first:])
    alone = packing is None or (len(trees) == len(rows) and not packing.masked)
    return {
        "input_ids": input_ids,
        "position_ids": None if alone else position_ids,
        "ends": None if alone else ends,
        "sources": torch.tensor(sources, dtype=torch.long),
        "labels": torch.tensor(labels, dtype=torch.long),
    }


class _Planned:
    """A batch sampler over a plan that can start in the middle; its length is always that of the whole epoch."""

    def __init__(self, batches: list[MicroBatch], skip: int) -> None:
        self.batches, self.skip = batches, skip

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[MicroBatch]:
        yield from self.batches[self.skip :]
        self.skip = 0


class _Fetch(Dataset[StepBatch]):
    """A data set from which the loader fetches a whole micro-batch at once."""

    def __init__(self, examples: Examples, pad_id: int, packing: Packing | None) -> None:
        self.examples, self.pad_id, self.packing = examples, pad_id, packing

    def __getitem__(self, batch: MicroBatch) -> StepBatch:
        rows = [self.examples[index] for index in batch.indices]
        return {**collate(rows, self.pad_id, self.packing), "step_tokens": batch.step_tokens}


class ExampleModule(pl.LightningDataModule):
    """The training batches, epoch by epoch; after a restart it continues where the checkpoint ended.

    Args:
        examples: what to train on.
        settings: the batch sizes, and the number of ranks over which batches are split.
        pad_id: token id for padding, which is neither attended to nor trained on.
        seed: seed of the order of the examples.
        packing: how the examples of a micro-batch are combined; None to give each its own row.
    """

    def __init__(
        self, examples: Examples, settings: TrainConfig, seed: int, pad_id: int, packing: Packing | None = None
    ) -> None:
        super().__init__()
        self.examples, self.settings, self.pad_id, self.seed = examples, settings, pad_id, seed
        self.packing = packing
        self.resume_at: tuple[int, int] = (0, 0)  # epoch, optimizer steps done in it

    def epoch(self, number: int) -> list[MicroBatch]:
        """The plan of an epoch over all ranks."""
        sizes = self.settings.batch_size, self.settings.micro, self.settings.ranks
        groups = self.examples.problems if self.settings.group_problems else None
        return plan(self.examples.lengths, self.examples.labels, *sizes, self.seed + number, groups)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps per epoch."""
        return -(-len(self.examples) // self.settings.batch_size)

    def train_dataloader(self) -> DataLoader[StepBatch]:
        """This rank's batches of the current epoch."""
        assert self.trainer is not None
        rank, number = self.trainer.global_rank, self.trainer.current_epoch
        epoch, done = self.resume_at
        skip = done * self.settings.accumulate if number == epoch else 0
        sampler = _Planned(self.epoch(number)[rank :: self.settings.ranks], skip)
        return DataLoader(_Fetch(self.examples, self.pad_id, self.packing), sampler=sampler, batch_size=None)
