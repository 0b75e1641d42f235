"""Checkpoints and models are written beside their place, and are as open to others as other files."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from trainable import SETTINGS, example

from tpt import models, records
from tpt.progress import Progress
from tpt.records import Example
from tpt.settings.model import ModelConfig
from tpt.train import checkpoints
from tpt.train.fit import fit


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    path = tmp_path / "examples.parquet"
    records.write(path, Example, [example(number, 9, 9) for number in range(12)])
    return path


@pytest.fixture
def shared() -> Iterator[None]:
    """As where a group works together."""
    before = os.umask(0o002)
    yield
    os.umask(before)


def permissions(folder: Path) -> set[tuple[bool, str]]:
    """Of a folder and all in it: whether one is a folder, and what is permitted."""
    found = [folder, *folder.rglob("*")]
    return {(path.is_dir(), oct(stat.S_IMODE(path.stat().st_mode))) for path in found}


SHARED = {(True, "0o775"), (False, "0o664")}


@pytest.mark.usefixtures("shared")
def test_what_a_training_writes_is_open_to_the_group_and_nothing_passes_through_tmpdir(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TPT_CACHE", str(tmp_path / "cache"))
    base = models.locate(ModelConfig(name="tiny-random", source="random"))
    assert permissions(base) == SHARED
    private = base / "tokenizer.json"
    private.chmod(0o600)  # as the base of a careful user
    elsewhere, seen, kept = tmp_path / "tmp", {}, checkpoints.keep_only
    elsewhere.mkdir()
    untouched = elsewhere.stat().st_mtime_ns
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))

    def spy(path: Path | None, folder: Path) -> None:
        kept(path, folder)
        seen[path and path.name] = permissions(folder) if path else SHARED

    monkeypatch.setattr(checkpoints, "keep_only", spy)
    settings = replace(SETTINGS, checkpoint_every=2)
    fit(base, examples, tmp_path / "out", settings, 7, 200, Progress())
    assert seen == dict.fromkeys([None, "step=2.ckpt", "step=4.ckpt", "step=6.ckpt"], SHARED)
    assert permissions(tmp_path / "out") == SHARED
    assert elsewhere.stat().st_mtime_ns == untouched, "no file was made in the machine's temporary folder, nor removed"


# Trains in processes of its own, of which the first is killed in the midst of its second checkpoint.
SCRIPT = """
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
import torch
from trainable import SETTINGS
from tpt.train import checkpoints
from tpt.train.fit import fit

model, folder, write = Path(sys.argv[1]), Path(sys.argv[2]), torch.save

def forked(work, *arguments):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            work(*arguments)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def train(out, settings, progress):
    fit(model, folder / "examples.parquet", out, settings, 7, 200, progress)

def killed(out, settings):
    def half(value, file):
        if (out / "checkpoints" / "step=2.ckpt").exists():
            file.write(b"PK half of it")
            file.flush()
            os.kill(os.getpid(), 9)
        write(value, file)
    torch.save = half
    train(out, settings, lambda *_: None)

def continued(out, settings):
    steps = []
    def progress(step, *_):
        steps.append([step, names(out)])
        (out / "steps.json").write_text(json.dumps(steps))
    train(out, settings, progress)

def names(out):
    return sorted(path.name.replace(str(os.getpid()), "PID") for path in (out / "checkpoints").iterdir())

found = {}
for strategy in ("auto", "fsdp"):
    out, settings = folder / strategy, replace(SETTINGS, checkpoint_every=2, strategy=strategy)
    code = forked(killed, out, settings)
    left = names(out)
    newest = checkpoints.newest(out / "checkpoints", sharded=strategy == "fsdp")
    code_then = forked(continued, out, settings)
    found[strategy] = [code, left, newest.name, code_then, json.loads((out / "steps.json").read_text())]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_a_kill_in_the_midst_of_a_checkpoint_leaves_the_one_before_and_no_rubbish_for_long(
    tiny_model: Path, examples: Path
) -> None:
    folder = examples.parent
    path = os.pathsep.join(one for one in (str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH")) if one)
    command = [sys.executable, "-c", SCRIPT, str(tiny_model), str(folder)]
    result = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert not result.returncode, result.stderr
    for code, left, newest, code_then, steps in json.loads(result.stdout.splitlines()[-1]).values():
        assert (code, newest, code_then) == (-9, "step=2.ckpt", 0), result.stderr
        [partial, whole] = left
        assert (partial[:12], partial[-8:], whole) == (".step=4.ckpt", ".partial", "step=2.ckpt")
        assert steps == [
            [3, ["step=2.ckpt"]],
            [4, ["step=2.ckpt"]],
            [5, ["step=4.ckpt"]],
            [6, ["step=4.ckpt"]],
        ]
