"""What `--json` prints: objects with the keys that the command's help names."""

import json
import re
from pathlib import Path

import pytest

from tpt import commands, files
from tpt.cli import main
from tpt.runs.folder import Run
from tpt.runs.stage import Stage
from tpt.sweep import Sweep

Captured = pytest.CaptureFixture[str]


def documented(command: str) -> set[str]:
    """The keys that a command's help names, one a line or several."""
    help = commands.load()[command].epilog
    return {key for line in re.findall(r"(?m)^  ([a-z][a-z, ]*?)   ", help) for key in line.split(", ")}


def test_status_as_json_is_an_object_for_a_run_and_a_list_for_more(run: Run, capsys: Captured) -> None:
    run.manifest_path(Stage(1, "train")).unlink()
    assert main(["status", "--json", str(run.root)]) == 0
    shown, said = capsys.readouterr()
    one = json.loads(shown)
    assert said == ""
    assert set(one) == documented("status")
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
    assert set(report) == documented("report")
    assert [(row["run"], row["folder"], row["round"]) for row in report["rows"]] == [
        (run.name, str(run.root), 0),
        (run.name, str(run.root), 1),
    ]
    assert 0 < report["rows"][0]["strict_pass@1"] < 1
    assert report["rows"][0]["kept"] is None
    assert all(Path(path).is_file() for path in report["files"])
    assert [line.startswith("round 1, this checkpoint: ") for line in report["sentences"]] == [True]


def test_verdicts_as_json_are_counted_by_reader(tmp_path: Path, capsys: Captured) -> None:
    given, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    given.write_text('{"gold": "4", "completion": "#### 4"}\n{"gold": "4", "completion": "The answer is 5"}\n')
    assert main(["judge", str(given), "--out", str(out), "--json"]) == 0
    shown, said = capsys.readouterr()
    found = json.loads(shown)
    assert said == ""
    assert set(found) == documented("judge") - {"sandbox"}
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
