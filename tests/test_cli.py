"""What a command prints and where, how it ends, and what it does with the words it is given."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import TINY
from evaluations import finish_round
from made_run import made_run

import tpt
from tpt import cli, commands, files
from tpt.cli import main, parse
from tpt.compose import compose
from tpt.config import Config
from tpt.display import Display
from tpt.launch.process import new_log
from tpt.run.folder import Run
from tpt.run.stage import Stage
from tpt.sweep import Sweep
from tpt.terminal import CLOSED_PIPE, Terminal

Captured = pytest.CaptureFixture[str]
AWKWARD = "a[b]c [red] :warning: für"


@pytest.fixture(scope="module")
def awkward_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run in a folder whose name means something to Rich, and to a shell."""
    settings = compose([*TINY, "rounds=1", "think.temperature=0.8"])
    settings.run_root = str(tmp_path_factory.mktemp("runs") / AWKWARD)
    return made_run(settings, problems=12, samples=2)


@pytest.fixture
def run(tiny_config: Callable[..., Config]) -> Run:
    """A run that owes nothing."""
    made = Run.create(tiny_config("rounds=1"))
    for round, solved in enumerate((10, 20)):
        finish_round(made, round, solved)
    return made


def cli_process(*arguments: str, **options: object) -> "subprocess.Popen[str]":
    """`tpt` with buffered output, as users have it."""
    command = [sys.executable, "-m", "tpt.cli", *arguments]
    options["env"] = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload,no-any-return]


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


def test_every_command_can_be_quiet_and_verbose() -> None:
    for own in cli.grammar()[1].values():
        assert {"--quiet", "--verbose"} <= set(re.findall(r"--[a-z]+", own.format_help()))


# JSON


def documented(help: str) -> set[str]:
    """The keys that a command's help names, one a line or several."""
    return {key for line in re.findall(r"(?m)^  ([a-z][a-z, ]*?)   ", help) for key in line.split(", ")}


def test_status_as_json_is_an_object_for_a_run_and_a_list_for_more(run: Run, capsys: Captured) -> None:
    run.manifest_path(Stage(1, "train")).unlink()
    assert main(["status", "--json", str(run.root)]) == 0
    shown, said = capsys.readouterr()
    one = json.loads(shown)
    assert said == ""
    assert set(one) == documented(cli.STATUS_HELP)
    assert (one["run"], one["folder"], one["rounds"]) == (run.name, str(run.root), 1)
    assert (one["complete"], one["owed"]) == (False, ["round-01/train", "round-01/evaluate"])
    states = {stage["stage"]: stage["state"] for stage in one["stages"]}
    assert (states["round-01/prune"], states["round-01/train"]) == ("done", "begun")
    [think] = [stage for stage in one["stages"] if stage["name"] == "think"]
    assert (think["seconds"], think["outcome"]) == (2.0, "80 samples, 50 tokens/s")
    sweep = Sweep.of([["seed=1"]], [run])
    sweep.write([["seed=1"]])
    for path in (run.root.parent, sweep.folder):
        assert main(["status", "--json", str(path)]) == 0
        assert json.loads(capsys.readouterr().out) == [one]


def test_a_run_that_cannot_be_read_is_an_object_in_the_list(run: Run, capsys: Captured) -> None:
    files.write_json(run.root / "run.json", files.read_json(run.root / "run.json") | {"format": 1})
    assert main(["status", "--json", str(run.root.parent)]) == 0
    [one] = json.loads(capsys.readouterr().out)
    assert set(one) == {"error", "hint"}


def test_config_as_json_has_every_setting(capsys: Captured) -> None:
    assert main(["config", "--json", "task=word_problems", "rounds=3"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert (settings["rounds"], settings["task"]["name"]) == (3, "word_problems")
    assert settings["train"]["lora"]["rank"] == 0


def test_a_report_as_json_has_the_figures_and_the_files(run: Run, capsys: Captured) -> None:
    assert main(["report", "--json", str(run.root)]) == 0
    shown, said = capsys.readouterr()
    report = json.loads(shown)
    assert said == ""
    assert set(report) == documented(cli.REPORT_HELP)
    assert [(row["run"], row["folder"], row["round"]) for row in report["rows"]] == [
        (run.name, str(run.root), 0),
        (run.name, str(run.root), 1),
    ]
    assert 0 < report["rows"][0]["strict_pass@1"] < 1
    assert report["rows"][0]["kept"] is None
    assert all(Path(path).is_file() for path in report["files"])
    assert [line.startswith("round 1: ") for line in report["sentences"]] == [True]


def test_verdicts_as_json_are_counted_by_reader(tmp_path: Path, capsys: Captured) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"gold": "4", "completion": "#### 4"}\n{"gold": "4", "completion": "The answer is 5"}\n')
    assert main(["judge", str(given), "--out", str(out), "--json"]) == 0
    shown, said = capsys.readouterr()
    found = json.loads(shown)
    assert said == ""
    assert set(found) == documented(cli.JUDGE_HELP) - {"sandbox"}
    assert (found["solutions"], found["verdicts"]) == (2, str(out))
    assert found["counts"]["lenient"] == {"correct": 1, "wrong": 1}


def test_the_experiments_as_json_have_their_arms(capsys: Captured) -> None:
    assert main(["reproduce", "--json"]) == 0
    table3 = next(one for one in json.loads(capsys.readouterr().out) if one["experiment"] == "table3")
    assert table3["asks"].endswith("?")
    assert table3["arms"]


@pytest.mark.parametrize("words", [["status", "nowhere"], ["config", "model=nope"], ["reproduce", "table3"]])
def test_an_error_as_json_is_an_object_on_standard_error(words: list[str], capsys: Captured) -> None:
    assert main([*words, "--json"]) == 1
    shown, said = capsys.readouterr()
    assert shown == ""
    error = json.loads(said)
    assert set(error) == {"error", "hint"}
    assert error["error"]
    assert error["hint"]


# What is printed is what is meant


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
    monkeypatch.setattr(commands, "show_config", lambda *_: 1 / 0)
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
        (["status", "a", "b"], 2, "one argument too many: b"),
        (["run", "-q", "-v"], 2, "--quiet and --verbose exclude each other"),
    ],
)
def test_a_command_line_that_is_wrong_is_told_what_is_nearest(
    words: list[str], code: int, said: str, capsys: Captured
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == code
    assert said in " ".join("".join(capsys.readouterr()).split())


# Terminals without UTF-8


WITHOUT_UTF8 = """
import os, sys
from pathlib import Path
from tpt.cli import main
from tpt.display import Display
from tpt.run.stage import Stage
from tpt.run.folder import Run
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


# Completion


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


def test_help_costs_no_import_that_only_commands_need() -> None:
    code = (
        "import sys, tpt.cli; tpt.cli.parser(); print([m for m in ('rich', 'argcomplete', 'yaml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
