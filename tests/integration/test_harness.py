"""lm-evaluation-harness itself, on each round's tiny model, with a task whose data are in a file."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tpt import files
from tpt.cli import main
from tpt.runs.folder import Run, find

# It brings many packages along, so it is not one of those that the tests install.
LM_EVAL = os.environ.get("TPT_TEST_LM_EVAL") or shutil.which("lm_eval")

TASK = """
task: colours
dataset_path: json
dataset_kwargs:
  data_files: {data}
test_split: train
output_type: multiple_choice
doc_to_text: "Q: {{{{question}}}}\\nA:"
doc_to_choice: ["red", "blue"]
doc_to_target: "{{{{answer}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


@pytest.mark.slow
@pytest.mark.skipif(LM_EVAL is None, reason="lm_eval is not installed; TPT_TEST_LM_EVAL=PATH names it")
def test_lm_evaluation_harness_measures_every_round(
    tiny_command: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    rows = [{"question": f"What colour is thing {number}?", "answer": number % 2} for number in range(12)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tasks / "colours.yaml").write_text(TASK.format(data=tmp_path / "data.jsonl"))
    harness = (
        "+command@commands.colours=lm_eval",
        "commands.colours.task=colours",
        f"commands.colours.program={LM_EVAL}",
    )
    options = f"commands.colours.options=--include_path {tasks} --device cpu --batch_size 4"
    assert main(tiny_command("rounds=1", *harness, options, "evaluate.also=[colours]")) == 0
    [root] = find(tmp_path / "runs")
    assert not Run.open(root).owed()
    for round in (0, 1):
        [found] = files.read_json(root / f"round-{round:02d}/command-colours/manifest.json")["figures"].values()
        assert 0 <= found["value"] <= 1
        assert found["error"] > 0
    [base, row] = csv.DictReader((root / "report" / "table.csv").open())
    assert float(row["colours_acc_low"]) < float(row["colours_acc"]) < float(row["colours_acc_high"])
    assert row["colours_acc_gain_over_baseline"] != "" and base["colours_acc_gain_over_baseline"] == ""
    assert "(colours)" in capsys.readouterr().out
