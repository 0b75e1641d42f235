"""A training fits on a disk as large as was computed beforehand, and says so where the disk is smaller."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import checkpoint_of
from trainable import example

from tpt import records
from tpt.checkpoint import load_causal_lm
from tpt.records import Example

SIZES = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "tie_word_embeddings": True}

# Trains on disks of the computed size (it fits), and of a part of it (it does not, and goes on on a larger one).
SCRIPT = """
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from trainable import SETTINGS
from tpt.settings.train import LoraConfig
from tpt.errors import DiskFull
from tpt.progress import Progress
from tpt.train import disk
from tpt.train.fit import fit

place, folder = Path(sys.argv[1]), Path(sys.argv[2])
KINDS = {"all weights": {}, "adapters": {"lora": LoraConfig(rank=4)}, "sharded": {"strategy": "fsdp"}}

def train(base, settings):
    try:
        return fit(base, folder / "examples.parquet", place / "out", settings, 7, 200, Progress())["steps"]
    except DiskFull as error:
        left = [path for path in (place / "out").rglob("*") if ".partial" in path.name]
        return [error.message, error.hint, [str(path) for path in left]]

def mount(size, *more):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join([f"size={int(size)}", *more]), "tmpfs", place], check=True)

found = []
for base, kind in [("bfloat16", kind) for kind in KINDS] + [("float32", "all weights")]:
    settings = replace(SETTINGS, checkpoint_every=2, **KINDS[kind])
    size = disk.needed(folder / base, settings, 1)
    outcomes = []
    for share in (1, 1 / 1.3):
        mount(size * share)
        outcomes.append(train(folder / base, settings))
        if share < 1:
            outcomes.append([path.name for path in place.glob("out/checkpoints/*")])
            mount(size, "remount")
            outcomes.append(train(folder / base, settings))
        subprocess.run(["umount", place], check=True)
    found.append([base, kind, size / (folder / base / "model.safetensors").stat().st_size, *outcomes])
print(json.dumps(found))
"""


@pytest.fixture
def bases(tiny_model: Path, tmp_path: Path) -> Path:
    """A folder with one model of a million parameters in two precisions, and what to train it on."""
    folder = tmp_path / "bases"
    model: Any = load_causal_lm(checkpoint_of("llama", tiny_model, folder / "float32", **SIZES))
    shutil.copytree(folder / "float32", folder / "bfloat16")
    model.to(torch.bfloat16).save_pretrained(folder / "bfloat16")
    records.write(folder / "examples.parquet", Example, [example(number, 9, 9) for number in range(12)])
    return folder


@pytest.mark.slow
def test_a_training_needs_the_disk_that_was_computed_and_not_much_less(bases: Path, tmp_path: Path) -> None:
    """Real full disks, in a mount namespace of their own."""
    place = tmp_path / "disk"
    place.mkdir()
    unshare = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]
    probe = subprocess.run([*unshare, "mount", "-t", "tmpfs", "tmpfs", place], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no mount namespaces here, so no small disk can be made")
    command = [*unshare, sys.executable, "-c", SCRIPT, str(place), str(bases)]
    path = os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert not result.returncode, result.stderr
    times = {}
    for base, kind, size, fitting, (message, hint, left), kept, continued in json.loads(result.stdout.splitlines()[-1]):
        times[base, kind] = size
        assert (fitting, continued) == (6, 6)
        adapters = kind == "adapters"  # their checkpoints are small: what does not fit is the model
        what = "out/model" if adapters else r"out/checkpoints/step=4\.ckpt"
        assert message == f"no space left while writing {place / what}".replace("\\", "")
        assert "free some space" in hint
        assert not left
        assert kept == ["step=6.ckpt" if adapters else "step=2.ckpt"]
    assert times["bfloat16", "all weights"] == pytest.approx(12, rel=0.05)
    assert times["float32", "all weights"] == pytest.approx(6, rel=0.05)
    assert times["bfloat16", "adapters"] < 3
