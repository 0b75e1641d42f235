"""A stage whose imports were done before it began is as one that was started anew (`warm`)."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import ended

from tpt.launch import process
from tpt.launch.template import Template

pytestmark = pytest.mark.slow

# In the place of tpt: the process's number, then what becomes of it.
STAGE = """
import os, signal, sys
signal.signal(signal.SIGUSR2, lambda *_: sys.exit(7))
print(os.getpid(), os.getcwd(), sys.argv[1:], os.environ["MINE"], "torch" in sys.modules, flush=True)
signal.pause()
"""


@pytest.fixture
def stage(warm_imports: dict[str, str], tmp_path: Path) -> "subprocess.Popen[str]":
    """A process `python -m tpt.launch.worker` of other code than this project's, as a run's copy of the code is."""
    launch = tmp_path / "code" / "tpt" / "launch"
    launch.mkdir(parents=True)
    (launch.parent / "__init__.py").touch()
    (launch / "__init__.py").touch()
    (launch / "worker.py").write_text(STAGE)
    path = os.pathsep.join([str(tmp_path / "code"), warm_imports["PYTHONPATH"]])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tpt.launch.worker", "a", "b"],
        env=os.environ | warm_imports | {"PYTHONPATH": path, "MINE": "yes"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """The number of the process that does the work, and what else it says first."""
    assert process.stdout
    pid, _, said = process.stdout.readline().partition(" ")
    return int(pid), said.strip()


def test_its_arguments_folder_variables_and_code_are_its_own(stage: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with stage:
        pid, said = first_line(stage)
        assert pid != stage.pid
        assert said == f"{tmp_path} ['a', 'b'] yes True"
        stage.kill()


def test_signals_and_exit_codes_pass_through(stage: "subprocess.Popen[str]") -> None:
    with stage:
        first_line(stage)
        stage.send_signal(signal.SIGUSR2)
        assert stage.wait(60) == 7


def test_neither_outlives_the_other(stage: "subprocess.Popen[str]") -> None:
    with stage:
        pid, _ = first_line(stage)
        stage.kill()
        deadline = time.monotonic() + 60
        while not ended(pid):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_one_that_is_killed_looks_killed(stage: "subprocess.Popen[str]") -> None:
    with stage:
        pid, _ = first_line(stage)
        os.kill(pid, signal.SIGKILL)
        assert stage.wait(60) == -signal.SIGKILL


def test_what_it_prints_is_the_same(warm_imports: dict[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "tpt.launch.worker", "--no-such-option"]
    anew, warmed = (
        subprocess.run(command, env=os.environ | more, capture_output=True, text=True, check=False)
        for more in ({}, warm_imports)
    )
    assert (warmed.returncode, warmed.stdout, warmed.stderr) == (anew.returncode, anew.stdout, anew.stderr)
    assert anew.returncode == 2


@pytest.mark.usefixtures("warm_stages")
def test_what_stages_are_forked_off_is_warm_as_well() -> None:
    template = Template("transformers", process.stage_environment())
    stand_in = Path(f"/proc/{template._popen.pid}/maps")
    while not (template.ready or template.dead):
        template.listen(None)
    assert template.ready
    assert "torch" not in stand_in.read_text(), "this process only stands for the one that has the imports"
    template.close()
