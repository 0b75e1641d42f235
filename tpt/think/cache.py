"""Keys and values of many rows that continue one prefix, and the attention that reads them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

COLUMN_STEP = 64  # columns added when rows grow: rarely enough that copying does not matter


class BranchingCache(Cache):
    """One prefix, stored and multiplied once for all rows, and rows, each with its own length.

    A row's tokens are in its columns 0, 1, ...; the prefix comes before them. A forward pass is announced with
    `begin`; it writes the new keys and values to the columns given there, and `attend` lets every token see the
    prefix and the columns of its row up to its own.

    Args:
        rows: the most rows.
        prefix: (keys, values) per layer, each [heads, prefix tokens, head size]; empty for no prefix.
        columns: initial number of columns; more are added when needed.
    """

    def __init__(self, rows: int, prefix: Sequence[tuple[Tensor, Tensor]] = (), columns: int = 0) -> None:
        super().__init__(layer_class_to_replicate=DynamicLayer)
        self._room = rows
        self._columns_at_once = columns
        self._prefix = list(prefix)
        self._keys: list[Tensor] = []  # per layer [rows, heads, columns, head size]
        self._values: list[Tensor] = []
        self._width = 0
        self._layer: int | None = None  # whose keys were written last

    @property
    def prefix_length(self) -> int:
        """Number of tokens in the prefix."""
        return self._prefix[0][0].shape[1] if self._prefix else 0

    def begin(self, rows: Tensor | slice, columns: Tensor) -> None:
        """Announce a forward pass.

        Args:
            rows: the rows of the batch's sequences: a slice, or indices [batch].
            columns: the column of each new token in its row, [batch, tokens].
        """
        self._rows = rows
        self._row_index = torch.arange(self._room, device=columns.device)[rows][:, None]
        self._columns = columns
        self._width = int(columns.max()) + 1
        self._mask = torch.arange(self._width, device=columns.device) <= columns[:, None, None, :, None]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write one layer's new keys and values ([batch, heads, tokens, head size]); returns those of whole rows."""
        if layer_idx > len(self._keys):
            raise NotImplementedError("some of its layers keep no keys and values")
        self._layer = layer_idx
        for held, new in ((self._keys, key_states), (self._values, value_states)):
            if layer_idx == len(held):
                held.append(new.new_zeros((self._room, new.shape[1], self._columns_at_once, new.shape[3])))
            if self._width > held[layer_idx].shape[2]:
                # Zeros, not uninitialised memory: masked values are still multiplied, and 0 * NaN is NaN.
                more = -(-self._width // COLUMN_STEP) * COLUMN_STEP - held[layer_idx].shape[2]
                held[layer_idx] = torch.nn.functional.pad(held[layer_idx], (0, 0, 0, more))
            held[layer_idx][self._row_index, :, self._columns] = new.transpose(1, 2)
        return (
            self._keys[layer_idx][self._rows, :, : self._width],
            self._values[layer_idx][self._rows, :, : self._width],
        )

    def mask(self, *args: Any, mask_function: Callable[..., Any], **given: Any) -> Tensor | None:
        """What the new tokens see in layers that do not see everything; see `transformers.AttentionMaskInterface`.

        Args:
            mask_function: takes batch, head, and the positions of query and key in the text, as broadcasting tensors.

        Returns:
            [batch, 1, tokens, prefix and columns], true if a token sees another; None if each sees all before it.
        """
        last, first = torch.tensor(self.prefix_length + self._width - 1), torch.tensor(0)
        if mask_function(0, 0, last, first):  # nothing is out of reach yet: no window or chunk is full
            return None
        queries = self.prefix_length + self._columns[:, None, :, None]
        keys = torch.arange(self.prefix_length + self._width, device=queries.device)
        batch = torch.arange(len(queries), device=queries.device)[:, None, None, None]
        seen: Tensor = mask_function(batch, torch.zeros_like(batch), queries, keys)
        return seen

    def attend(
        self,
        module: torch.nn.Module,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        scaling: float,
        softcap: float | None = None,
        s_aux: Tensor | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        """Attention of a transformers model: softmax over the prefix and the row together.

        One matrix product multiplies all rows' queries with the prefix, so it is read once and not once per row.

        Args:
            query: [batch, query heads, tokens, head size]; key, value: [batch, heads, columns, head size].
            attention_mask: what `mask` returned.
            s_aux: attention sinks, which are not supported.

        Returns:
            [batch, tokens, query heads, value size], and None for the weights.
        Raises:
            NotImplementedError: the model's attention needs something that this lacks.
        """
        if s_aux is not None:
            raise NotImplementedError("its attention has sinks")
        # The layer's own index is not enough: a model may pass through a layer several times, with keys for each pass.
        layer, self._layer = self._layer, None
        if layer is None:
            raise NotImplementedError("its layers share keys and values")
        if key.shape[1::2] != self._keys[layer].shape[1::2]:
            raise NotImplementedError("it keeps something other than keys and values")
        seen, prefix_seen = self._split(attention_mask)
        batch, query_heads, tokens, size = query.shape
        heads, value_size = key.shape[1], value.shape[3]
        grouped = (query * scaling).reshape(batch, heads, query_heads // heads * tokens, size)
        scores = grouped @ key.transpose(2, 3)
        masked = scores.view(batch, heads, -1, tokens, scores.shape[3])
        if softcap:
            masked = softcap * torch.tanh(masked / softcap)
        scores = masked.masked_fill(~seen, float("-inf")).view_as(scores)
        if not self._prefix:
            mixed = scores.softmax(-1, dtype=torch.float32).to(query.dtype) @ value
        else:
            prefix_keys, prefix_values = self._prefix[layer]
            prefix_scores = self._on_prefix(prefix_keys, grouped, tokens, prefix_seen, softcap)
            weights = torch.cat((prefix_scores, scores), -1).softmax(-1, dtype=torch.float32).to(query.dtype)
            on_prefix, on_row = torch.split(weights, [self.prefix_length, scores.shape[3]], -1)
            from_prefix = on_prefix.transpose(0, 1).reshape(heads, -1, self.prefix_length) @ prefix_values
            mixed = from_prefix.view(heads, batch, -1, value_size).transpose(0, 1) + on_row @ value
        return mixed.reshape(batch, query_heads, tokens, value_size).transpose(1, 2).contiguous(), None

    def _on_prefix(
        self, keys: Tensor, queries: Tensor, tokens: int, seen: Tensor | None, softcap: float | None
    ) -> Tensor:
        """The scores of all rows' queries on the prefix, [batch, heads, queries, prefix length], in one product.

        Args:
            keys: of the prefix, [heads, prefix length, head size].
            queries: scaled, and grouped by the head that they read, [batch, heads, queries, head size].
            tokens: that each row computes; `queries` has them for each of the query heads in a group.
            seen: what they see of the prefix, see `_split`.
        """
        batch, heads, _, size = queries.shape
        scores = queries.transpose(0, 1).reshape(heads, -1, size) @ keys.transpose(1, 2)
        if softcap:
            scores = softcap * torch.tanh(scores / softcap)
        if seen is not None:
            scores = scores.view(heads, batch, -1, tokens, self.prefix_length).masked_fill(~seen, float("-inf"))
        return scores.view(heads, batch, -1, self.prefix_length).transpose(0, 1)

    def _split(self, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """What tokens see of their rows, [batch, 1, 1, tokens, columns], and of the prefix, [1, batch, 1, tokens, ...].

        None for the prefix means all of it.
        """
        if mask is None:
            return self._mask, None
        if mask.dtype != torch.bool or mask.shape[-1] != self.prefix_length + self._width:
            raise NotImplementedError("the model masks tokens in its own way")
        return mask[:, :, None, :, self.prefix_length :], mask[None, :, 0, None, :, : self.prefix_length]

    def copy_rows(self, source: Sequence[int], target: Sequence[int]) -> None:
        """Copy rows `source` to rows `target`."""
        if source and self._keys:
            sources, targets = (torch.tensor(rows, device=self._keys[0].device) for rows in (source, target))
            for held in (*self._keys, *self._values):
                held[targets] = held[sources]

    def as_prefix(self, length: int) -> list[tuple[Tensor, Tensor]]:
        """The first `length` columns of row 0, for use as the `prefix` of another cache."""
        return [
            (keys[0, :, :length].clone(), values[0, :, :length].clone())
            for keys, values in zip(self._keys, self._values, strict=True)
        ]
