"""What many tests share: real checkpoints, short runs with a tiny model, and processes that start at once."""

import copy
import functools
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import warm
from evaluations import finish_round
from made_run import made_run

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests use the packaged and the local models only
# Tests compute on the CPU, whatever the machine, but for those of `make test-gpu`.
os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("TPT_TEST_GPUS", "")

from tpt.models import locate
from tpt.runs.folder import Run
from tpt.settings.compose import compose
from tpt.settings.config import Config
from tpt.settings.model import ModelConfig

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

TINY = ("experiment=smoke", "sampler=transformers")


# The groups that take longest begin first, so that no worker is left alone with one in the end: in turn one of SLURM's
# tests, which mostly wait, and one that computes.
FIRST = (
    "slurm faults",
    "integration/test_reproduce.py",
    "slurm stops",
    "test_resume.py",
    "slurm real",
    "test_fit.py",
    "slurm rounds",
    "test_damage.py",
    "slurm nodes",
    "test_real_model.py",
    "slurm small",
    "integration/test_code.py",
    "slurm auto",
    "test_zoo.py",
    "slurm sweep",
    "test_labelled.py",
    "test_slurm_user.py",
    "test_imports.py",
    "test_architectures.py",
    "test_package.py",
    "test_job.py",
    "test_analysis.py",
)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker do a whole file, whose tests share fixtures, unless the file itself says what belongs together."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(str(item.path.relative_to(item.config.rootpath))))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    group = item.get_closest_marker("xdist_group")
    assert group
    return next((turn for turn, name in enumerate(FIRST) if group.args[0].endswith(name)), len(FIRST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """Stop where pytest-xdist has lost the groups: every worker would make the fixtures of every file anew."""
    if node.config.getoption("dist") == "loadgroup" and not all("@" in one for one in ids):
        pytest.exit("this pytest-xdist loses the groups of tests with this pytest: pip install -e '.[dev]'", 4)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Keep the test's name out of the variables: stages of all tests can then be forked off the same template."""
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    return (yield)


@pytest.fixture(scope="session")
def warmed() -> Iterator[warm.Warmed]:
    """The process that stages with warm imports are forked off, see `warm`."""
    with warm.imports() as running:
        yield running


@pytest.fixture(scope="session")
def warm_imports(warmed: warm.Warmed) -> dict[str, str]:
    """Variables with which a process starts stages that have imported torch and the like already."""
    return warmed.environment


@pytest.fixture
def warm_stages(warm_imports: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What this test starts has those variables."""
    for name, value in warm_imports.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def tiny_model() -> Path:
    """The checkpoint of tiny-random."""
    return locate(ModelConfig(name="tiny-random", source="random"))


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The checkpoint of SmolLM2-135M-Instruct."""
    return locate(ModelConfig(name="smollm2-135m", source="packaged", path="HuggingFaceTB/SmolLM2-135M-Instruct"))


@functools.lru_cache(maxsize=256)
def composed(overrides: tuple[str, ...]) -> Config:
    """A config composed once for all tests with the same overrides, since it takes a fifth of a second: copy it."""
    return compose([*TINY, *overrides])


@pytest.fixture
def tiny_config(tmp_path: Path) -> Callable[..., Config]:
    """Compose a config of a run that takes seconds, under the test's own folder."""

    def make(*overrides: str) -> Config:
        config = copy.deepcopy(composed(overrides))
        if not any(one.startswith("run_root=") for one in overrides):
            config.run_root = str(tmp_path / "runs")
        return config

    return make


@pytest.fixture
def tiny_command(tmp_path: Path) -> Callable[..., list[str]]:
    """The arguments of `tpt run` for a run that takes seconds, under the test's own folder."""

    def make(*overrides: str) -> list[str]:
        return ["run", *TINY, f"run_root={tmp_path / 'runs'}", *overrides]

    return make


@pytest.fixture
def make_run(tiny_config: Callable[..., Config]) -> Callable[..., Run]:
    """Make a finished run without a model, of some overrides and of the sizes that `made_run` takes."""

    def make(*overrides: str, rounds: int = 2, **sizes: float) -> Run:
        return made_run(tiny_config(f"rounds={rounds}", "think.temperature=0.8", *overrides), **sizes)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def honest(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of two rounds whose files follow from one another; to be copied before it is changed."""
    from honest_run import SIZES, honest_run  # transformers is slow to import, and few tests need it

    config = copy.deepcopy(composed(SIZES))
    config.run_root = str(tmp_path_factory.mktemp("honest"))
    return honest_run(config, tiny_model)


@pytest.fixture
def run(tiny_config: Callable[..., Config]) -> Run:
    """A run of one round that owes nothing."""
    made = Run.create(tiny_config("rounds=1"))
    for round, solved in enumerate((10, 20)):
        finish_round(made, round, solved)
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chrome]":
    """A real headless browser."""
    import chromium  # selenium is slow to import, and few tests need it

    with chromium.started(tmp_path_factory.mktemp("profile")) as driver:
        yield driver
