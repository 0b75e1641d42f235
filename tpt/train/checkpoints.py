"""Checkpoints of an unfinished training: written next to their final path, renamed, and the previous one removed.

Lightning would first write each to memory, then to `$TMPDIR`, and copy it from there.
"""

import logging
import shutil
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from pytorch_lightning.strategies import ModelParallelStrategy
from torch.distributed.checkpoint import state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter

from tpt import artefacts, explain, files

logger = logging.getLogger(__name__)

REST = "meta.pt"  # Lightning's name for the file of a sharded checkpoint with everything except weights and moments


class Single(TorchCheckpointIO):
    """Checkpoints that are single files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; until it is complete, nothing exists at `path`.

        Raises:
            DiskFull: the disk or the quota is full.
        """
        _write(checkpoint, Path(path))


class Sharded(ModelParallelStrategy):
    """Training whose checkpoints are folders, in the form that Lightning reads: each rank adds its part."""

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: str | Path, storage_options: Any = None) -> None:
        """Write a checkpoint; until it is complete, nothing exists at `filepath`. All ranks must take part.

        Raises:
            DiskFull: the disk or the quota is full.
        """
        path = Path(self.broadcast(filepath))
        partial = path.with_name(f".{path.name}{files.TEMPORARY_SUFFIX}")
        state = {f"optimizer_{index}": one for index, one in enumerate(checkpoint.pop("optimizer_states"))}
        state["state_dict"] = checkpoint.pop("state_dict")
        try:
            with explain.named_when_full(path):
                self._save(state, partial, path)
                if self.is_global_zero:
                    _write(checkpoint, partial / REST)
                    partial.rename(path)
        finally:
            if self.is_global_zero:
                shutil.rmtree(partial, ignore_errors=True)

    def _save(self, state: dict[str, Any], partial: Path, path: Path) -> None:
        try:
            state_dict_saver.save(state, storage_writer=_Parts(partial, path))
        except CheckpointException as error:  # not an Exception; every rank gets one, with the errors of all ranks
            raise next(iter(error.failures.values()))[0] from None


class _Parts(FileSystemWriter):
    """Writes a rank's part; reports errors itself, because an error loses its cause on the way to other ranks."""

    def __init__(self, partial: Path, path: Path) -> None:
        super().__init__(partial)
        self._named = path

    def write_data(self, *arguments: Any) -> Any:
        with explain.named_when_full(self._named):
            return super().write_data(*arguments)


def _write(value: Any, path: Path) -> None:
    with files.atomic(path) as temporary, temporary.open("wb") as handle:
        torch.save(value, handle)  # given a path, it does not pass on the system's error


def save(trainer: pl.Trainer, folder: Path) -> None:
    """Write a checkpoint of a training and remove the previous ones."""
    path = folder / artefacts.STEP.format(trainer.global_step)
    trainer.save_checkpoint(path)
    if trainer.is_global_zero:
        keep_only(path, folder)


def keep_only(path: Path | None, folder: Path) -> None:
    """Remove all checkpoints except `path`, and remains of one after a kill; each may be six times the base model."""
    for one in [*folder.glob(artefacts.every(artefacts.STEP)), *folder.glob(f".*{files.TEMPORARY_SUFFIX}")]:
        if one != path:
            shutil.rmtree(one) if one.is_dir() else one.unlink()


def newest(folder: Path, sharded: bool = False) -> Path | None:
    """The last checkpoint that can be read.

    Args:
        sharded: whether a checkpoint is a folder, to which each rank has added its part, or a file. Those of the other
            kind date from before `train.strategy` was changed, and cannot be used.
    """
    found = sorted(folder.glob(artefacts.every(artefacts.STEP)), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found:
        if path.is_dir() is not sharded:
            logger.warning("the checkpoint %s was written with another train.strategy and is not used", path)
        elif state(path) is None:
            logger.warning("the checkpoint %s cannot be read; going back to the previous one", path)
        else:
            return path
    return None


def state(checkpoint: Path) -> dict[str, Any] | None:
    """What a checkpoint contains except tensors, from a folder's last file; None if it is torn."""
    path = checkpoint / REST if checkpoint.is_dir() else checkpoint
    try:
        found: dict[str, Any] = torch.load(path, map_location="meta", weights_only=False)
    except Exception:  # whatever a torn file makes the unpickler raise
        return None
    return found
