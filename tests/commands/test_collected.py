"""Every file of `tpt.commands` is a command; `tpt --help` needs none of what the commands need."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tpt
from tpt import cli, commands

PACKAGE = Path(tpt.__file__).parent
HELLO = """
import argparse
from tpt.commands import Command
from tpt.commands.shared.arguments import add_overrides

def add(parser):
    add_overrides(parser, "settings")

def call(options, terminal):
    terminal.write_json(options.overrides)
    return 7

COMMAND = Command("Say hello.", add, call, json=True)
"""
# What building the grammar may import of ours: errors, and what names the analyses.
LIGHT = {"artefacts", "analysis", "cli", "completion", "errors"}


def test_every_command_can_be_quiet_and_verbose() -> None:
    for own in cli.grammar()[1].values():
        assert {"--quiet", "--verbose"} <= set(re.findall(r"--[a-z]+", own.format_help()))


def test_every_file_is_a_command_and_the_order_of_the_help_names_each() -> None:
    files = {path.stem for path in (PACKAGE / "commands").glob("*.py")} - {"__init__"}
    assert tuple(commands.load()) == commands.ORDER
    assert files == set(commands.ORDER)
    assert re.findall(r"(?m)^    (\w+) ", cli.parser().format_help()) == list(commands.ORDER)


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package to which a file for a command `hello` has been added."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(PACKAGE, folder / "tpt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(PACKAGE.parent / "conf", folder / "conf")
    (folder / "tpt" / "commands" / "hello.py").write_text(HELLO)
    return folder


def in_copy(folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`tpt` of a copy of the package."""
    environment = os.environ | {"PYTHONPATH": str(folder)} | variables
    command = [sys.executable, "-P", "-m", "tpt.cli", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_a_new_file_is_a_new_command_in_the_help(extended: Path) -> None:
    shown = in_copy(extended, "--help").stdout
    assert re.findall(r"(?m)^    (\w+) ", shown) == [*commands.ORDER, "hello"]
    own = in_copy(extended, "hello", "--help").stdout
    assert {"Say hello.", "--json", "--quiet"} <= set(re.findall(r"Say hello\.|--[a-z]+", own))


def test_a_new_file_is_a_new_command_that_runs(extended: Path) -> None:
    done = in_copy(extended, "hello", "rounds=1", "--json", "seed=2")
    assert (done.returncode, "".join(done.stdout.split())) == (7, '["rounds=1","seed=2"]')


@pytest.mark.parametrize(("line", "proposed"), [("tpt he", "hello"), ("tpt hello rounds", "rounds")])
def test_a_new_file_is_a_new_command_that_a_shell_completes(extended: Path, line: str, proposed: str) -> None:
    answer = extended / "answer"
    asked = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
        "COMP_LINE": line,
        "_ARGCOMPLETE_IFS": " ",
    }
    done = in_copy(extended, COMP_POINT=str(len(line)), **asked)
    assert done.returncode == 0, done.stderr
    assert proposed in [word.strip("= ") for word in answer.read_text().split()]


def test_help_costs_no_import_that_only_commands_need() -> None:
    code = "import sys, tpt.cli; tpt.cli.parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert imported & {"rich", "argcomplete", "yaml", "torch", "hydra", "pyarrow"} == set()
    ours = {name.removeprefix("tpt.") for name in imported if name.startswith("tpt.")}
    assert {name for name in ours if name.partition(".")[0] != "commands"} == LIGHT
    assert {name for name in ours if name.startswith("commands.shared.")} == {"commands.shared.arguments"}


def test_nothing_imports_the_commands_except_the_command_line() -> None:
    """So what a command shares with the rest of the package has a module of its own, and there is no circle."""
    importers = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            if any(re.match(r"tpt\.(cli|commands)\b", module + name) for name in names):
                importers.add(path.relative_to(PACKAGE).parts[0])
    assert importers == {"cli.py", "commands"}


def test_every_command_keeps_what_libraries_cache_beside_the_models(tmp_path: Path) -> None:
    code = "import os, sys, tpt.cli; tpt.cli.main(['completion', 'bash']); sys.exit(os.environ['MPLCONFIGDIR'])"
    environment = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"}
    environment["TPT_CACHE"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == str(tmp_path / "matplotlib")
