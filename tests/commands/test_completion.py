"""What a shell proposes for an unfinished command line, and the scripts that make it ask."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def bash_completions(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """What bash proposes for an unfinished command line."""
    if not shutil.which("bash"):
        pytest.skip("bash is not installed")
    folder = tmp_path_factory.mktemp("bin")
    (folder / "tpt").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tpt.cli "$@"\n')
    (folder / "tpt").chmod(0o755)
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    script = (
        'eval "$(tpt completion bash)"; COMP_LINE=$1; COMP_POINT=${#1}; COMP_TYPE=9\n'
        "registered=$(complete -p tpt); function=${registered##*-F }; ${function%% *} tpt 2>/dev/null\n"
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )

    def ask(line: str) -> list[str]:
        command = ["bash", "-c", script, "bash", line]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=folder)
        return [word.strip() for word in done.stdout.splitlines()]

    return ask


@pytest.mark.parametrize(
    ("line", "proposed"),
    [
        ("tpt st", {"status"}),
        ("tpt run --dr", {"--dry-run"}),
        ("tpt run model=gemma2-2", {"gemma2-2b"}),  # bash takes what follows the = for a word of its own
        ("tpt run rounds=1 train.lora.ra", {"train.lora.rank="}),
        ("tpt reproduce table3", {"table3"}),
    ],
)
def test_bash_completes_commands_options_settings_and_their_choices(
    line: str, proposed: set[str], bash_completions: Callable[[str], list[str]]
) -> None:
    assert proposed <= set(bash_completions(line))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one_that_the_shell_can_read(shell: str, tmp_path: Path, capsys: Captured) -> None:
    assert main(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    assert "tpt" in script.read_text()
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n", str(script)], check=True)
