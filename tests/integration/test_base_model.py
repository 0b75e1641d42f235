"""A base model through the whole loop: plain-text prompts, cut before a stop string, trained to end by itself."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from tpt import files, records
from tpt.artefacts import Evaluated
from tpt.cli import main
from tpt.records import Example, Sample
from tpt.runs.folder import Run, find
from tpt.runs.stage import Stage


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> Path:
    """A checkpoint without a chat template that never ends a completion by itself."""
    folder = tmp_path / "base"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = files.read_json(folder / "tokenizer_config.json")
    config.pop("chat_template", None)
    files.write_json(folder / "tokenizer_config.json", config)
    return folder


def samples(run: Run, stage: Stage) -> list[Sample]:
    return list(records.read(records.shards(run.folder(stage), "samples"), Sample))


@pytest.mark.slow
def test_a_first_round_teaches_a_base_model_to_end_by_itself(
    base: Path, tiny_command: Callable[..., list[str]], tmp_path: Path
) -> None:
    stop = "[e,a,s]"
    options = ("model.source=hub", "model.name=base", f"model.path={base}", "task.few_shot=2", "train.epochs=20")
    sizes = ("think.samples_per_problem=8", "train.batch_size=8", "prune.per_problem=0", "prune.keep_cut_off=false")
    limits = (f"think.stop={stop}", f"evaluate.stop={stop}", "think.max_tokens=24", "evaluate.max_tokens=24")
    assert main(tiny_command("rounds=1", *options, *sizes, *limits, "train.learning_rate=3e-3")) == 0
    [root] = find(tmp_path / "runs")
    run = Run.open(root)
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert tokenizer.chat_template is None

    drawn = {(one.problem_id, tuple(one.completion_ids)): one for one in samples(run, Stage(1, "think"))}
    examples = list(records.read(run.folder(Stage(1, "prune")) / "examples.parquet", Example))
    assert examples
    for one in examples:
        sample = drawn[one.problem_id, tuple(one.completion_ids)]
        assert sample.finish_reason in ("stop", "stop_string")
        assert one.completion_ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(one.completion_ids[:-1]) == sample.text
        assert not any(sign in sample.text for sign in "eas")

    before, after = (run.results(Stage(round, "evaluate"), Evaluated)["metrics"] for round in (0, 1))
    by_itself = [1 - one["cut_off"] - one.get("stopped", 0.0) for one in (before, after)]
    assert before["stopped"] > 0.5
    assert by_itself[1] > by_itself[0] + 0.2
    with (root / "report" / "table.csv").open() as table:
        [first, second] = list(csv.DictReader(table))
    assert float(first["stopped"]) == before["stopped"]
    assert float(second["stopped"] or 0) == after.get("stopped", 0.0)
    text = (root / "report" / "table.md").read_text()
    assert "ended by itself" in text and "stop string" in text


@pytest.mark.slow
def test_a_base_model_without_worked_examples_is_refused_before_it_samples(
    base: Path, tiny_command: Callable[..., list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("model.source=hub", "model.name=base", f"model.path={base}", "task.few_shot=0")
    assert main(tiny_command("rounds=1", *options)) == 1
    assert "there are no worked examples (task.few_shot=0)" in " ".join(capsys.readouterr().err.split())
