"""What does not come with the package: files of the user's own, and packages that are installed beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from tpt import files
from tpt.cli import main
from tpt.errors import ConfigError, RunError
from tpt.launch.worker import perform
from tpt.prune.modes import heeds_partial_credit, keeps
from tpt.records import Sample, Status, Verdict
from tpt.runs import identity
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.settings.config import Config

ENTRY_POINTS = """\
[tpt.tasks]
tripling = plugged.task:Tripling
broken = plugged.no_such_module:Task
number = plugged.task:Split

[tpt.engines]
plugged = plugged.engine
engineless = plugged.task

[tpt.trackers]
lines = plugged.tracker:Lines
"""
TASK = '''\
"""A task of the user's own."""

from dataclasses import dataclass

from tpt.tasks import register
from tpt.tasks.word_problems import WordProblems


@register("mine")
@dataclass
class Mine(WordProblems):
    politeness: int = 1

    def instruct(self, question: str) -> str:
        return question + " Please." * self.politeness
'''
MODE = '''\
def short(sample, verdict):
    """Right solutions of at most three words."""
    return verdict.strict == "correct" and len(sample.text.split()) <= 3


def everything(sample, verdict):
    return True


def failing(sample, verdict):
    return 1 / 0
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder as packages are installed in, with one that adds a task, an engine and a tracker."""
    folder = tmp_path / "site"
    shutil.copytree(Path(__file__).with_name("plugged"), folder / "plugged")
    information = folder / "plugged-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def tpt(
    site: Path, *words: str, variables: Mapping[str, str] = {}
) -> "subprocess.CompletedProcess[str]":  # which nothing changes
    """`tpt` in a process that finds the installed packages of a folder."""
    path = os.pathsep.join(filter(None, [str(site), variables.get("PYTHONPATH", "")]))
    environment = os.environ | variables | {"PYTHONPATH": path}
    command = [sys.executable, "-P", "-m", "tpt.cli", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_run_uses_a_task_an_engine_and_a_tracker_of_a_package_and_a_mode_of_the_users_own(
    site: Path, tiny_command: Callable[..., list[str]], warm_imports: dict[str, str], tmp_path: Path
) -> None:
    plugged = ("task=tripling", "sampler.engine=plugged", "tracker.name=lines", "tracker.mode=offline")
    (tmp_path / "modes.py").write_text(MODE)
    mode = f"prune.mode=python:{tmp_path / 'modes.py'}:everything"
    command = tiny_command("rounds=1", "prune.warn_below=0", mode, *plugged)
    done = tpt(site, *command, variables=warm_imports)
    assert done.returncode == 0, done.stderr
    [root] = find(tmp_path / "runs")
    manifest = json.loads((root / "round-01" / "think" / "manifest.json").read_text())
    assert {one["engine"] for one in manifest["engines"]} == {"plugged"}
    lines = [line["stage"] for line in files.read_jsonl(root / "lines.jsonl")]
    assert lines[-1] == "round-01/evaluate"
    contents = json.loads((root / "run.json").read_text())["contents"]
    assert set(contents) == {"task.code", "sampler.engine", "prune.mode"}
    assert "-tripling-everything-" in root.name
    with (site / "plugged" / "engine.py").open("a") as handle:
        handle.write("# changed\n")
    done = tpt(site, *command, "--dry-run", variables=warm_imports)
    assert root.name not in done.stdout + done.stderr, "another engine makes another run"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "task.name=broken",
            "the task broken of the package plugged 1.0 cannot be imported (plugged.no_such_module:Task): "
            "ModuleNotFoundError",
        ),
        ("task.name=number", "the entry point plugged.task:Split of the task number is no task"),
        ("task.name=trippling", "did you mean 'tripling'?"),
        ("task=trippling", "did you mean 'tripling'?"),
        ("sampler.engine=pluged", "did you mean 'plugged'?"),
        ("tracker.name=line", "did you mean 'lines'?"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_and_everything_else_goes_on(
    site: Path, override: str, words: str
) -> None:
    done = tpt(site, "config", "sampler.engine=transformers", override)
    assert (done.returncode, words in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_two_packages_add_is_refused(site: Path) -> None:
    other = shutil.copytree(site / "plugged-1.0.dist-info", site / "other-2.0.dist-info")
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 2.0\n")
    done = tpt(site, "config", "task.name=tripling", "sampler.engine=transformers")
    assert "the task tripling is in several packages: " in done.stderr
    assert {"plugged 1.0", "other 2.0"} == {one for one in ("plugged 1.0", "other 2.0") if one in done.stderr}


def test_what_is_not_needed_is_not_imported(site: Path) -> None:
    (site / "plugged" / "__init__.py").write_text("raise SystemExit('imported')\n")
    done = tpt(site, "config", "task=gsm8k", "sampler.engine=transformers")
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(done.stdout)["task"]["name"] == "gsm8k"


def test_the_help_looks_up_no_entry_points() -> None:
    code = "import sys, tpt.cli; tpt.cli.parser(); sys.exit('tpt.plugins' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of the user's own with a task."""
    for folder in ("tasks", "task"):
        (tmp_path / "own" / folder).mkdir(parents=True)
    (tmp_path / "own" / "tasks" / "politely.py").write_text(TASK)
    (tmp_path / "own" / "task" / "mine.yaml").write_text("# @package _global_\ntask:\n  name: mine\n")
    return tmp_path / "own"


