"""Fine-tuning: what is trained on, that batching does not matter, that an interruption does not either."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from architectures import checkpoint_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning.callbacks import Callback
from trainable import SETTINGS, example
from transformers import AutoModelForCausalLM, AutoTokenizer

from tpt import files, interrupt, records
from tpt.artefacts import Trained
from tpt.errors import DataError, ModelError, TptError
from tpt.progress import Progress
from tpt.records import Example
from tpt.settings.train import LoraConfig, TrainConfig
from tpt.train import fit as fit_module
from tpt.train.data import ExampleModule, Examples, _Fetch, collate, plan
from tpt.train.export import export
from tpt.train.fit import fit, load
from tpt.train.module import FineTuning
from tpt.train.tree import Packing

CONTEXT = 2048


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """Twelve examples of unequal lengths."""
    path = tmp_path / "examples.parquet"
    records.write(path, Example, [example(i, 3 + i, 2 + (5 * i) % 11) for i in range(12)])
    return path


Train = Callable[..., Trained]


@pytest.fixture
def train(tiny_model: Path, examples: Path, tmp_path: Path) -> Train:
    def run(name: str, config: TrainConfig = SETTINGS) -> Trained:
        return fit(tiny_model, examples, tmp_path / name, config, 7, CONTEXT, Progress())

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).state_dict())


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in files.read_jsonl(folder / "metrics.jsonl")]


def test_only_the_completion_is_labelled_and_its_end_token_too() -> None:
    rows = [example(0, 3, 2), example(1, 2, 5)]
    batch = collate(rows, pad_id=0)
    assert batch["labels"].tolist() == rows[0].completion_ids + rows[1].completion_ids
    assert batch["labels"][1] == 2
    assert batch["input_ids"][1].tolist() == rows[1].prompt_ids + rows[1].completion_ids
    assert batch["input_ids"][0].tolist()[5:] == [0, 0]
    before = batch["input_ids"].flatten()[batch["sources"]].tolist()
    assert before == [id for row in rows for id in (row.prompt_ids + row.completion_ids)[len(row.prompt_ids) - 1 : -1]]


def test_a_completion_without_a_prompt_is_predicted_from_its_second_token_on() -> None:
    batch = collate([Example("p", "self", 1, [], [5, 6, 2], "")], pad_id=0)
    assert (batch["labels"].tolist(), batch["sources"].tolist()) == ([6, 2], [0, 1])


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 5),
)
def test_an_epoch_holds_every_example_once_and_each_step_knows_its_tokens(
    sizes: list[tuple[int, int]], batch_size: int, micro_batch: int, ranks: int, seed: int
) -> None:
    labels = [label for _, label in sizes]
    lengths = [a + b for a, b in sizes]
    planned = plan(lengths, labels, batch_size, micro_batch, ranks, seed)
    assert sorted(index for batch in planned for index in batch.indices) == list(range(len(sizes)))
    accumulate = -(-batch_size // (micro_batch * ranks))
    per_step = accumulate * ranks
    assert len(planned) % per_step == 0
    steps = [planned[start : start + per_step] for start in range(0, len(planned), per_step)]
    for step in steps:
        assert {batch.step_tokens for batch in step} == {sum(labels[i] for batch in step for i in batch.indices)}
        assert all(len(batch.indices) <= micro_batch for batch in step)
    # What makes a step is the same however it is split up.
    whole = plan(lengths, labels, batch_size, batch_size, 1, seed)
    assert [sorted(i for batch in step for i in batch.indices) for step in steps] == [sorted(b.indices) for b in whole]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 99), st.integers(0, 4)), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(0, 3),
)
def test_grouped_examples_lie_together(rows: list[tuple[int, int]], batch_size: int, seed: int) -> None:
    lengths, groups = [length for length, _ in rows], [group for _, group in rows]
    steps = plan(lengths, lengths, batch_size, batch_size, 1, seed, groups)
    assert sorted(index for step in steps for index in step.indices) == list(range(len(rows)))
    for group in groups:
        holding = [step for step in steps if any(groups[index] == group for index in step.indices)]
        count = groups.count(group)
        assert len(holding) <= (count - 1) // batch_size + 2, "cut where a step is full and nowhere else"


def test_an_example_that_is_alone_in_its_group_is_where_it_would_be_without_groups() -> None:
    lengths = [(7 * one) % 31 + 2 for one in range(50)]
    assert plan(lengths, lengths, 4, 2, 1, 3, list(range(50))) == plan(lengths, lengths, 4, 2, 1, 3)


def test_solutions_of_one_problem_share_its_prompt_where_they_are_grouped(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "examples.parquet"
    problems = [example(number, 40, 4) for number in range(8)]
    rows = [replace(one, completion_ids=[solution, 5, 2]) for solution in (7, 8, 9, 10) for one in problems]
    records.write(path, Example, rows)
    computed = []
    for group in (False, True):
        config = replace(SETTINGS, batch_size=8, group_problems=group)
        data = ExampleModule(Examples(path, CONTEXT), config, 0, 0, Packing())
        fetched = [_Fetch(data.examples, 0, Packing())[batch] for batch in data.epoch(0)]
        computed.append(sum(batch["input_ids"].numel() for batch in fetched))
    assert computed[1] == 8 * (40 + 4 * 3)
    assert computed[0] > 2 * computed[1]


def test_padding_does_not_change_the_loss(tiny_model: Path, tmp_path: Path) -> None:
    model, _ = load(tiny_model, SETTINGS)
    module = FineTuning(model, SETTINGS, 1, tmp_path / "m.jsonl")
    rows = [example(0, 3, 4), example(1, 20, 9)]
    together = module.completion_nll(collate(rows, 0))
    apart = sum(module.completion_nll(collate([row], 0)) for row in rows)
    torch.testing.assert_close(together, apart)


@pytest.mark.parametrize(
    ("kind", "extra"),
    [
        ("llama", {}),
        ("gemma2", {"final_logit_softcapping": 0.5}),
        ("granite", {"logits_scaling": 4.0}),
        ("cohere", {"logit_scale": 3.0}),
    ],
)
def test_the_loss_is_that_of_the_whole_models_logits(
    kind: str, extra: dict[str, float], tiny_model: Path, tmp_path: Path
) -> None:
    """Whatever the model does to them after its output head, which some do."""
    model, _ = load(checkpoint_of(kind, tiny_model, tmp_path / "start", **extra), SETTINGS)
    batch = collate([example(0, 3, 4), example(1, 20, 9)], 0)
    ours = FineTuning(model, SETTINGS, 1, tmp_path / "m.jsonl").completion_nll(batch)
    logits = model(input_ids=batch["input_ids"]).logits.flatten(0, 1)
    expected = torch.nn.functional.cross_entropy(logits[batch["sources"]], batch["labels"], reduction="sum")
    torch.testing.assert_close(ours, expected)


def test_accumulated_micro_batches_equal_one_big_batch(train: Train, tmp_path: Path) -> None:
    train("big", replace(SETTINGS, batch_size=12, epochs=3))
    train("small", replace(SETTINGS, batch_size=12, micro_batch=1, epochs=3))
    # AdamW's first steps have the size of the learning rate whatever the gradient's: rounding shows where it is tiny.
    for name, tensor in weights(tmp_path / "big" / "model").items():
        torch.testing.assert_close(tensor, weights(tmp_path / "small" / "model")[name], rtol=1e-4, atol=3e-5)
    assert losses(tmp_path / "big") == pytest.approx(losses(tmp_path / "small"), rel=1e-4)


InAProcess = Callable[..., int]
EPOCHS = 10  # of six steps: the signal comes after the third


@pytest.fixture
def in_a_process(warm_stages: None, monkeypatch: pytest.MonkeyPatch) -> InAProcess:
    """Train in a process of its own, which is sent a signal (0: none) once some steps are done."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)

    def run(model: Path, examples: Path, out: Path, config: TrainConfig, number: int = 0) -> int:
        given = {field.name: getattr(config, field.name) for field in fields(config) if field.name != "lora"}
        words = [str(model), str(examples), str(out), json.dumps(given), str(number)]
        return subprocess.run([sys.executable, "-m", "fit_process", *words], check=False, timeout=300).returncode

    return run


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gemma3"])
def test_two_ranks_equal_one_with_the_same_global_batch(
    kind: str, tiny_model: Path, examples: Path, tmp_path: Path, in_a_process: InAProcess
) -> None:
    """Also where a model has weights that text does not go through."""
    start = checkpoint_of(kind, tiny_model, tmp_path / "start")
    config = replace(SETTINGS, batch_size=4)
    fit(start, examples, tmp_path / "one", config, 7, CONTEXT, Progress())
    assert in_a_process(start, examples, tmp_path / "two", replace(config, devices=2, strategy="ddp")) == 0
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "two"), rel=1e-5)
    for name, tensor in weights(tmp_path / "one" / "model").items():
        torch.testing.assert_close(tensor, weights(tmp_path / "two" / "model")[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gemma2", "mixtral"])
def test_sharded_over_two_ranks_equals_one(
    kind: str, tiny_model: Path, examples: Path, tmp_path: Path, in_a_process: InAProcess
) -> None:
    """With embeddings tied to the output head, rows that two ranks cannot share equally, worked examples, and experts
    that are one tensor in memory and many in the file."""
    start = checkpoint_of(kind, tiny_model, tmp_path / "start", window=4096, tie_word_embeddings=True)
    shots = list(range(3, 43))
    some = [replace(one, prompt_ids=shots + one.prompt_ids) for one in records.read(examples, Example)]
    records.write(examples, Example, some)
    config = replace(SETTINGS, batch_size=4, epochs=2, gradient_checkpointing=True)
    fit(start, examples, tmp_path / "one", config, 7, CONTEXT, Progress())
    assert in_a_process(start, examples, tmp_path / "two", replace(config, devices=2, strategy="fsdp")) == 0
    assert losses(tmp_path / "one") == pytest.approx(losses(tmp_path / "two"), rel=1e-4)
    one, two = weights(tmp_path / "one" / "model"), weights(tmp_path / "two" / "model")
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({}, signal.SIGUSR2),
        ({}, signal.SIGTERM),
        ({"devices": 2, "strategy": "ddp"}, signal.SIGUSR2),
        ({"devices": 2, "strategy": "fsdp"}, signal.SIGUSR2),
    ],
    ids=["alone", "alone, SIGTERM", "two ranks, one of which gets it", "sharded"],
)
def test_a_signal_leaves_a_checkpoint_from_which_training_goes_on_bit_for_bit(
    tiny_model: Path,
    examples: Path,
    tmp_path: Path,
    in_a_process: InAProcess,
    changes: dict[str, Any],
    number: int,
) -> None:
    """With dropout too."""
    start = checkpoint_of("llama", tiny_model, tmp_path / "start", attention_dropout=0.2)
    config = replace(SETTINGS, epochs=EPOCHS, checkpoint_every=100_000, **changes)
    assert in_a_process(start, examples, tmp_path / "calm", config) == 0
    stopped = tmp_path / "stopped"
    # Where Lightning has started the other ranks, it may kill rank 0 when they end first; the checkpoint is there.
    assert in_a_process(start, examples, stopped, config, number) in (interrupt.EXIT_INTERRUPTED, -signal.SIGKILL)
    [checkpoint] = (stopped / "checkpoints").iterdir()
    done = len(losses(stopped))
    assert 3 <= done < EPOCHS * 6
    assert checkpoint.name == f"step={done}.ckpt"
    assert in_a_process(start, examples, stopped, config) == 0
    assert losses(stopped) == losses(tmp_path / "calm")
    for name, tensor in weights(tmp_path / "calm" / "model").items():
        assert torch.equal(tensor, weights(stopped / "model")[name])


