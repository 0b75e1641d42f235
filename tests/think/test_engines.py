"""The engines against the plain way of sampling, and against each other."""

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import architectures
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from transformers import AutoModelForCausalLM, AutoTokenizer

from tpt.errors import ConfigError, EngineError, ModelError
from tpt.models import context_length
from tpt.probe import has_vllm
from tpt.prompt import Decoder
from tpt.settings.engine import resolve_engine
from tpt.settings.model import ModelConfig
from tpt.settings.sampler import SamplerConfig
from tpt.think.base import Completion, Draw, Prompt, Sampler, completed
from tpt.think.branching import common_prefix
from tpt.think.cache import BranchingCache
from tpt.think.engines import make_sampler
from tpt.think.pick import pick
from tpt.think.plain import Plain
from tpt.think.transformers import PICKING, TransformersSampler
from tpt.think.vllm import ENVIRONMENT, load

MODEL = ModelConfig(name="tiny-random", source="random", dtype="float32")
CONTEXT = 512
END = 2
GREEDY = Draw(n=1, temperature=0.0, top_p=1.0, max_tokens=12, end_ids=(END,))
WARM = Draw(n=3, temperature=1.0, top_p=1.0, max_tokens=12, end_ids=(END,))
VLLM = pytest.param(
    "vllm", marks=[pytest.mark.slow, pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")]
)


def prompts(count: int, shared: int = 20) -> list[Prompt]:
    """Prompts with a common beginning and ends of unequal length."""
    rng = random.Random(0)
    prefix = [rng.randrange(3, 500) for _ in range(shared)]
    return [
        Prompt(f"p{i}", prefix + [rng.randrange(3, 500) for _ in range(1 + 3 * (i % 5))], seed=100 * i)
        for i in range(count)
    ]


def engine(name: str, folder: Path, **extra: object) -> Sampler:
    config = SamplerConfig(engine=name, kv_cache_gib=0.5)
    for key, value in extra.items():
        setattr(config, key, value)
    return make_sampler(config, MODEL, folder, CONTEXT, seed=0)


@pytest.fixture(scope="module")
def transformers_engine(tiny_model: Path) -> Iterator[Sampler]:
    with engine("transformers", tiny_model) as sampler:
        yield sampler


@pytest.fixture(scope="module")
def vllm_engine(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sampler]:
    """One for all tests, since its start takes the longest, in a folder with a name that has to be escaped."""
    odd = tmp_path_factory.mktemp("models") / "ünd [x] *" / "it's [1]"  # vLLM looks for weights by a pattern
    shutil.copytree(tiny_model, odd)
    with engine("vllm", odd) as sampler:
        yield sampler


def drawn(sampler: Sampler, asked: list[Prompt], draw: Draw) -> dict[str, list[Completion]]:
    return {prompt.key: completions for prompt, completions in sampler.sample(asked, draw)}


def greedy(model: torch.nn.Module, ids: list[int], steps: int) -> list[int]:
    """The likeliest continuation, computed anew from the whole text at each step."""
    found: list[int] = []
    for _ in range(steps):
        with torch.no_grad():
            found.append(int(model(input_ids=torch.tensor([ids + found])).logits[0, -1].argmax()))
        if found[-1] == END:
            break
    return found


def test_temperature_0_gives_the_likeliest_continuation_of_each_prompt_alone(
    transformers_engine: Sampler, tiny_model: Path
) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    found = drawn(transformers_engine, prompts(12), GREEDY)
    for prompt in prompts(12):
        assert found[prompt.key][0].ids == greedy(model, prompt.ids, 12), prompt.key


def test_prompts_without_a_common_beginning_are_sampled_too(transformers_engine: Sampler, tiny_model: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    asked = [Prompt("a", [5, 6, 7], 0), Prompt("b", [9], 0)]
    found = drawn(transformers_engine, asked, GREEDY)
    for prompt in asked:
        assert found[prompt.key][0].ids == greedy(model, prompt.ids, 12)


def test_the_batch_a_problem_is_in_does_not_change_its_samples(tiny_model: Path) -> None:
    with (
        engine("transformers", tiny_model, max_num_seqs=64) as large,
        engine("transformers", tiny_model, max_num_seqs=3) as small,
    ):
        together = drawn(large, prompts(10), WARM)
        few = drawn(small, prompts(10), WARM)
        alone = drawn(large, prompts(10)[4:5], WARM)
    assert together == few
    assert together["p4"] == alone["p4"]


def test_the_plain_way_draws_the_same_samples_as_rows_that_branch(tiny_model: Path) -> None:
    with engine("transformers", tiny_model, max_num_seqs=8) as sampler:
        assert isinstance(sampler, TransformersSampler)
        branched = drawn(sampler, prompts(10), WARM)
        sampler._sampling = Plain(sampler._model, "sdpa")
        assert drawn(sampler, prompts(10), WARM) == branched


def test_prompts_computed_in_several_parts_give_the_same_samples(
    transformers_engine: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = drawn(transformers_engine, prompts(10), WARM)
    monkeypatch.setattr("tpt.think.branching.PREFILL", 3)
    assert drawn(transformers_engine, prompts(10), WARM) == at_once


def test_samples_of_a_problem_differ_and_another_seed_draws_others(transformers_engine: Sampler) -> None:
    first = drawn(transformers_engine, prompts(6), WARM)
    assert drawn(transformers_engine, prompts(6), WARM) == first
    other = [Prompt(one.key, one.ids, one.seed + 50_000) for one in prompts(6)]
    assert drawn(transformers_engine, other, WARM) != first
    assert all(len({tuple(one.ids) for one in completions}) > 1 for completions in first.values())


@pytest.mark.slow
@pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")
def test_vllm_turns_short_texts_of_a_longrope_model_as_training_does(tiny_model: Path, tmp_path: Path) -> None:
    rope = {"rope_type": "longrope", "short_factor": [1.0] * 16, "long_factor": [30.0] * 16, "rope_theta": 100.0}
    lengths = {"max_position_embeddings": 512, "original_max_position_embeddings": 64}
    longrope: dict[str, Any] = {"hidden_size": 128, "rope_parameters": rope, "sliding_window": None, **lengths}
    model = architectures.build("phi3", **longrope)
    folder = architectures.checkpoint_of("phi3", tiny_model, tmp_path, **longrope)
    context = context_length(folder, MODEL)
    asked = [Prompt(one.key, one.ids[:50], one.seed) for one in prompts(8, shared=40)]
    with make_sampler(SamplerConfig(engine="vllm", kv_cache_gib=0.5), MODEL, folder, context, seed=0) as sampler:
        found = drawn(sampler, asked, GREEDY)
    same = sum(found[one.key][0].ids == greedy(model, one.ids, 12) for one in asked)
    assert same >= 7  # two near-equal logits may be ordered either way


@pytest.mark.parametrize("name", ["transformers", VLLM])
def test_every_prompt_comes_back_once_with_n_completions_that_end_as_they_say(
    name: str, tiny_model: Path, request: pytest.FixtureRequest
) -> None:
    sampler: Sampler = request.getfixturevalue(f"{name}_engine")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    draw = Draw(n=4, temperature=1.5, top_p=1.0, max_tokens=60, end_ids=(END, 7))
    keys = []
    for prompt, completions in sampler.sample(iter(prompts(40)), draw):
        keys.append(prompt.key)
        assert len(completions) == 4
        for one in completions:
            ended = one.ids[-1] in draw.end_ids
            assert one.finish_reason == ("stop" if ended else "length")
            assert ended or len(one.ids) == 60
            assert not any(token in draw.end_ids for token in one.ids[:-1])
            words = one.ids[:-1] if ended else one.ids
            assert one.text == tokenizer.decode(words, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    said = sampler.describe()
    assert sorted(keys) == sorted(one.key for one in prompts(40))
    assert said["engine"] == name
    assert "seed" in said["determinism"]


@pytest.mark.slow
@pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")
def test_vllm_and_transformers_agree_on_the_likeliest_continuation(
    transformers_engine: Sampler, vllm_engine: Sampler
) -> None:
    ours = drawn(transformers_engine, prompts(20), GREEDY)
    theirs = drawn(vllm_engine, prompts(20), GREEDY)
    again = drawn(vllm_engine, prompts(20), WARM)
    assert drawn(vllm_engine, prompts(20), WARM) == again
    same = sum(ours[key][0].ids == theirs[key][0].ids for key in ours)
    assert same >= 18  # two near-equal logits may be ordered either way


@pytest.mark.slow
@pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")
def test_a_large_gpu_gets_as_many_sequences_and_tokens_a_step_as_vllms_own_class_gives_it(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What vLLM's table says for the arguments that we make; the GPU is pretended."""
    load()
    from vllm import LLMEngine
    from vllm.engine import arg_utils

    asked = []

    def stop(arguments: object, usage_context: object = None) -> None:
        asked.append((arguments, usage_context))
        raise MemoryError("far enough")

    gpu = SimpleNamespace(
        is_cpu=lambda: False,
        is_tpu=lambda: False,
        get_device_name=lambda: "NVIDIA H100 80GB HBM3",
        get_device_total_memory=lambda: 80 * 2**30,
    )
    monkeypatch.setattr("vllm.platforms.current_platform", gpu)
    monkeypatch.setattr(arg_utils, "current_platform", gpu)
    monkeypatch.setattr(LLMEngine, "from_engine_args", stop)
    with pytest.raises(EngineError, match="far enough"):
        engine("vllm", tiny_model)
    [(arguments, context)] = asked
    assert isinstance(arguments, arg_utils.EngineArgs)
    assert (arguments.max_num_seqs, arguments.max_num_batched_tokens) == (None, None)  # left to the table
    tokens, sequences = arguments.get_batch_defaults(world_size=1)
    assert (sequences.get(context), tokens.get(context)) == (1024, 16384)


def test_warnings_of_vllm_reach_the_log() -> None:
    """One of them says that a model is computed in another way than at short lengths."""
    assert ENVIRONMENT["VLLM_LOGGING_LEVEL"] == "WARNING"


def test_a_prompt_that_fills_the_context_is_refused(transformers_engine: Sampler) -> None:
    with pytest.raises(ModelError, match="the context is 512"):
        list(transformers_engine.sample([Prompt("long", [5] * CONTEXT, 0)], GREEDY))


@pytest.mark.slow
@pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")
def test_vllm_refuses_in_the_users_words(vllm_engine: Sampler, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the context is 512"):
        list(vllm_engine.sample([Prompt("long", [5] * CONTEXT, 0)], GREEDY))
    with pytest.raises((EngineError, ModelError)) as caught:
        engine("vllm", tmp_path)
    assert caught.value.hint


def test_tokens_are_drawn_as_often_as_their_probabilities_say() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    rng = random.Random(3)
    tokens = [int(pick(logits, [rng.random()], 0.7, 1.0)[0]) for _ in range(5000)]
    expected = torch.softmax(logits[0] / 0.7, 0).double()
    counts = [tokens.count(token) for token in range(4)]
    frequencies = (5000 * expected / expected.sum()).tolist()
    assert stats.chisquare(counts, frequencies).pvalue > 1e-4


@pytest.mark.parametrize(
    ("top_p", "top_k", "min_p", "left"),
    [
        (1.0, 0, 0.0, {0, 1, 2, 3}),
        (1.0, 2, 0.0, {0, 1}),
        (1.0, 0, 0.2, {0, 1, 2}),
        (0.6, 2, 0.0, {0}),  # of the 0.8 that top_k leaves, the first has 0.625
        (0.95, 3, 0.5, {0, 1}),
    ],
)
def test_top_k_and_min_p_leave_out_the_unlikely(top_p: float, top_k: int, min_p: float, left: set[int]) -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    rng = random.Random(4)
    assert {int(pick(logits, [rng.random()], 1.0, top_p, top_k, min_p)[0]) for _ in range(500)} == left


def stopping(sampler: Sampler, folder: Path) -> None:
    """Completions end before a stop string, wherever the engine noticed it, and are otherwise as without."""
    decode = Decoder(AutoTokenizer.from_pretrained(folder))
    free = Draw(n=3, temperature=1.0, top_p=1.0, max_tokens=40, end_ids=(END,))
    draw = replace(free, stop=("a", "e", "\n"))
    whole, stopped = drawn(sampler, prompts(8), free), drawn(sampler, prompts(8), draw)
    reasons = set()
    for key, completions in stopped.items():
        for one, other in zip(completions, whole[key], strict=True):
            assert one == completed(other.ids, draw, decode)
            assert not any(text in one.text for text in draw.stop)
            reasons.add(one.finish_reason)
    assert "stop_string" in reasons


def test_a_stop_string_ends_a_completion_where_it_begins(transformers_engine: Sampler, tiny_model: Path) -> None:
    stopping(transformers_engine, tiny_model)


def test_a_stop_string_ends_a_completion_of_the_plain_way_too(tiny_model: Path) -> None:
    with engine("transformers", tiny_model, max_num_seqs=8) as sampler:
        assert isinstance(sampler, TransformersSampler)
        sampler._sampling = Plain(sampler._model, "sdpa")
        stopping(sampler, tiny_model)


@pytest.mark.slow
@pytest.mark.skipif(not has_vllm(), reason="vLLM is not installed")
def test_vllm_stops_at_strings_and_limits_what_it_draws_from(vllm_engine: Sampler, tiny_model: Path) -> None:
    stopping(vllm_engine, tiny_model)
    likeliest = drawn(vllm_engine, prompts(8), GREEDY)
    for limited in (replace(WARM, top_k=1), replace(WARM, min_p=1.0)):
        found = drawn(vllm_engine, prompts(8), limited)
        same = sum(one.ids == likeliest[key][0].ids for key, some in found.items() for one in some)
        assert same >= 22, "of 24; two near-equal logits may be ordered either way"


def test_top_p_leaves_out_the_unlikely() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    rng = random.Random(4)
    assert {int(pick(logits, [rng.random()], 1.0, 0.7)[0]) for _ in range(500)} == {0, 1}


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=1, max_size=5))
def test_the_common_prefix_is_shared_by_all_and_cannot_be_longer(sequences: list[list[int]]) -> None:
    prefix = common_prefix(sequences)
    size = len(prefix)
    assert all(one[:size] == prefix for one in sequences)
    following = {tuple(one[size : size + 1]) for one in sequences}
    assert len(following) > 1 or following == {()}


def test_auto_is_an_engine_that_is_installed() -> None:
    assert resolve_engine("auto") == ("vllm" if has_vllm() else "transformers")
    assert resolve_engine("transformers") == "transformers"
    if not has_vllm():
        with pytest.raises(ConfigError, match="vLLM is not installed"):
            resolve_engine("vllm")


def test_rows_on_a_gpu_take_half_of_its_free_memory(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU's figures are made up; keys and values are real, and held against them."""
    free, columns = 2**26, 100
    with engine("transformers", tiny_model) as sampler:
        assert isinstance(sampler, TransformersSampler)
        monkeypatch.setattr(sampler, "_measure", True)
        monkeypatch.setattr(sampler, "_rows", 4096)
        monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (free, 2 * free))
        monkeypatch.setattr("torch.cuda.memory_reserved", lambda: 0)
        monkeypatch.setattr("torch.cuda.memory_allocated", lambda: 0)
        rows = sampler._room(columns)
        cache = BranchingCache(rows, columns=columns)
        sampler._sampling._forward(cache, slice(0, 1), [[5]], [0])
    held = sum(one.nbytes for one in (*cache._keys, *cache._values))
    picking = rows * 512 * PICKING
    assert 0.9 * free / 2 < held + picking <= free / 2