def composed(own: Path, *overrides: str) -> Config:
    given = ["experiment=smoke", "sampler=transformers", "task=mine", f"run_root={own.parent / 'runs'}", *overrides]
    return compose(given, own)


def test_a_task_in_a_file_of_the_users_own_is_found_where_its_run_is_opened_again(own: Path) -> None:
    run = Run.create(composed(own, "task.politeness=2"))
    assert run.config.task.instruct("How many?") == "How many? Please. Please."
    code = f"from tpt.runs.folder import Run; from pathlib import Path; run = Run.open(Path({str(run.root)!r}))\n"
    code += "print(run.config.task.instruct('Who?'))"
    done = subprocess.run([sys.executable, "-c", code], cwd="/", capture_output=True, text=True, check=True)
    assert done.stdout == "Who? Please. Please.\n"


@pytest.mark.slow
def test_a_task_of_the_users_own_is_sampled_by_a_job_in_another_environment(
    own: Path, tiny_command: Callable[..., list[str]], tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "engine")], check=True)
    [packages] = (tmp_path / "engine").glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(path for path in sys.path if Path(path).name == "site-packages"))
    python = tmp_path / "engine" / "bin" / "python"
    command = tiny_command("rounds=0", "task=mine", "cluster=submitit_local", f"sampler.python={python}")
    assert main([*command, "--config-dir", str(own)]) == 0
    [root] = find(tmp_path / "runs")
    manifest = json.loads((root / "round-00" / "evaluate" / "manifest.json").read_text())
    assert {one["python"] for one in manifest["engines"]} == {str(python)}


def test_a_changed_file_is_another_run_and_where_it_lies_is_not(own: Path) -> None:
    before = Run.create(composed(own))
    moved = shutil.copytree(own, own.with_name("moved"))
    assert Run.of(composed(moved)).name == before.name
    path = own / "tasks" / "politely.py"
    path.write_text(TASK.replace("Please", "Now"))
    assert Run.of(composed(own)).name != before.name
    with pytest.raises(RunError, match=r"what task\.code stands for has changed since this run was made"):
        perform(Run.open(before.root), Stage(1, "judge"))


def test_two_files_may_hold_the_same_task_in_one_process(own: Path) -> None:
    other = shutil.copytree(own, own.with_name("other"))
    (other / "tasks" / "politely.py").write_text(TASK.replace("Please", "Now"))
    runs = [Run.create(composed(folder)) for folder in (own, other)]
    assert [Run.open(run.root).config.task.instruct("?") for run in runs] == ["? Please.", "? Now."]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "politely",
            TASK + "import nothing_of_the_kind\n",
            r"the task mine cannot be loaded: .*politely\.py, line 16: ",
        ),
        ("twice", TASK, r"the task mine is in several files: .*politely\.py, .*twice\.py"),
        ("gsm8k", TASK.replace('"mine"', '"word_problems"'), r"gsm8k\.py has the name of a task that comes with tpt"),
    ],
    ids=["import", "twice", "shipped"],
)
def test_what_is_wrong_with_a_file_is_said(own: Path, name: str, text: str, message: str) -> None:
    (own / "tasks" / f"{name}.py").write_text(text)
    with pytest.raises(ConfigError, match=message):
        composed(own, *(["task=word_problems"] if name == "gsm8k" else []))


