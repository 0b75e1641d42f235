"""What the W&B client wrote to an offline run's folder, read from the log that `wandb sync` sends."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK = 32_768  # bytes; the log is LevelDB's: no header is divided by the end of a block
HEADER = struct.Struct("<IHB")  # checksum, length, type: whole, or the first, a middle or the last part
WHOLE, FIRST, _, LAST = 1, 2, 3, 4


def steps(folder: Path) -> list[dict[str, Any]]:
    """The values of each step of a run's history, without the client's own."""
    [log] = folder.glob("run-*.wandb")
    return [
        {key: json.loads(item.value_json) for item in record.history.item if (key := _key(item))[0] != "_"}
        for record in _records(log.read_bytes())
        if record.HasField("history")
    ]


def _key(item: Any) -> str:
    return item.key or ".".join(item.nested_key)


def _records(log: bytes) -> Iterator[Any]:
    assert log.startswith(b":W&B")
    at, parts = len(b":W&B") + 3, b""
    while at + HEADER.size <= len(log):
        if BLOCK - at % BLOCK < HEADER.size:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(log, at)
        at += HEADER.size
        parts = (b"" if kind in (WHOLE, FIRST) else parts) + log[at : at + length]
        at += length
        if kind in (WHOLE, LAST):
            yield wandb_internal_pb2.Record.FromString(parts)  # type: ignore[attr-defined]  # made on import
