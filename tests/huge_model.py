"""A checkpoint larger than any disk of these tests."""

import json
from pathlib import Path


def checkpoint_of(folder: Path, parameters: int) -> Path:
    """A checkpoint in bfloat16 of which only the header takes up space."""
    end = 2 * parameters
    header = json.dumps({"one": {"dtype": "BF16", "shape": [parameters], "data_offsets": [0, end]}}).encode()
    with (folder / "model.safetensors").open("wb") as handle:
        handle.write(len(header).to_bytes(8, "little") + header)
        handle.truncate(8 + len(header) + end)
    return folder
