"""Evaluation harnesses themselves, through their presets, on each round's tiny model: their data are in a file."""

import csv
import json
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from tpt.artefacts import Measured
from tpt.cli import main
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage

LIGHTEVAL = os.environ.get("TPT_TEST_LIGHTEVAL")  # the program: it cannot be installed beside omegaconf
ROWS = [{"question": f"What is {number} + 1?", "answer": number % 2} for number in range(12)]  # half of them " 1"
LM_EVAL_TASK = """
task: sums
dataset_path: json
dataset_kwargs:
  data_files: {folder}/test.jsonl
test_split: train
output_type: multiple_choice
doc_to_text: "Q: {{{{question}}}}\\nA:"
doc_to_choice: ["0", "1"]
doc_to_target: "{{{{answer}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""
LIGHTEVAL_TASK = """
from lighteval.metrics.metrics import Metrics
from lighteval.tasks.lighteval_task import LightevalTaskConfig
from lighteval.tasks.requests import Doc


def prompt(row, task_name):
    query = f"Q: {{row['question']}}\\nA:"
    return Doc(query=query, choices=[" 0", " 1"], gold_index=row["answer"], task_name=task_name)


TASKS_TABLE = [
    LightevalTaskConfig(
        name="sums",
        prompt_function=prompt,
        hf_repo={folder!r},
        hf_subset="default",
        hf_avail_splits=["test"],
        evaluation_splits=["test"],
        generation_size=4,
        metrics=[Metrics.loglikelihood_acc, Metrics.expr_gold_metric],
    )
]
"""


def lm_eval() -> Path | None:
    """The program of lm-evaluation-harness, if it is installed beside us."""
    try:
        installed = metadata.files("lm_eval") or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(one.locate())) for one in installed if one.name == "lm_eval" and "bin" in one.parts), None)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with the questions."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "test.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    return folder


def check(folder: Path, output: str) -> Run:
    """Check that every round of the run has a figure with its standard error, and that the report compares them."""
    [root] = find(folder)
    run = Run.open(root)
    assert not run.owed()
    for round in (0, 1):
        found = run.results(Stage(round, "command", "sums"), Measured)["figures"]["acc"]
        assert 0 <= found["value"] <= 1
        assert found["error"] is not None and found["error"] > 0
        assert not [path for path in run.model(round).iterdir() if path.is_dir()], "nothing is left beside the model"
    [base, row] = csv.DictReader((root / "report" / "table.csv").open())
    assert float(row["sums_acc_low"]) < float(row["sums_acc"]) < float(row["sums_acc_high"])
    assert row["sums_acc_gain_over_baseline"] != "" and base["sums_acc_gain_over_baseline"] == ""
    assert "(sums)" in output
    return run


@pytest.mark.slow
@pytest.mark.usefixtures("warm_stages")
@pytest.mark.skipif(lm_eval() is None, reason="lm_eval is not installed: pip install -e '.[dev]'")
def test_lm_evaluation_harness_measures_every_round(
    tiny_command: Callable[..., list[str]], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "sums.yaml").write_text(LM_EVAL_TASK.format(folder=data))
    harness = ("+command@commands.sums=lm_eval", "commands.sums.task=sums", f"commands.sums.program={lm_eval()}")
    options = f"commands.sums.options=--include_path {data} --device cpu --batch_size 4"
    assert main(tiny_command("rounds=1", *harness, options, "evaluate.also=[sums]")) == 0
    check(tmp_path / "runs", capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.usefixtures("warm_stages")
@pytest.mark.skipif(LIGHTEVAL is None, reason="needs an environment of its own; `make test-harness` makes it")
def test_lighteval_measures_every_round(
    tiny_command: Callable[..., list[str]], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "sums.py"
    tasks.write_text(LIGHTEVAL_TASK.format(folder=str(data)))
    harness = ("+command@commands.sums=lighteval", "commands.sums.task='sums|0'", f"commands.sums.program={LIGHTEVAL}")
    figures = ("commands.sums.metric=acc", "+commands.sums.figures.match='results.sums|0.extractive_match'")
    options = f"commands.sums.options=--custom-tasks {tasks}"
    assert main(tiny_command("rounds=1", *harness, *figures, options, "evaluate.also=[sums]")) == 0
    run = check(tmp_path / "runs", capsys.readouterr().out)
    for round in (0, 1):
        found = run.results(Stage(round, "command", "sums"), Measured)
        assert found["figures"].keys() == {"acc", "match"}
        assert f"model_name={run.model(round).resolve()},batch_size=8" in found["command"]
