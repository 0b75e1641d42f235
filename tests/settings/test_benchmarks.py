"""Benchmarks and commands: how they are declared, and what is refused with which words."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tpt.cli import main
from tpt.errors import ConfigError
from tpt.settings import compose, config, loaded, names

ENGINE = "sampler.engine=transformers"
WP = "+task@benchmarks.wp=word_problems"
HARNESS = ("+command@commands.hs=lm_eval", "commands.hs.task=hellaswag")
MINE = ("commands.mine.command=score {checkpoint} {out}", "commands.mine.figures.accuracy=a.b")


@pytest.mark.parametrize("name", names.choices("task"))
def test_every_task_is_a_benchmark_with_its_own_sampling(name: str) -> None:
    needed = {"qa": ["path=mine.csv"], "functions": ["path=mine.csv", "solution=code"]}.get(name, [])
    own = [f"benchmarks.one.task.{setting}" for setting in needed]
    settings = compose.compose([f"+task@benchmarks.one={name}", *own, "evaluate.also=[one]", ENGINE])
    alone = compose.compose([f"task={name}", *(f"task.{setting}" for setting in needed), ENGINE])
    benchmark = settings.benchmarks["one"]
    assert (benchmark.task, benchmark.evaluate) == (alone.task, alone.evaluate)
    assert settings.task.name == "word_problems", "the run's own task is as it was"


def test_a_benchmark_of_the_runs_own_task_has_settings_of_its_own() -> None:
    settings = compose.compose([WP, "benchmarks.wp.task.test_size=5", "evaluate.samples_per_problem=2", ENGINE,
                                "evaluate.ks=[1,2]", "evaluate.also=[wp]"])  # fmt: skip
    assert (settings.task.test_size, settings.benchmarks["wp"].task.test_size) == (150, 5)
    assert (settings.evaluate.samples_per_problem, settings.benchmarks["wp"].evaluate.samples_per_problem) == (2, 4)


def test_declared_ones_survive_being_written_and_are_part_of_no_fingerprint(tmp_path: Path) -> None:
    settings = compose.compose([WP, *HARNESS, *MINE, "evaluate.also=[wp,hs,mine]", ENGINE])
    assert (settings.chosen_benchmarks, settings.chosen_commands) == (["wp"], ["hs", "mine"])
    path = tmp_path / "config.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(config.to_dict(settings))))
    assert loaded.load(path) == settings
    assert config.to_dict(settings, runtime=False) == config.to_dict(compose.compose([ENGINE]), runtime=False)


def test_a_preset_becomes_a_command_line(tmp_path: Path) -> None:
    command = compose.compose([*HARNESS, "commands.hs.program=a b", "commands.hs.options=--limit 9", ENGINE]).commands[
        "hs"
    ]
    assert command.words(Path("/my model"), Path("/links"), Path("/out")) == [
        *("a b", "run", "--model", "hf", "--model_args", "pretrained=/my model"),
        *("--tasks", "hellaswag", "--output_path", "/out", "--limit", "9"),
    ]
    assert command.paths("figures") == {"acc": "results.hellaswag.acc,none"}
    assert command.paths("errors") == {"acc": "results.hellaswag.acc_stderr,none"}
    lighteval = ("+command@commands.g=lighteval", "commands.g.task=gsm8k|0", "commands.g.metric=em")
    command = compose.compose([*lighteval, "commands.g.options='--custom-tasks {out}.py'", ENGINE]).commands["g"]
    assert command.words(Path("/my model"), Path("/links"), Path("/out")) == [
        *("lighteval", "accelerate", "model_name=/links,batch_size=8", "gsm8k|0", "--output-dir", "/out"),
        *("--custom-tasks", "/out.py"),
    ]
    assert command.paths("figures") == {"em": "results.gsm8k|0.em"}
    assert command.paths("errors") == {"em": "results.gsm8k|0.em_stderr"}


def test_a_command_of_ones_own_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "command").mkdir()
    (tmp_path / "command" / "mine.yaml").write_text(
        "command: python score.py {checkpoint} {out}\nfigures: {accuracy: results.accuracy}\ncounts: {accuracy: n}\n"
    )
    settings = compose.compose(["+command@commands.mine=mine", "evaluate.also=[mine]", ENGINE], tmp_path)
    assert settings.commands["mine"].paths("counts") == {"accuracy": "n"}


@pytest.mark.parametrize(
    ("overrides", "message", "hint"),
    [
        ([WP, "evaluate.also=[wq]"], "no benchmark or command is declared by this name", "did you mean 'wp'?"),
        (["evaluate.also=[gpqa]"], "has no further set 'gpqa'", "+task@benchmarks.gpqa=TASK declares a benchmark"),
        (["+task@benchmarks.gpqa=gpqaa"], "unknown task 'gpqaa'", "gpqa"),
        (["+task@benchmarks.dev=gpqa"], "benchmarks.dev has the name of a set", "another name"),
        (["+task@benchmarks.test=gpqa"], "benchmarks.test has the name of a set", "another name"),
        ([WP, *(one.replace(".hs", ".wp") for one in HARNESS)], "commands.wp has the name of a benchmark", "another"),
        (["+task@benchmarks.A-b=gpqa"], "benchmarks.A-b: a name consists of lower-case letters", ""),
        ([WP, "benchmarks.wp.task.tst_size=5"], "no setting 'benchmarks.wp.task.tst_size'", "benchmarks.wp.task.test"),
        ([WP, "benchmarks.wp.task.test_size=0"], "benchmarks.wp.task.test_size=0 is out of range", ""),
        ([WP, "benchmarks.wp.evaluate.max_token=5"], "'benchmarks.wp.evaluate.max_token'", "max_tokens"),
        ([WP, "benchmarks.wp.evaluate.max_tokens=0"], "benchmarks.wp.evaluate.max_tokens=0 is out of range", ""),
        ([WP, "benchmarks.wp.evaluate.ks=[9]"], "pass@9 cannot be estimated", "benchmarks.wp.evaluate.ks"),
        ([WP, "benchmarks.wp.evaluate.temperature=0"], "benchmarks.wp.evaluate.temperature=0 draws the same", ""),
        ([WP, "benchmarks.wp.tsk=5"], "unknown setting 'benchmarks.wp.tsk'", "benchmarks.wp.task"),
        (["benchmarks.wp.evaluate.max_tokens=5"], "benchmarks.wp has no task", "+task@benchmarks.wp=TASK"),
        (["benchmarks=gpqa"], "benchmarks=gpqa is not a group of settings", "+task@benchmarks.NAME=TASK"),
        (["+command@commands.hs=lm_evl"], "unknown command 'lm_evl'", "lm_eval"),
        (["+command@commands.hs=lm_eval"], "commands.hs.task has no value", "commands.hs.task=VALUE"),
        ([MINE[0].replace("{checkpoint}", "")], "is without {checkpoint}", "the folder of each round's model"),
        ([MINE[0].replace("{out}", "")], "is without {out}", "where the figures are written"),
        ([MINE[0]], "commands.mine.figures is empty", "where in the JSON a figure is"),
        ([*MINE, "commands.mine.errors.acuracy=a.c"], "commands.mine.errors.acuracy: there is no such", "accuracy"),
        ([*MINE, "commands.mine.minutes=0"], "commands.mine.minutes=0", ""),
        ([*MINE, "commands.mine.minute=9"], "'commands.mine.minute'", "commands.mine.minutes"),
        ([*MINE, "commands.mine.options='\"a'"], "commands.mine.options=\"a cannot be read", "quote it"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_the_users_words(
    overrides: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        compose.compose([*overrides, ENGINE])
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert main(["config", *overrides, ENGINE]) == 1
