"""How a command line is read, what a command prints where, and how it ends."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt.cli import main, parse
from tpt.commands import config
from tpt.display import Display
from tpt.launch.process import new_log
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.terminal import Terminal

Captured = pytest.CaptureFixture[str]


def test_results_go_to_standard_output_and_errors_to_standard_error(capsys: Captured) -> None:
    assert main(["config", "model=nope"]) == 1
    shown, said = capsys.readouterr()
    assert shown == ""
    assert "unknown model 'nope'" in said
    assert main(["config"]) == 0
    shown, said = capsys.readouterr()
    assert "temperature:" in shown
    assert said == ""


def test_progress_goes_to_standard_error_and_the_table_to_standard_output(
    run: Run, tiny_command: Callable[..., list[str]], capsys: Captured
) -> None:
    command = tiny_command("rounds=1")
    assert main(command) == 0
    shown, said = capsys.readouterr()
    assert "nothing is owed" in said
    assert "baseline" in shown
    assert "owed" not in shown
    assert main(["--quiet", *command]) == 0
    assert capsys.readouterr() == (shown, "")


@pytest.mark.parametrize("words", [["-q", "status"], ["status", "-q"], ["status", "somewhere", "--quiet"]])
def test_quiet_and_verbose_may_stand_anywhere(words: list[str]) -> None:
    quiet = parse(words)
    assert (quiet.quiet, quiet.verbose) == (True, False)
    verbose = parse([{"-q": "-v", "--quiet": "--verbose"}.get(word, word) for word in words])
    assert (verbose.quiet, verbose.verbose) == (False, True)


# How a command ends


INTERRUPTED_IMPORT = """
import sys
class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "hydra":
            raise KeyboardInterrupt
sys.meta_path.insert(0, CtrlC())
from tpt.cli import main
sys.exit(main(["run", "run_root=my runs", "model=[x]"]))
"""


def test_ctrl_c_while_modules_are_imported_says_how_to_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr.endswith("to continue: tpt run 'run_root=my runs' 'model=[x]'\n")
    assert "Traceback" not in done.stderr


def test_a_bug_is_called_one_and_shows_where_it_is(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(config, "COMMAND", config.COMMAND._replace(call=lambda *_: 1 // 0))
    assert main(["config"]) == 1
    shown, said = capsys.readouterr()
    assert shown == ""
    assert "ZeroDivisionError" in said
    assert "This is a bug in tpt" in said


def test_verbose_shows_where_an_error_comes_from(tmp_path: Path, capsys: Captured) -> None:
    assert main(["status", str(tmp_path)]) == 1
    plain = capsys.readouterr().err
    assert main(["status", "-v", str(tmp_path)]) == 1
    verbose = capsys.readouterr().err
    assert "Traceback" not in plain
    assert "Traceback" in verbose
    assert verbose.endswith(plain)


def test_verbose_shows_what_a_stage_prints_and_not_what_an_earlier_attempt_did(run: Run, capsys: Captured) -> None:
    stage = Stage(1, "think")
    new_log(run, stage, 0).write_text("an earlier attempt\n")
    with Display(Terminal(verbose=True)) as display:
        display.begin(run, stage)
        with new_log(run, stage, 0).open("w") as log:
            for text, so_far in (
                ("loading [/a]\nhal", "loading [/a]\n"),
                ("f a line\n", "half a line\n"),
                ("torn", ""),
            ):
                print(text, end="", file=log, flush=True)
                capsys.readouterr()
                display.watch([])
                assert capsys.readouterr() == ("", so_far)
    assert capsys.readouterr().err == "torn\n"


@pytest.mark.slow
def test_verbose_shows_what_the_stages_of_a_run_print(
    tiny_command: Callable[..., list[str]], capsys: Captured, tmp_path: Path
) -> None:
    assert main([*tiny_command("rounds=0"), "-v"]) == 0
    said = capsys.readouterr().err
    [log] = tmp_path.glob("runs/*/logs/round-00-evaluate-0.log")
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    assert lines
    assert all(line in said for line in lines)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 0, "usage: tpt"),
        (["--help"], 0, "130 interrupted"),
        (["stats"], 2, "unknown command 'stats': did you mean 'status'?"),
        (["-q"], 2, "COMMAND"),
        (["run", "--dryrun"], 2, "unknown option --dryrun: did you mean '--dry-run'?"),
        (["run", "rounds=1", "--mulitrun"], 2, "did you mean '--multirun'?"),
        (["judge", "--out", "x", "--gold-colunm=a"], 2, "did you mean '--gold-column'?"),
        (["status", "a", "b"], 2, "unexpected argument: b"),
        (["run", "-q", "-v"], 2, "--quiet and --verbose cannot be combined"),
    ],
)
def test_a_command_line_that_is_wrong_is_told_what_is_nearest(
    words: list[str], code: int, said: str, capsys: Captured
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == code
    assert said in " ".join("".join(capsys.readouterr()).split())
