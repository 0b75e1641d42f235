"""Sequences as prefix trees: nothing is lost, nothing sees what it must not, losses and gradients are the same."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import checkpoint_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import flex_attention
from trainable import SETTINGS, example
from transformers import AutoConfig, PreTrainedModel

from tpt import records
from tpt.errors import TptError
from tpt.progress import Progress
from tpt.records import Example
from tpt.settings.train import LoraConfig
from tpt.train.attention import FLEX, _takes_flex, mask, packing, resolve
from tpt.train.data import Batch, collate
from tpt.train.fit import fit, load
from tpt.train.module import CompletionLoss
from tpt.train.tree import Packing, plant

ONE_TREE = Packing()  # attention costs nothing, so that all sequences go into one row
SHOTS = [random.Random(9).randrange(3, 500) for _ in range(40)]  # that all prompts begin with
MODELS = ["llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "olmo2", "granite", "cohere"]

tokens = st.lists(st.integers(0, 2), min_size=1, max_size=8)  # few, so that many sequences begin alike
packings = st.builds(Packing, st.sampled_from([0.0, 0.01, 0.1, 1.0]), st.sampled_from([1, 4]))


def few_shot() -> list[Example]:
    """Examples after the same worked ones, two of them of one problem, one of which goes on as the other begins."""
    some = [replace(one, prompt_ids=SHOTS + one.prompt_ids) for one in (example(i, 3 + i, 9 - i) for i in range(4))]
    again = replace(some[1], completion_ids=[*some[1].completion_ids[:3], 7, 2])
    return [*some, again, replace(some[1], completion_ids=[*some[1].completion_ids, 9, 2])]


@settings(deadline=None)
@given(st.lists(tokens, min_size=1, max_size=8), packings | st.none())
def test_every_sequence_is_in_a_tree_and_its_tokens_see_what_comes_before_them_alone(
    sequences: list[list[int]], how: Packing | None
) -> None:
    trees, order = plant(sequences, how)
    paths = [(tree, path) for tree in trees for path in tree.paths]
    assert sorted(order) == list(range(len(sequences)))
    for number, (tree, path) in zip(order, paths, strict=True):
        assert [tree.ids[place] for place in path] == sequences[number]
        assert [tree.positions[place] for place in path] == list(range(len(path)))
        for depth, place in enumerate(path):
            seen = [other for other in range(len(tree.ids)) if other <= place < tree.ends[other]]
            assert seen == path[: depth + 1]


@given(st.lists(tokens, min_size=1, max_size=8))
def test_one_tree_holds_what_sequences_begin_with_once(sequences: list[list[int]]) -> None:
    trees, _ = plant(sequences, ONE_TREE)
    beginnings = {tuple(one[: end + 1]) for one in sequences for end in range(len(one))}
    assert [len(tree.ids) for tree in trees] == [len(beginnings)]


@given(st.lists(tokens, min_size=1, max_size=8), packings)
def test_no_number_of_rows_costs_more_than_a_row_for_each(sequences: list[list[int]], how: Packing) -> None:
    def cost(packed: Packing | None) -> float:
        widths = [len(tree.ids) for tree in plant(sequences, packed)[0]]
        return how.cost(len(widths), -(-max(widths) // how.multiple) * how.multiple)

    assert cost(how) <= cost(None)


def test_where_attention_is_dear_problems_are_kept_apart_and_their_solutions_together() -> None:
    def rows(prompt: int, completion: int, pair: float) -> int:
        problems = [[problem] * prompt for problem in range(4)]
        sequences = [problem + [10 + solution] * completion for problem in problems for solution in range(4)]
        return len(plant(sequences, Packing(pair))[0])

    assert rows(50, 20, pair=0.0) == 1
    assert rows(50, 20, pair=0.01) == 4
    assert rows(10, 50, pair=0.01) == 16


def test_a_row_that_is_shared_is_no_wider_than_memory_allows() -> None:
    sequences = [[1] * 50 + [10 + solution] * 20 for solution in range(8)]
    for widest, expected in ((300, 210), (150, 130), (60, 70)):
        trees, _ = plant(sequences, Packing(widest=widest))
        assert max(len(tree.ids) for tree in trees) == expected, "what is wider by itself is alone in its row"


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", MODELS)
def test_packed_is_as_unpacked_in_logits_and_gradients(
    kind: str, attention: str, tiny_model: Path, tmp_path: Path
) -> None:
    folder = checkpoint_of(kind, tiny_model, tmp_path / "start", window=4096)
    model, _ = load(folder, replace(SETTINGS, attention=attention))
    assert model.config._attn_implementation == attention
    packed, apart = collate(few_shot(), 0, ONE_TREE), collate(few_shot(), 0)
    assert packed["input_ids"].shape[0] == 1
    assert packed["input_ids"].numel() < apart["input_ids"].numel() / 3
    (logits, gradients), (expected, separate) = traced(model, packed), traced(model, apart)
    ours, theirs = (sorted(map(tuple, one.tolist())) for one in (logits, expected))
    torch.testing.assert_close(torch.tensor(ours), torch.tensor(theirs), rtol=1e-4, atol=1e-5)
    for name, gradient in separate.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()))


def traced(model: PreTrainedModel, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The logits of a batch's labelled tokens, and the gradients of its loss."""
    model.zero_grad()
    found: list[torch.Tensor] = []
    hook = model.register_forward_hook(lambda _, given, out: found.append(out.logits[0].detach()))
    CompletionLoss(model)(**batch).backward()
    hook.remove()
    return found[0], {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


def test_what_lies_beside_a_sequence_in_its_row_is_not_seen(tiny_model: Path) -> None:
    model, _ = load(tiny_model, SETTINGS)
    beside = example(1, 5, 4)
    found = []
    for other in (beside, replace(beside, prompt_ids=[*beside.prompt_ids[:1], 9, 8, 7, 6])):
        rows = [example(0, 5, 4), other, example(2, 5, 4)]
        batch = collate(rows, 0, ONE_TREE)
        assert batch["input_ids"].shape == (1, 27)
        logits, _ = traced(model, batch)
        first = sorted(range(3), key=lambda one: rows[one].prompt_ids).index(1) * 4
        found.append((torch.cat([logits[:first], logits[first + 4 :]]), logits[first : first + 4]))
    torch.testing.assert_close(found[0][0], found[1][0])
    assert not torch.allclose(found[0][1], found[1][1]), "its own tokens do matter"


@pytest.mark.parametrize(
    "changes", [{"gradient_checkpointing": True}, {"lora": LoraConfig(rank=2)}], ids=["blocks computed anew", "lora"]
)
def test_packing_holds_with(changes: dict[str, Any], tiny_model: Path) -> None:
    model, _ = load(tiny_model, replace(SETTINGS, **changes))
    (_, gradients), (_, separate) = (traced(model, collate(few_shot(), 0, how)) for how in (ONE_TREE, None))
    assert gradients
    for name, gradient in separate.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()))


