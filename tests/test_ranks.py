"""A shell that some launcher started has its variables, which are about other processes than ours."""

from collections.abc import Callable

import pytest

from tpt import ranks
from tpt.launch import local, process
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config

LEFT_OVER = {
    **{"RANK": "3", "LOCAL_RANK": "3", "NODE_RANK": "1", "WORLD_SIZE": "8", "MASTER_ADDR": "gone", "MASTER_PORT": "1"},
    **{ranks.TASKS: "8", "SLURM_PROCID": "3"},
}


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in LEFT_OVER.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("launched")
def test_a_stage_is_not_one_of_several_for_what_a_launcher_left_in_the_shell(
    tiny_config: Callable[..., Config],
) -> None:
    run, stage = Run.create(tiny_config()), Stage(0, "prepare")
    local.execute(run, stage, lambda _: None)
    assert run.done(stage)


@pytest.mark.usefixtures("launched")
def test_processes_that_srun_starts_together_know_it_and_meet_where_the_user_says() -> None:
    variables = process.stage_environment() | ranks.together(2)
    assert {name: variables.get(name) for name in LEFT_OVER} == {
        **dict.fromkeys(("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE")),
        **{ranks.TASKS: "2", "SLURM_PROCID": "3", "MASTER_ADDR": "gone", "MASTER_PORT": "1"},
    }
