"""What every process of ours has in its environment; for imports see `cluster/test_imports.py`."""

import subprocess
import sys

import pytest

from tpt import environment
from tpt.launch.process import stage_environment


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.POLICIES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.slow
def test_the_threads_of_a_stage_spin_for_a_short_while_only() -> None:
    """As the library itself says that it has understood it."""
    shown = stage_environment() | {"OMP_DISPLAY_ENV": "verbose"}
    said = subprocess.run([sys.executable, "-c", "import torch"], env=shown, capture_output=True, text=True, check=True)
    if "GOMP_SPINCOUNT" not in said.stderr:
        pytest.skip("torch comes with another OpenMP than GNU's here")
    assert "GOMP_SPINCOUNT = '1000'" in said.stderr


@pytest.mark.parametrize("name", environment.POLICIES)
def test_what_a_user_has_said_of_waiting_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(environment.WAITING) < set(environment.variables())
    monkeypatch.setenv(name, "30")
    assert not set(environment.WAITING) & set(environment.variables())
    assert stage_environment()[name] == "30"
