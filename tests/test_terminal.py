"""What is printed is what is meant: awkward names, wide tables, terminals without UTF-8, readers who leave."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import TINY
from made_run import made_run

import tpt
from tpt import files
from tpt.cli import main
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.compose import compose
from tpt.terminal import CLOSED_PIPE

Captured = pytest.CaptureFixture[str]
AWKWARD = "a[b]c [red] :warning: für"


@pytest.fixture(scope="module")
def awkward_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run in a folder whose name means something to Rich, and to a shell."""
    settings = compose([*TINY, "rounds=1", "think.temperature=0.8"])
    settings.run_root = str(tmp_path_factory.mktemp("runs") / AWKWARD)
    return made_run(settings, problems=12, samples=2)


@pytest.mark.parametrize("words", [["report"], ["analyse", "diversity"]], ids=lambda words: words[0])
def test_square_brackets_and_colons_in_a_path_are_printed(words: list[str], awkward_run: Run, capsys: Captured) -> None:
    assert main([*words, str(awkward_run.root)]) == 0
    assert f"{AWKWARD}/{awkward_run.name}" in capsys.readouterr().out


def test_square_brackets_in_names_errors_and_outcomes_are_printed(run: Run, tmp_path: Path, capsys: Captured) -> None:
    root = tmp_path / AWKWARD / "copied [bold]x"
    shutil.copytree(run.root, root)
    copied = Run.open(root)
    stage = Stage(1, "train")
    copied.manifest_path(stage).unlink()
    files.write_json(copied.error_path(stage), {"kind": "", "message": "cannot read [red]a[/red] at [3]", "hint": ""})
    assert main(["status", str(root)]) == 0
    assert "cannot read [red]a[/red] at [3]" in capsys.readouterr().out
    assert main(["status", str(root.parent)]) == 0
    assert "copied [bold]x" in capsys.readouterr().out
    assert main(["status", str(root / "[red]no:x:")]) == 1
    assert str(root / "[red]no:x:") in capsys.readouterr().err


def test_nothing_is_printed_through_richs_markup() -> None:
    """`tpt.terminal` prints text as it is: markup would be shown, and what escapes it as well."""
    sources = {path: path.read_text(encoding="utf-8") for path in Path(tpt.__file__).parent.rglob("*.py")}
    assert [path.name for path, text in sources.items() if "rich.markup" in text or "[/]" in text] == []
    assert [path.name for path, text in sources.items() if re.search(r"\bConsole\(", text)] == []


def test_tables_that_no_terminal_shows_are_neither_folded_nor_cut(
    make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    runs = [make_run(f"task.{key}", rounds=0, problems=6, samples=2) for key in ("test_size=11", "test_size=7")]
    root = runs[0].root.parent
    assert main(["status", str(root)]) == 0
    shown = capsys.readouterr().out
    assert all(run.name in shown for run in runs)
    assert main(["status", str(runs[0].root)]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0].strip() == runs[0].name
    assert max(map(len, shown.splitlines())) > 40
    assert main(["report", *(str(run.root) for run in runs)]) == 0
    shown = capsys.readouterr().out
    assert "task.test_size=11" in shown
    assert "…" not in shown


# Readers who leave


def cli_process(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    """`tpt` with buffered output, as users have it."""
    command = [sys.executable, "-m", "tpt.cli", *arguments]
    options["env"] = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def closed_pipe() -> Iterator[int]:
    """Standard output for a process, which nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_a_reader_who_leaves_ends_a_command_silently(run: Run, closed_pipe: int) -> None:
    commands = (["--help"], ["config"], ["status", str(run.root)], ["report", "--json", str(run.root)])
    started = [cli_process(*words, stdout=closed_pipe) for words in commands]
    for process in started:
        _, said = process.communicate(timeout=120)
        assert (process.returncode, said) == (CLOSED_PIPE, "")


def test_a_reader_of_the_progress_who_leaves_stops_nothing(
    run: Run, tiny_command: Callable[..., list[str]], closed_pipe: int
) -> None:
    command = [sys.executable, "-m", "tpt.cli", *tiny_command("rounds=1")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=closed_pipe, text=True, check=False)
    assert done.returncode == 0
    assert "baseline" in done.stdout


# Terminals without UTF-8


WITHOUT_UTF8 = """
import os, sys
from pathlib import Path
from tpt.cli import main
from tpt.display import Display
from tpt.runs.stage import Stage
from tpt.runs.folder import Run
from tpt.terminal import Terminal
root = Path(os.environ["RUN"])
assert sys.stdout.encoding == "ascii"
assert main(["report", str(root)]) == 0
assert main(["status", str(root.parent)]) == 0
assert main(["status", os.fsdecode(b"caf\\xe9")]) == 1
assert main(["config", "run_root='/für'"]) == 0
os.environ["FORCE_COLOR"] = "1"  # as on a terminal
with Display(Terminal()) as display:
    run, stage = Run.open(root), Stage(1, "think")
    display.begin(run, stage)
    display.watch([{"rate": 1.0, "rate_unit": "tokens/s", "done": 1, "total": 2, "unit": "samples"}])
    display._progress.refresh()
    display.end(run, stage)
"""


def test_a_terminal_without_utf8_shows_what_it_can(awkward_run: Run) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "RUN": str(awkward_run.root)}
    command = [sys.executable, "-c", WITHOUT_UTF8]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"f\\xfcr" in done.stdout
    assert b"+---" in done.stdout  # a table's frame
    assert "run_root: /für\n".encode() in done.stdout  # YAML is UTF-8
    assert b"caf\\udce9" in done.stderr
    assert b"\\u2" not in done.stdout + done.stderr  # no frame, bar or spinner in signs that are not there