class Stop(Callback):
    """Interrupts a training after some optimizer steps, as Ctrl-C would."""

    def __init__(self, after: int) -> None:
        self.after = after

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self.after:
            raise KeyboardInterrupt


def stopped_at(train: Train, monkeypatch: pytest.MonkeyPatch, step: int, name: str, config: TrainConfig) -> None:
    """Begin a training that is interrupted after some steps."""
    made = fit_module._trainer

    def stopping(*arguments: Any) -> pl.Trainer:
        trainer = made(*arguments)
        trainer.callbacks.append(Stop(step))  # type: ignore[attr-defined]  # a list at run time
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "_trainer", stopping)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train(name, config)


@pytest.mark.parametrize("micro_batch", [2, 1])
@pytest.mark.parametrize("stop", [1, 2, 3, 5, 6])
def test_an_interrupted_training_goes_on_to_the_same_loss_curve_and_weights(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int, micro_batch: int
) -> None:
    """With dropout too: the adapters see other numbers in each step, and the same ones when a step is done again."""
    lora = LoraConfig(rank=4, dropout=0.3)
    config = replace(SETTINGS, epochs=2, micro_batch=micro_batch, checkpoint_every=2, lora=lora)
    train("calm", config)
    stopped_at(train, monkeypatch, stop, "stopped", config)
    assert not (tmp_path / "stopped" / "model").exists()
    train("stopped", config)
    assert losses(tmp_path / "stopped") == losses(tmp_path / "calm")
    for name, tensor in weights(tmp_path / "calm" / "model").items():
        assert torch.equal(tensor, weights(tmp_path / "stopped" / "model")[name])


