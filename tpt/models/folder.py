"""What a checkpoint's folder must contain, and reading its files."""

import os
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tpt import explain, files
from tpt.errors import Damaged, ModelError

INDEX = "model.safetensors.index.json"  # which file each tensor is in, if there are several files
AGAIN = "copy or download the file again"
# The JSON files that are read, and the keys each must have.
JSON_FILES: dict[str, files.Needs] = {
    "config.json": {},
    "generation_config.json": {},
    "tokenizer.json": {"model": dict},
    "tokenizer_config.json": {},
    "special_tokens_map.json": {},
    "added_tokens.json": {},
}
LFS_POINTER = b"version https://git-lfs"  # what a clone contains in place of a file that git-lfs has not fetched


def check_folder(folder: Path) -> Path:
    """Check that a folder contains a complete, undamaged checkpoint; of the weights only the headers are read.

    Returns:
        the folder.
    Raises:
        ModelError: names what is missing from the folder, or which file is damaged.
    """
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"the model folder {folder} contains adapters (adapter_config.json), not a whole model",
            "merge them into their base model first: peft's merge_and_unload(), then save_pretrained",
        )
    present = [path for path in sorted(folder.iterdir()) if path.is_file()]
    for path in present:
        _check_not_pointer(path)
    named = set(_index(folder).values())
    lacks = _missing(folder, named)
    if lacks:
        raise ModelError(
            f"the model folder {folder} lacks {', '.join(lacks)}",
            f"copy or download all files that {INDEX} names; a clone needs `git lfs pull`"
            if named
            else "give a folder written by save_pretrained, or a hub id",
        )
    for name, needs in JSON_FILES.items():
        read_json(folder / name, needs)
    for path in present:
        if path.suffix == ".safetensors":  # including files that transformers ignores: vLLM may read them
            tensors(path)
    return folder


def _missing(folder: Path, named: set[str]) -> list[str]:
    """What a checkpoint's folder lacks, in words.

    Args:
        named: the files of weights that its index names.
    """
    lacks = []
    if not (folder / "config.json").exists():
        lacks.append("config.json")
    if not (named or weights(folder)):
        lacks.append("weights (model.safetensors)")
    lacks += sorted(name for name in named if not (folder / name).exists())
    if not any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        lacks.append("a tokenizer (tokenizer.json)")
    return lacks


def weights(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, chosen as transformers does: one file, or those that the index names."""
    whole = folder / "model.safetensors"
    return [whole] if whole.exists() else [folder / name for name in sorted(set(_index(folder).values()))]


def tensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file; reads only its header.

    Raises:
        ModelError: the file is damaged, or not as long as its header says.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  # no mapping
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged or cut off: {error}", AGAIN) from error


def read_json(path: Path, needs: files.Needs = MappingProxyType({})) -> dict[str, Any]:
    """One of a checkpoint's JSON files; empty if the checkpoint does not have it.

    Args:
        needs: the keys it must have, see `files.read_json`.

    Raises:
        ModelError: it is damaged.
    """
    try:
        return files.read_json(path, needs) if os.path.lexists(path) else {}
    except Damaged as error:
        raise ModelError(error.message, AGAIN) from error


def _check_not_pointer(path: Path) -> None:
    try:
        with path.open("rb") as handle:
            start = handle.read(len(LFS_POINTER))
    except PermissionError as error:
        why = explain.refused(path, explain.ASK_OWNER, reading=True)
        raise ModelError(why.message, why.hint) from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", AGAIN) from error
    if start == LFS_POINTER:
        raise ModelError(f"{path} is a git-lfs pointer, not the file itself", "run `git lfs pull` in its folder")


def _index(folder: Path) -> dict[str, str]:
    """The file each tensor is in; empty if all weights are in a single file."""
    found = read_json(folder / INDEX).get("weight_map", {})
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise ModelError(f"the weight_map of {folder / INDEX} does not name a file for each tensor", AGAIN)
    return found
