"""A task's file that cannot be imported stops that task alone, and is named with its line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import tasks
from tpt.cli import main
from tpt.runs.folder import Run
from tpt.settings.config import Config

GOOD = '''"""A task of the user's own."""
from dataclasses import dataclass
from tpt.tasks.base import register
from tpt.tasks.word_problems import WordProblems


@register("mine")
@dataclass
class Mine(WordProblems):
    pass
'''
WRONG = {
    "syntax": (GOOD.replace("(WordProblems):", "(WordProblems)"), "line 9: SyntaxError"),
    "import": ("import no_such_package\n" + GOOD, "line 1: ModuleNotFoundError: No module named 'no_such_package'"),
    "late": (GOOD + "\n\nMine.no_such_thing\n", "line 13: AttributeError"),
    "leaves": (GOOD + "\nraise SystemExit(3)\n", "line 12: SystemExit"),
    "bytes": (GOOD.replace("own", "own caf\xe9"), "SyntaxError"),
}


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Add a file of this name and text to the package's tasks, and load them as a new process would."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    monkeypatch.setattr("tpt.tasks.base.REGISTRY", registry := tasks.REGISTRY.copy())
    monkeypatch.setattr(tasks, "REGISTRY", registry)
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(folder)])
    monkeypatch.setattr("tpt.tasks.base.BROKEN", broken := dict[str, BaseException]())
    monkeypatch.setattr(tasks, "BROKEN", broken)

    def write(name: str, text: str) -> Path:
        path = folder / f"{name}.py"
        path.write_bytes(text.encode("latin-1"))
        monkeypatch.delitem(sys.modules, f"tpt.tasks.{name}", raising=False)
        tasks.load()
        return path

    return write


@pytest.mark.parametrize("kind", WRONG)
def test_a_file_that_cannot_be_imported_is_named_where_its_task_is_asked_for_and_nowhere_else(
    add: Callable[[str, str], Path],
    tiny_config: Callable[..., Config],
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text, words = WRONG[kind]
    path = add(f"of_mine_{kind}", text)  # not the task's name, which is in the file
    Run.create(tiny_config())
    assert main(["config", "task=gsm8k"]) == 0
    assert main(["status", str(tmp_path / "runs")]) == 0
    assert "of_mine" not in "".join(capsys.readouterr())
    for command in (["config", "task.name=mine"], ["judge", "--task", "mine", "--out", str(tmp_path / "out")]):
        assert main(command) == 1
        said = "".join(capsys.readouterr())
        assert "the task mine cannot be loaded" in said
        assert str(path) in said
        assert words in said
        assert "Traceback" not in said


def test_a_name_that_is_unknown_may_be_in_a_file_that_cannot_be_imported(
    add: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = add("of_mine_hidden", "NAME = 'hidden'\n1 / 0\n")
    assert main(["config", "task.name=hidden"]) == 1
    said = "".join(capsys.readouterr())
    assert "unknown task 'hidden'" in said
    assert f"{path} cannot be loaded: division by zero" in said


def test_a_file_that_was_corrected_gives_its_task(add: Callable[[str, str], Path]) -> None:
    add("of_mine_good", GOOD)
    assert "mine" in tasks.REGISTRY
    assert tasks.BROKEN == {}