@pytest.mark.parametrize(("asked", "epochs"), [(4, 1), (6, 1), (9, 2)])
def test_a_training_of_so_many_steps_goes_through_the_examples_as_often_as_it_takes(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, epochs: int
) -> None:
    """Steps of an unfinished epoch count too; a training that is stopped in the second epoch continues in it."""
    config = replace(SETTINGS, steps=asked, schedule="constant", warmup=0.0)
    train("steps", config)
    train("epochs", replace(config, steps=None, epochs=epochs))
    assert len(losses(tmp_path / "steps")) == asked
    longer = sorted([losses(tmp_path / "steps"), losses(tmp_path / "epochs")], key=len)
    assert longer[0] == longer[1][: len(longer[0])]
    if asked > 8:
        stopped_at(train, monkeypatch, 8, "stopped", config)
        train("stopped", config)
        assert losses(tmp_path / "stopped") == losses(tmp_path / "steps")


@pytest.mark.slow
def test_only_the_newest_checkpoint_of_an_interrupted_training_stays(
    tiny_model: Path, examples: Path, tmp_path: Path, in_a_process: InAProcess
) -> None:
    config = replace(SETTINGS, epochs=3 * EPOCHS, checkpoint_every=100_000)
    for _ in range(3):
        out = tmp_path / "stopped"
        (out / "metrics.jsonl").unlink(missing_ok=True)  # the signal comes when there are three lines
        assert in_a_process(tiny_model, examples, out, config, signal.SIGUSR2) == interrupt.EXIT_INTERRUPTED
    kept = sorted(path.name for path in (tmp_path / "stopped" / "checkpoints").iterdir())
    assert len(kept) == 1
    assert (tmp_path / "stopped" / "metrics.jsonl").exists()


