"""A command measures the model of a round: its figures are recorded, and what goes wrong is said in words."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from evaluations import finish_round

from tpt import files
from tpt.cluster import backend
from tpt.errors import CommandError
from tpt.progress import Progress
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.settings.config import Config
from tpt.stages.command import measure

Make = Callable[..., Config]
STAGE = Stage(0, "command", "mine")
WRITES = (
    "import json, sys; json.dump({'results': {'acc': 0.5, 'se': 0.1}, 'read': sys.argv[1]}, open(sys.argv[2], 'w'))"
)


@pytest.fixture
def prepared(tiny_config: Make, tmp_path: Path) -> Callable[..., Run]:
    """A run whose base model is there, and a command of some Python, which gets the checkpoint and the output."""

    def make(code: str, *more: str) -> Run:
        script = tmp_path / "it's a script.py"
        script.write_text(code)
        program = f"commands.mine.program={sys.executable}"
        line = f'commands.mine.command={{program}} "{script}" {{checkpoint}} {{out}}'
        figures = ("commands.mine.figures.acc=results.acc", "commands.mine.errors.acc=results.se")
        run = Run.create(tiny_config("rounds=0", "evaluate.also=[mine]", line, program, *figures, *more))
        finish_round_without_it(run)
        run.begin(STAGE)
        return run

    return make


def finish_round_without_it(run: Run) -> None:
    also, run.config.evaluate.also = run.config.evaluate.also, []
    finish_round(run, 0, 10)
    run.config.evaluate.also = also


def test_its_figures_are_recorded_with_the_words_that_gave_them(prepared: Callable[..., Run]) -> None:
    run = prepared(WRITES)
    found = measure(run, STAGE, Progress())
    assert found["figures"] == {"acc": {"value": 0.5, "error": 0.1, "count": None}}
    written = json.loads((run.folder(STAGE) / found["json"]).read_text())
    assert written["read"] == str(run.model(0).resolve()) == found["command"][-2]
    run.finish(STAGE, found, 1.0)
    assert not run.owed()


def test_what_a_program_writes_beside_the_files_of_the_model_stays_out_of_the_run(
    prepared: Callable[..., Run],
) -> None:
    code = (
        "import json, pathlib, sys\n"
        "model = pathlib.Path(sys.argv[1]); text = (model / 'config.yaml').read_text()\n"
        "assert not (model / 'cache').exists() and not set('=,') & set(str(model)), model\n"
        "(model / 'cache').mkdir(); (model / 'cache' / 'predictions').write_text('a')\n"
        "json.dump({'results': {'acc': 0.5}, 'read': text}, open(sys.argv[2], 'w'))\n"
    )
    run = prepared(code, "commands.mine.errors.acc=null")
    run.config.commands["mine"].command = run.config.commands["mine"].command.replace("{checkpoint}", "{links}")
    model = run.model(0).resolve()
    before = sorted(model.iterdir())
    for _ in range(2):
        found = measure(run, STAGE, Progress())
    assert sorted(model.iterdir()) == before
    assert files.read_json(run.folder(STAGE) / found["json"])["read"] == (model / "config.yaml").read_text()
    assert str(model) in found["command"], "the links are gone"


def test_the_latest_file_of_a_folder_is_read_and_none_of_an_attempt_before(prepared: Callable[..., Run]) -> None:
    code = (
        "import json, os, pathlib, sys\n"
        "out = pathlib.Path(sys.argv[2]); (out / 'model').mkdir(parents=True)\n"
        "for age, acc in ((9, 0.1), (0, 0.7)):\n"
        "    path = out / 'model' / f'results_{age}.json'; path.write_text(json.dumps({'results': {'acc': acc}}))\n"
        "    os.utime(path, (1e9 - age, 1e9 - age))\n"
        "(out / 'samples.json').write_text('[]')\n"
    )
    run = prepared(code, "commands.mine.json=**/results_*.json")
    stale = run.folder(STAGE) / "out" / "model"
    stale.mkdir(parents=True)
    (stale / "results_later.json").write_text('{"results": {"acc": 0.9}}')
    found = measure(run, STAGE, Progress())
    assert found["figures"] == {"acc": {"value": 0.7, "error": None, "count": None}}


@pytest.mark.parametrize(
    ("code", "more", "message", "hint"),
    [
        ("import sys; print('no\\nmemory'); sys.exit(3)", (), "exited with 3\n    no\n    memory", "command.log"),
        ("import os; os.kill(os.getpid(), 11)", (), "was killed by signal SIGSEGV", "command.log"),
        ("import time; time.sleep(60)", ("commands.mine.minutes=0.003",), "stopped after 0.003 minutes", "minutes="),
        ("", (), "without a file **/*.json in {out}: it wrote nothing", "commands.mine.json"),
        ("import os, sys; os.mkdir(sys.argv[2]); open(sys.argv[2] + '/a.txt', 'w')", (), "it wrote a.txt", ""),
        ("import sys; open(sys.argv[2], 'w').write('acc: 1')", (), "is no JSON", "must write JSON"),
        (WRITES.replace("'acc'", "'acc_norm'"), (), "has no results.acc", "nearest first: results.acc_norm"),
        (WRITES.replace("0.5", "'0.5'"), (), 'results.acc in out is "0.5", and not a number', "path of a number"),
    ],
)
def test_what_goes_wrong_is_said(
    code: str, more: tuple[str, ...], message: str, hint: str, prepared: Callable[..., Run]
) -> None:
    run = prepared(code, *more)
    with pytest.raises(CommandError) as caught:
        measure(run, STAGE, Progress())
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert not run.done(STAGE)


def test_a_program_that_is_not_there_is_named_before_anything_is_run(
    tiny_config: Make, prepared: Callable[..., Run]
) -> None:
    missing = ("commands.mine.command=no_such_harness {checkpoint} {out}", "commands.mine.figures.acc=a")
    run = Run.create(tiny_config("rounds=1", "evaluate.also=[mine]", *missing))
    with pytest.raises(CommandError, match="mine: there is no program no_such_harness here"):
        backend.here(run.config).check(run)
    other = prepared(WRITES, "commands.mine.program=/no/such/python")
    with pytest.raises(CommandError, match="no program /no/such/python") as caught:
        measure(other, STAGE, Progress())
    assert "commands.mine.program=PATH" in caught.value.hint