def test_a_file_that_fails_does_not_stop_the_tasks_beside_it(own: Path) -> None:
    (own / "tasks" / "broken.py").write_text("1 / 0\n")
    assert composed(own).task.name == "mine"
    with pytest.raises(ConfigError, match=r"(?s)unknown task 'yours'.*broken\.py cannot be loaded: division by zero"):
        composed(own, "task.name=yours")


def test_a_task_without_its_config_says_what_to_write(own: Path) -> None:
    (own / "task" / "mine.yaml").unlink()
    with pytest.raises(ConfigError, match=r"there is no .*task/mine\.yaml") as caught:
        composed(own)
    assert "name: mine" in caught.value.hint


def sample(text: str, status: Status) -> tuple[Sample, Verdict]:
    return Sample("p", 0, [], [], text, "stop"), Verdict("p", 0, status, status, status)


def test_a_pruning_mode_of_ones_own_keeps_what_its_function_says(tmp_path: Path) -> None:
    path = tmp_path / "modes.py"
    path.write_text(MODE)
    config = compose(["sampler=transformers", f"prune.mode=python:{path}:short"])
    keep = keeps(config.prune)
    assert keep(*sample("#### 4", Status.CORRECT))
    assert not keep(*sample("It is, I think, #### 4", Status.CORRECT))
    assert not keep(*sample("#### 5", Status.WRONG))
    assert heeds_partial_credit(config.prune)
    before = Run.of(config)
    assert "-short-" in before.name
    assert config.prune.mode not in json.dumps(identity.settings_of(config, before.contents))
    path.write_text(MODE.replace("<= 3", "<= 4"))
    assert Run.of(config).name != before.name


@pytest.mark.parametrize(
    ("function", "message"),
    [("longest", "has no function longest"), ("modes", "has no function modes")],
)
def test_a_pruning_mode_that_is_not_there_is_refused_before_anything_is_sampled(
    tmp_path: Path, function: str, message: str
) -> None:
    (tmp_path / "modes.py").write_text(MODE)
    with pytest.raises(ConfigError, match=message):
        compose(["sampler=transformers", f"prune.mode=python:{tmp_path / 'modes.py'}:{function}"])
    with pytest.raises(ConfigError, match="there is no Python file"):
        compose(["sampler=transformers", f"prune.mode=python:{tmp_path / 'none.py'}:{function}"])


def test_a_pruning_mode_that_fails_names_the_sample(tmp_path: Path) -> None:
    (tmp_path / "modes.py").write_text(MODE)
    config = compose(["sampler=transformers", f"prune.mode=python:{tmp_path / 'modes.py'}:failing"])
    with pytest.raises(ConfigError, match=r"fails on sample 0 of p: ZeroDivisionError"):
        keeps(config.prune)(*sample("#### 4", Status.CORRECT))


def test_a_new_tasks_own_test_passes_as_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "task", "my_task", str(tmp_path)]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines() if line.startswith(str(tmp_path))]
    assert [path.relative_to(tmp_path).as_posix() for path in written] == [
        "tasks/my_task.py",
        "task/my_task.yaml",
        "tests/test_my_task.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(written[-1])], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert main(["show", "--config-dir", str(tmp_path), "task=my_task", "sampler=transformers"]) == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("gsm8k", "there is a task gsm8k already"), ("My-Task", "cannot be a task's name"), ("twice", "exists already")],
)
def test_a_new_task_replaces_nothing(tmp_path: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "twice.yaml").write_text("mine")
    assert main(["new", "task", name, str(tmp_path)]) == 1
    assert words in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.rglob("*.*")] == ["mine"]
