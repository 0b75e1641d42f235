"""Nothing is imported from the working directory, whatever lies there and whichever backend does the stages."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import environment
from tpt.cluster.planning import Plan
from tpt.cluster.submit import parameters
from tpt.runs.folder import Run, find
from tpt.settings.config import Config

TPT = Path(sys.executable).with_name("tpt")
NAMES = ("tpt", "datasets", "random", "selectors", "torch", "transformers", "submitit", "math_verify", "sympy")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working directory with modules that leave a mark where they are imported."""
    place = tmp_path / "elsewhere"
    source = f"open({str(place / 'imported')!r}, 'a').write(__name__ + '\\n')\nraise ImportError('not for you')\n"
    for name in NAMES:
        (place / name).mkdir(parents=True)
        (place / name / "__init__.py").write_text(source)
    return place


def tpt(folder: Path, *words: str) -> None:
    done = subprocess.run([TPT, *words], cwd=folder, capture_output=True, text=True, check=False)
    mark = folder / "imported"
    assert not mark.exists(), mark.read_text()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("cluster", "samplers"), [("local", 1), ("submitit_local", 1), ("submitit_debug", 2)])
def test_a_run_imports_nothing_from_the_working_directory(
    folder: Path, tiny_command: Callable[..., list[str]], tmp_path: Path, cluster: str, samplers: int
) -> None:
    rounds = 1 if cluster == "local" else 0
    settings = (f"rounds={rounds}", f"cluster={cluster}", f"sampler.data_parallel={samplers}")
    tpt(folder, *tiny_command(*settings, "sampler.judge_early=true"))
    [root] = find(tmp_path / "runs")
    assert not Run.open(root).owed()


@pytest.mark.slow
def test_the_workers_that_compare_expressions_import_nothing_from_the_working_directory(folder: Path) -> None:
    row = {"gold": "$\\frac{x}{2}$", "completion": "It is \\boxed{0.5x}."}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    tpt(folder, "judge", "rows.jsonl", "--out", "out.jsonl")
    assert json.loads((folder / "out.jsonl").read_text())["lenient"] == "correct"


@pytest.mark.parametrize(
    ("before", "after"), [(None, None), ("", ""), (":", ""), ("/a:", "/a"), (":/a::/b", "/a:/b")], ids=str
)
def test_an_empty_entry_in_pythonpath_which_is_the_working_directory_is_left_out(
    tiny_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, before: str | None, after: str | None
) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if before is not None:
        monkeypatch.setenv("PYTHONPATH", before)
    assert environment.variables().get("PYTHONPATH") == after
    planned = Plan([Run.of(tiny_config("cluster=slurm"))], {}).jobs[0]
    exports = parameters(planned, Path("/code"))["setup"]
    script = "\n".join([*exports, 'printf %s "$PYTHONPATH $PYTHONSAFEPATH"'])
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    said = subprocess.run(["bash", "-c", script], env=shell, capture_output=True, text=True, check=True).stdout
    assert said == ":".join(filter(None, ["/code", after])) + " 1"
