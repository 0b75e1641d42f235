"""Models from the Hugging Face hub, with errors that say what to do."""

import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tpt import explain
from tpt.errors import ModelError, said
from tpt.settings.model import ModelConfig

TEXT_FILES = ["*.json", "*.jinja", "tokenizer.model", "README.md"]  # README.md names the licence
FILES = [*TEXT_FILES, "*.safetensors"]
LEFT_OUT = ["original/*", "consolidated*"]  # the same weights again, in their authors' own format
TIMEOUT = 5.0  # seconds; on a machine that cannot reach the hub, other sources must not wait long for it


def fetch(model: ModelConfig, files: Sequence[str] = FILES) -> Path:
    """A model's folder in the hub's cache, downloaded if necessary.

    Args:
        files: patterns of the files that are needed.

    Raises:
        ModelError: it is not available; says why and what to do.
    """
    from huggingface_hub import snapshot_download

    with _hub_errors(model):
        return Path(
            snapshot_download(
                model.path,
                revision=model.revision,
                allow_patterns=list(files),
                ignore_patterns=LEFT_OUT,
                local_files_only=_offline(),
            )
        )


def find(model: ModelConfig) -> Path | None:
    """Check that a model is available, without downloading it.

    Returns:
        its folder, if it is in the hub's cache already.
    Raises:
        ModelError: it is not available; says why and what to do.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with _hub_errors(model):
        try:
            return Path(snapshot_download(model.path, revision=model.revision, local_files_only=True))
        except LocalEntryNotFoundError:
            if _offline():
                raise
        HfApi().model_info(model.path, revision=model.revision, timeout=TIMEOUT)
    return None


@contextmanager
def _hub_errors(model: ModelConfig) -> Iterator[None]:
    """Turn what the hub's client raises into errors that say what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where = model.path + (f" at revision {model.revision}" if model.revision else "")
    try:
        yield
    except GatedRepoError as error:
        raise ModelError(
            f"{where} is gated", f"accept its licence at {constants.ENDPOINT}/{model.path} and run `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            f"neither a folder nor a model on the hub: {where}",
            "check model.path; a private model needs `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"the hub has no {where}", "check model.revision") from error
    except HFValidationError as error:
        raise ModelError(
            f"model.path={model.path} is neither a folder nor a hub id (OWNER/NAME)", "check model.path"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{where} is not on this machine and the model hub cannot be reached",
            "connect (and unset HF_HUB_OFFLINE), or give a folder with the checkpoint: model.path=FOLDER",
        ) from error
    except OSError as error:
        known = explain.named(error, explain.SET_HF_HOME)
        why, hint = (known.message, known.hint) if known else (said(error), "try again: what was downloaded is kept")
        raise ModelError(f"{where} cannot be downloaded: {why}", hint) from error


def _offline() -> bool:
    """Whether to use only what is on this machine; the hub's own client would retry for minutes before giving up."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE) or not _answers(constants.ENDPOINT)


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=TIMEOUT).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:  # no such host, refused, timed out
        return False
    return True
