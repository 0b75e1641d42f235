"""Uploads an export to the model hub, only on request."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tpt.errors import ConfigError, TptError, UploadFailed
from tpt.export.export import Export
from tpt.export.origin import HUB_ID

if TYPE_CHECKING:
    from huggingface_hub import HfApi

EXAMPLES = "-examples"  # what the data set's id adds to the model's


def check(repo_id: str) -> None:
    """Check before any work is done that the hub can be reached and lets this user in.

    Raises:
        ConfigError: `repo_id` is not a valid id of a repository.
        UploadFailed: the hub does not answer, or does not know the user.
    """
    from huggingface_hub import HfApi, constants

    if not HUB_ID.fullmatch(repo_id):
        raise ConfigError(f"--push {repo_id} is not the id of a repository", "give OWNER/NAME: --push me/my-model")
    if constants.HF_HUB_OFFLINE:
        raise UploadFailed("HF_HUB_OFFLINE is set: the hub must not be contacted", f"unset it, or {_later(repo_id)}")
    try:
        HfApi().whoami()
    except Exception as error:  # the hub's client and what it is built on raise many kinds
        raise _refused(error, repo_id, "the model hub cannot be reached", f"connect, or {_later(repo_id)}") from error


def push(export: Export, repo_id: str, private: bool, further: Mapping[str, Path] = MappingProxyType({})) -> list[str]:
    """Upload the model to `repo_id` and the examples to `repo_id`-examples; what exists there is updated.

    Args:
        further: folders of further data sets, by what their ids add to the model's.

    Returns:
        their addresses.
    Raises:
        UploadFailed: the hub refused or did not answer, or what is to be private is public there; the export on this
            machine is whole.
    """
    from huggingface_hub import HfApi

    _name_examples(export.model / "README.md", repo_id + EXAMPLES)
    api = HfApi()
    uploads = [(repo_id, "model", export.model), (repo_id + EXAMPLES, "dataset", export.examples)]
    uploads += [(f"{repo_id}-{name}", "dataset", folder) for name, folder in further.items()]
    try:
        addresses = [_make(api, name, kind, private) for name, kind, _ in uploads]  # both before anything is uploaded
        for name, kind, folder in uploads:
            api.upload_folder(folder_path=folder, repo_id=name, repo_type=kind, commit_message="Export by tpt")
        return addresses
    except UploadFailed:
        raise
    except Exception as error:  # see above
        again = "run the same command again: the export is complete, and is only uploaded"
        raise _refused(error, repo_id, "the upload failed", again) from error


def _make(api: "HfApi", repo_id: str, kind: str, private: bool) -> str:
    """Make a repository unless it is there.

    Returns:
        its address.
    Raises:
        UploadFailed: it is there and public, and is asked to be private: the hub then only passes over that wish.
    """
    address = api.create_repo(repo_id, repo_type=kind, private=private or None, exist_ok=True)
    if private and not api.repo_info(repo_id, repo_type=kind).private:
        raise UploadFailed(
            f"{address} is there already and is public; nothing was uploaded",
            "make it private on its page on the hub, or give another id",
        )
    return str(address)


def _name_examples(card_path: Path, repo_id: str) -> None:
    """Name the data set in the model's card, whose other words stay as they are."""
    from huggingface_hub import ModelCard

    card = ModelCard.load(card_path)
    named = card.data.datasets or []
    named = [named] if isinstance(named, str) else named
    if repo_id not in named:
        card.data.datasets = [*named, repo_id]
        card.save(card_path)


def _refused(error: Exception, repo_id: str, what: str, hint: str) -> TptError:
    """What the hub's client raised in the user's words: `what` and `hint` where it is no answer of the hub's."""
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, LocalTokenNotFoundError) or status == 401:
        return UploadFailed("the model hub does not know you", "run `hf auth login`, or set HF_TOKEN; then push again")
    if status == 403:
        return UploadFailed(
            f"your token may not write to {repo_id}", "use a token with write access (`hf auth login`), or another id"
        )
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if status is not None:
        return UploadFailed(f"the model hub refused: {first}", "see what it says; nothing on this machine is lost")
    return UploadFailed(f"{what}: {first}", hint)


def _later(repo_id: str) -> str:
    return (
        f"leave --push out now and give the same command with --push {repo_id} later, with a network connection: "
        "what was exported is then only uploaded"
    )