def test_a_training_does_not_depend_on_packing(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "examples.parquet"
    records.write(path, Example, few_shot() * 2)
    said, computed = [], []
    for share in (True, False):
        tokens: list[int] = []
        with torch.nn.modules.module.register_module_forward_hook(
            lambda module, given, _, tokens=tokens: (
                tokens.append(given[0].numel()) if isinstance(module, torch.nn.Embedding) else None
            )
        ):
            config = replace(SETTINGS, share_prefix=share)
            said.append(fit(tiny_model, path, tmp_path / str(share), config, 0, 512, Progress()))
        computed.append(sum(tokens))
    assert computed[0] < 0.7 * computed[1], "what examples begin with was computed once a batch"
    assert said[0]["label_tokens"] == said[1]["label_tokens"]
    assert said[0]["final_loss"] == pytest.approx(said[1]["final_loss"], rel=1e-4)


def test_flex_attention_is_refused_where_it_cannot_be_trained_with(tiny_model: Path, tmp_path: Path) -> None:
    records.write(tmp_path / "examples.parquet", Example, few_shot())
    config = replace(SETTINGS, attention="flex")
    with pytest.raises(TptError, match=r"(?s)only on a GPU.*train\.attention=auto"):
        fit(tiny_model, tmp_path / "examples.parquet", tmp_path / "out", config, 0, 512, Progress())


@pytest.mark.parametrize(
    ("kind", "extra", "packed"),
    [
        ("llama", {}, True),
        ("mistral", {"sliding_window": 64}, True),
        ("mistral", {"sliding_window": 50}, False),
        ("gemma2", {"sliding_window": 50}, False),
    ],
)
def test_a_model_that_looks_back_only_so_far_takes_longer_sequences_row_by_row(
    kind: str, extra: dict[str, Any], packed: bool, tiny_model: Path, tmp_path: Path
) -> None:
    model, _ = load(checkpoint_of(kind, tiny_model, tmp_path / "start", **extra), SETTINGS)
    assert (packing(model, longest=60) is not None) is packed


def test_a_model_that_caps_its_scores_is_not_trained_with_an_attention_that_leaves_that_out(
    tiny_model: Path, tmp_path: Path
) -> None:
    sharp = {"attn_logit_softcapping": 0.1, "initializer_range": 0.5}
    capped = checkpoint_of("gemma2", tiny_model, tmp_path / "start", **sharp)
    assert resolve("auto", AutoConfig.from_pretrained(capped)) == "eager"
    assert resolve("auto", AutoConfig.from_pretrained(tiny_model)) == "sdpa"
    losses = {}
    for name in ("auto", "eager", "sdpa"):
        model, _ = load(capped, replace(SETTINGS, attention=name))
        losses[name] = CompletionLoss(model)(**collate(few_shot(), 0)).item()
    assert losses["auto"] == pytest.approx(losses["eager"])
    assert losses["auto"] != pytest.approx(losses["sdpa"], rel=1e-3)


def test_flex_attention_sees_the_same(tiny_model: Path) -> None:
    """Forward only, and not compiled: PyTorch has no more of it on a CPU."""
    found = collate(few_shot(), 0, Packing(multiple=128))["ends"]
    assert found is not None
    ends = found.repeat(2, 1)
    query, key, value = torch.randn(3, 2, 2, ends.shape[1], 16, generator=torch.Generator().manual_seed(0))
    flexible = flex_attention(query, key, value, block_mask=mask(ends, FLEX, torch.float32))
    seen = mask(ends, "sdpa", torch.float32)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
    torch.testing.assert_close(flexible, expected, rtol=1e-4, atol=1e-5)


def test_a_model_takes_trees_with_flex_attention(tiny_model: Path) -> None:
    batch = collate(few_shot(), 0, Packing(multiple=128))
    assert batch["input_ids"].shape == (1, 128)
    found = []
    with torch.no_grad():
        for attention in ("flex", "sdpa"):
            model, _ = load(tiny_model, replace(SETTINGS, attention=attention))
            found.append(float(CompletionLoss(model)(**batch)))
    assert packing(load(tiny_model, replace(SETTINGS, attention="flex"))[0], 60) == Packing(multiple=128, masked=True)
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_under_flex_attention_even_a_lone_sequence_has_our_mask(tiny_model: Path) -> None:
    """transformers' own would be compiled anew, again and again."""
    rows = few_shot()[:1]
    assert collate(rows, 0, Packing(multiple=128))["ends"] is None
    masked = collate(rows, 0, Packing(multiple=128, masked=True))
    assert masked["ends"] is not None and masked["position_ids"] is not None
    assert masked["ends"].shape == masked["position_ids"].shape == (1, 128)
    model, _ = load(tiny_model, replace(SETTINGS, attention="flex"))
    plain, _ = load(tiny_model, SETTINGS)
    with torch.no_grad():
        found, expected = float(CompletionLoss(model)(**masked)), float(CompletionLoss(plain)(**collate(rows, 0)))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("kind", "extra", "taken"), [("llama", {}, True), ("llama", {"attention_dropout": 0.1}, False)]
)
def test_flex_attention_is_for_models_that_drop_nothing_out(kind: str, extra: dict[str, Any], taken: bool) -> None:
    assert _takes_flex(AutoConfig.for_model(kind, **extra)) is taken


def test_flex_attention_is_for_models_that_know_it() -> None:
    assert not _takes_flex(AutoConfig.for_model("mamba2"))