@pytest.mark.parametrize(("before", "after"), [(None, 1), (1, None), (1, 2)])
def test_a_training_that_ran_out_of_memory_goes_on_with_smaller_micro_batches(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None, after: int | None
) -> None:
    config = replace(SETTINGS, batch_size=5, epochs=4, checkpoint_every=1)
    train("calm", config)
    made = fit_module._trainer

    def stopping(*arguments: Any) -> pl.Trainer:
        trainer = made(*arguments)
        trainer.callbacks.append(Stop(5))  # type: ignore[attr-defined]  # a list at run time
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(fit_module, "_trainer", stopping)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            train("stopped", replace(config, micro_batch=before))
    assert len(losses(tmp_path / "stopped")) == 5
    train("stopped", replace(config, micro_batch=after))
    assert losses(tmp_path / "stopped") == pytest.approx(losses(tmp_path / "calm"), rel=1e-4)


def test_a_torn_checkpoint_is_not_used(train: Train, tmp_path: Path) -> None:
    torn = tmp_path / "run" / "checkpoints" / "step=3.ckpt"
    torn.parent.mkdir(parents=True)
    torn.write_bytes(b"PK\x03\x04 half of it")
    assert train("run")["steps"] == 6


def test_the_export_computes_what_the_model_in_memory_computed(
    tiny_model: Path, examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = torch.tensor([[5, 9, 200, 31]])
    for name, config in (
        ("full", SETTINGS),
        ("lora", replace(SETTINGS, lora=LoraConfig(rank=4, alpha=8), learning_rate=1e-2)),
        ("bf16", replace(SETTINGS, precision="bf16-true")),
    ):
        seen: list[torch.Tensor] = []
        exported = export

        def spy(model: Any, *rest: Any, seen: list[torch.Tensor] = seen, exported: Any = exported) -> None:
            with torch.no_grad():
                seen.append(model.eval()(input_ids=ids).logits)
            exported(model, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(fit_module, "export", spy)
            fit(tiny_model, examples, tmp_path / name, config, 7, CONTEXT, Progress())
        loaded = AutoModelForCausalLM.from_pretrained(tmp_path / name / "model", dtype="auto")
        with torch.no_grad():
            assert torch.equal(loaded(input_ids=ids).logits, seen[0])
            start = AutoModelForCausalLM.from_pretrained(tiny_model)(input_ids=ids).logits
            assert not torch.allclose(start, seen[0].float(), atol=1e-3)
        assert AutoTokenizer.from_pretrained(tmp_path / name / "model").chat_template


def test_gradient_checkpointing_gives_the_same_gradients(tiny_model: Path, tmp_path: Path) -> None:
    gradients = []
    for flag in (False, True):
        config = replace(SETTINGS, gradient_checkpointing=flag)
        model, _ = load(tiny_model, config)
        FineTuning(model, config, 1, tmp_path / "m").completion_nll(collate([example(0, 9, 9)], 0)).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_each_micro_batch_drops_out_something_else_and_always_the_same(tiny_model: Path, tmp_path: Path) -> None:
    model, _ = load(checkpoint_of("llama", tiny_model, tmp_path / "start", attention_dropout=0.5), SETTINGS)
    batch = collate([example(0, 9, 9)], 0)
    module = FineTuning(model, SETTINGS, 9, tmp_path / "m", seed=1)
    other = FineTuning(model, SETTINGS, 9, tmp_path / "m", seed=2)

    def losses_of(module: FineTuning, *steps: int) -> list[float]:
        found = []
        for step in steps:
            module._seed_dropout(step)
            found.append(module.completion_nll(batch).item())
        return found

    first = losses_of(module, 0, 1, 2)
    assert len({*first, *losses_of(other, 0, 1, 2)}) == 6
    assert losses_of(module, 2, 0, 1) == [first[2], first[0], first[1]]


def test_the_learning_rate_warms_up_and_falls_to_nothing(tiny_model: Path, tmp_path: Path) -> None:
    model, _ = load(tiny_model, SETTINGS)
    cosine = FineTuning(model, replace(SETTINGS, warmup=0.1), 100, tmp_path / "m")
    assert [cosine.learning_rate_factor(step) for step in (0, 4, 9, 10)] == pytest.approx([0.1, 0.5, 1.0, 1.0])
    assert cosine.learning_rate_factor(55) == pytest.approx(0.5)
    assert cosine.learning_rate_factor(100) == pytest.approx(0.0)
    constant = FineTuning(model, replace(SETTINGS, schedule="constant"), 100, tmp_path / "m")
    assert constant.learning_rate_factor(99) == 1.0


def test_too_long_examples_are_left_out_and_counted(train: Train) -> None:
    result = train("run", replace(SETTINGS, max_length=15))
    assert result["examples_left_out"] > 0
    assert result["examples"] + result["examples_left_out"] == 12


def test_nothing_to_train_on_is_an_error(train: Train) -> None:
    with pytest.raises(DataError, match="none of the 12 examples fits into 2 tokens"):
        train("run", replace(SETTINGS, max_length=2))


def test_a_folder_without_weights_is_an_error(tiny_model: Path, examples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "config.json").write_text((tiny_model / "config.json").read_text())
    with pytest.raises(ModelError, match="weights"):
        fit(folder, examples, tmp_path / "out", SETTINGS, 0, CONTEXT, Progress())


def test_a_loss_that_is_no_number_stops_the_training(train: Train, tmp_path: Path) -> None:
    with pytest.raises(TptError, match="the training loss is"):
        train("run", replace(SETTINGS, learning_rate=1e30, clip=0.0))
    assert not (tmp_path / "run" / "model").exists()


def test_nothing_is_written_outside_the_stages_folder(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    train("run")
    assert not list(elsewhere.iterdir())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["metrics.jsonl", "model"]
