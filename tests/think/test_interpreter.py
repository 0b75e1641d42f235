"""An environment of the engine's own, and environments in which no engine can start."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import probe
from tpt.artefacts import Sampled
from tpt.cli import main
from tpt.errors import ConfigError
from tpt.launch import process
from tpt.launch.template import template_for
from tpt.runs import table
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings import interpreter
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.engine import resolve_engine
from tpt.settings.sampler import SamplerConfig
from tpt.think.engines import check_environments

VISION = 'raise RuntimeError("operator torchvision::nms does not exist")\n'


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The interpreter of an environment without any package."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    return tmp_path / "bare" / "bin" / "python"


@pytest.fixture
def sharing(bare: Path) -> Path:
    """The interpreter of an environment with all packages of this one, in which tpt itself is not installed."""
    [packages] = bare.parents[1].glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if Path(path).name == "site-packages"))
    return bare


@pytest.fixture
def clashing(tmp_path: Path) -> Path:
    """A folder with a torchvision that fails as one does that was made for another torch."""
    folder = tmp_path / "clashing"
    (folder / "torchvision").mkdir(parents=True)
    (folder / "torchvision" / "__init__.py").write_text(VISION)
    (folder / "torchvision-0.28.0.dist-info").mkdir()
    (folder / "torchvision-0.28.0.dist-info" / "METADATA").write_text("Name: torchvision\nVersion: 0.28.0\n")
    return folder


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_interpreter_that_cannot_sample_is_refused_in_words(tmp_path: Path, bare: Path) -> None:
    (tmp_path / "text").write_text("not a program")
    (tmp_path / "binary").write_bytes(b"\x7fNOT")
    (tmp_path / "binary").chmod(0o755)
    for python, words in (
        (tmp_path / "nowhere", "is not a file"),
        (bare.parent, "is not a file"),
        (tmp_path / "text", "cannot be executed"),
        (tmp_path / "binary", "does not start"),
        (Path("/bin/echo"), "is not a Python interpreter"),
        (script(tmp_path / "failing", "echo 'no licence' >&2; exit 3"), "fails: no licence"),
        (script(tmp_path / "old", "echo 3 8"), r"is Python 3\.8; tpt needs 3\.11"),
    ):
        with pytest.raises(ConfigError, match=words):
            resolve_engine("auto", interpreter.absolute(str(python)))
    with pytest.raises(ConfigError, match=r"lacks .*torch.*") as caught:
        compose(["experiment=smoke", f"sampler.python={bare}"])
    assert f"{bare} -m pip install think-prune-train==" in caught.value.hint


def test_the_interpreter_is_no_part_of_what_a_run_is(tiny_config: Callable[..., Config]) -> None:
    other = tiny_config()
    other.sampler.python = "/engine/bin/python"
    assert Run.of(tiny_config()).root == Run.of(other).root


def test_a_path_from_the_home_folder_or_the_working_directory_is_found_from_any_other(
    monkeypatch: pytest.MonkeyPatch, bare: Path
) -> None:
    home = bare.parents[2]
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    assert interpreter.absolute("~/bare/bin/python") == interpreter.absolute("bare/bin/python") == str(bare)


def test_another_interpreter_does_what_samples_and_this_one_all_else() -> None:
    config = SamplerConfig(python="/engine/bin/python")
    assert interpreter.of(config, samples=True) == "/engine/bin/python"
    assert interpreter.of(config, samples=False) == sys.executable
    assert {name for name, spec in table.SPECS.items() if spec.draws} == {"think", "evaluate"}


def test_another_interpreter_sees_this_package_and_no_other_of_this_environment(bare: Path) -> None:
    code = "import importlib.util as u, tpt; print(tpt.__file__, *map(u.find_spec, ('torch', 'pytest', 'conf')))"
    environment = process.stage_environment(str(bare))
    done = subprocess.run([bare, "-P", "-c", code], env=environment, capture_output=True, text=True, check=True)
    file, *others = done.stdout.split()
    assert Path(file).resolve() == interpreter.PACKAGE / "__init__.py"
    assert others == ["None"] * 3


def test_each_interpreter_has_a_template_of_its_own(tiny_config: Callable[..., Config], tmp_path: Path) -> None:
    config = tiny_config()
    config.sampler.python = str(tmp_path / "python")
    (tmp_path / "python").symlink_to(sys.executable)
    run = Run.of(config)
    first = [template_for(run, Stage(1, name), process.stage_environment()) for name in ("think", "train")]
    again = [template_for(run, Stage(1, name), process.stage_environment()) for name in ("evaluate", "train")]
    assert first == again
    assert None not in first
    assert first[0] is not first[1]


def test_a_torchvision_of_another_torch_is_named_with_what_to_do(
    clashing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(clashing))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    with pytest.raises(
        ConfigError, match=r"torchvision 0\.28\.0 does not work with torch .*torchvision::nms"
    ) as caught:
        check_environments(None)
    assert f"{sys.executable} -m pip uninstall torchvision" in caught.value.hint


@pytest.mark.slow
def test_a_torchvision_of_another_torch_is_found_in_the_environment_that_samples(clashing: Path, sharing: Path) -> None:
    [packages] = sharing.parents[1].glob("lib/python*/site-packages")
    (packages / "clashing.pth").write_text(str(clashing))
    assert not interpreter.ask(str(sharing))["clash"], "it takes seconds, which only the first stage has"
    with pytest.raises(ConfigError, match=r"torchvision 0\.28\.0") as caught:
        check_environments(str(sharing))
    assert f"{sharing} -m pip uninstall" in caught.value.hint


@pytest.mark.slow
def test_a_job_starts_what_samples_with_the_other_interpreter(
    sharing: Path, tiny_command: Callable[..., list[str]], tmp_path: Path
) -> None:
    """Its files say so: a job of a cluster finds the interpreter in the run folder's config."""
    assert main(tiny_command("rounds=0", "cluster=submitit_local", f"sampler.python={sharing}")) == 0
    [engine] = Run.open(find(tmp_path / "runs")[0]).results(Stage(0, "evaluate"), Sampled)["engines"]
    assert engine["python"] == str(sharing)


@pytest.mark.slow
def test_a_run_says_so_before_it_has_computed_anything(
    clashing: Path,
    tiny_command: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(clashing))
    assert main(tiny_command("rounds=0")) == 1
    said = "".join(capsys.readouterr())
    assert "pip uninstall torchvision" in " ".join(said.split())


def test_torchcodec_without_ffmpeg_is_no_clash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchcodec").mkdir()
    for error, clashes in (("RuntimeError", False), ("OSError", True)):
        (tmp_path / "torchcodec" / "__init__.py").write_text(f"raise {error}('libavutil.so')\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setattr("importlib.metadata.version", lambda name: "1")
        monkeypatch.delitem(sys.modules, "torchcodec", raising=False)
        assert bool(probe.clash()) == clashes
