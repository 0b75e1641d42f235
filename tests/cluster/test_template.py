"""Stages forked off a process with the imports done are as those that are started anew."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import ended

from tpt.launch import process
from tpt.launch.template import Template, template_for
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config

MakeConfig = Callable[..., Config]
PREPARE = Stage(0, "prepare")


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    made = Template("transformers", process.stage_environment())
    yield made
    made.close()


@pytest.fixture
def run(tiny_config: MakeConfig) -> Run:
    return Run.create(tiny_config("rounds=0"))


@pytest.mark.slow
def test_a_forked_stage_does_its_work_in_a_process_group_of_its_own(template: Template, run: Run) -> None:
    started = process.start(run, PREPARE, template=template)
    assert os.getpgid(started.popen.pid) == started.popen.pid
    assert started.popen.wait() == 0, started.log.read_text()
    assert run.done(PREPARE)
    assert ended(started.popen.pid)


@pytest.mark.slow
def test_a_forked_stage_has_the_environment_that_it_was_given(template: Template, run: Run, tmp_path: Path) -> None:
    elsewhere = {"TPT_CACHE": str(tmp_path / "cache")}
    assert process.start(run, PREPARE, extra=elsewhere, template=template).popen.wait() == 0
    assert list((tmp_path / "cache").iterdir())


@pytest.mark.slow
def test_a_stage_that_fails_or_is_killed_says_so_by_its_exit_code(template: Template, run: Run) -> None:
    failing = process.start(run, Stage(0, "evaluate"), template=template)  # its inputs have not been made
    assert failing.popen.wait() == 1
    assert "has not been done" in failing.log.read_text()
    killed = process.start(run, PREPARE, template=template)
    process.signal_group(killed, signal.SIGKILL)
    assert killed.popen.wait() == -signal.SIGKILL


@pytest.mark.slow
def test_with_the_template_its_stages_go_and_the_next_are_started_anew(run: Run) -> None:
    template = Template("transformers", process.stage_environment())
    stage = process.start(run, PREPARE, template=template)
    template.close()
    assert stage.popen.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while not ended(stage.popen.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended(stage.popen.pid)
    again = process.start(run, PREPARE, template=template)
    assert again.popen.wait() == 0
    assert run.done(PREPARE)


@pytest.mark.slow
def test_without_a_gpu_a_runs_stages_are_forked_off_one_template(
    tiny_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tpt.launch.template.has_gpu", lambda: False)
    environment = process.stage_environment()
    run = Run.of(tiny_config())
    sampling = template_for(run, Stage(1, "think"), environment)
    assert sampling is not None
    assert template_for(run, Stage(1, "train"), environment) is sampling
    sampling.close()
    assert template_for(run, Stage(1, "train"), environment) is not sampling, "a dead one is made anew"


def test_training_on_several_ranks_is_started_as_lightning_starts_the_other_ranks(tiny_config: MakeConfig) -> None:
    several = Run.of(tiny_config("train.devices=2"))
    assert template_for(several, Stage(1, "train"), process.stage_environment()) is None


@pytest.mark.slow
def test_with_a_gpu_a_process_that_has_imported_becomes_the_stage_and_the_next_one_imports(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tpt.launch.template.has_gpu", lambda: True)
    environment = process.stage_environment()
    assert template_for(run, PREPARE, environment) is None, "it needs no engine, and the first import has just begun"
    evaluate = Stage(0, "evaluate")
    first = template_for(run, evaluate, environment)
    assert first is not None
    assert process.start(run, PREPARE, template=first).popen.wait() == 0
    assert run.done(PREPARE)
    second = template_for(run, evaluate, environment)
    assert second is not None
    assert second is not first
    stage = process.start(run, evaluate, template=second)
    assert stage.popen.wait() == 0, stage.log.read_text()
    again = process.start(run, evaluate, template=second)
    assert again.popen.wait() == 0, "a process becomes one stage only; another is started anew"
    assert again.popen.pid != stage.popen.pid


@pytest.mark.slow
def test_a_stage_outlives_the_templates_that_are_closed_where_each_becomes_a_stage(run: Run) -> None:
    template = Template("transformers", process.stage_environment(), once=True)
    stage = process.start(run, PREPARE, template=template)
    template.close()
    assert stage.popen.wait() == 0
