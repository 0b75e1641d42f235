"""Sketched scores, against what autograd says of the log-likelihood."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, PreTrainedModel

from tpt.analysis.gradients import Sketch, folded
from tpt.analysis.inner_products import Vectors
from tpt.records import Sample

PROMPT = [5, 6, 7]
SAMPLES = [
    Sample("p", 0, PROMPT, [8, 9, 2], "", "stop"),
    Sample("p", 1, PROMPT, [10, 2], "", "stop"),
    Sample("p", 2, PROMPT, [8, 11, 12], "", "length"),
]


@pytest.fixture
def model(tiny_model: Path) -> PreTrainedModel:
    found: PreTrainedModel = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)  # in eval mode
    return found


def scores(model: PreTrainedModel, samples: list[Sample]) -> Vectors:
    """By the book: the gradient of the sum over completion tokens of log p(token | what is before it), in full."""
    found = []
    for one in samples:
        ids = torch.tensor([one.prompt_ids + one.completion_ids])
        logits = model(input_ids=ids).logits[0].log_softmax(-1)
        of_tokens = [logits[at - 1, ids[0, at]] for at in range(len(one.prompt_ids), ids.shape[1])]
        gradient = torch.autograd.grad(torch.stack(of_tokens).sum(), list(model.parameters()))
        found.append(torch.cat([part.flatten() for part in gradient]).numpy())
    return np.stack(found)


def test_sketches_have_the_inner_products_of_the_scores(model: PreTrainedModel) -> None:
    exact = scores(model, SAMPLES)
    found = [Sketch(model, size=2**12, seed=seed).scores(SAMPLES) for seed in range(8)]
    lengths = np.linalg.norm(exact, axis=1)
    errors = np.array([(one @ one.T - exact @ exact.T) / np.outer(lengths, lengths) for one in found])
    # 4 standard errors of the mean of 8, each with a standard deviation of at most sqrt(2 / size)
    assert np.abs(errors.mean(0)).max() < 4 * np.sqrt(2 / 2**12 / 8)
    assert np.abs(errors).max() > 0, "they are sketches"
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_sample_has_the_same_sketch_alone_and_among_others(model: PreTrainedModel) -> None:
    sketch = Sketch(model, size=512)
    np.testing.assert_allclose(sketch.scores(SAMPLES)[1:2], sketch.scores(SAMPLES[1:2]))


def test_log_likelihoods_are_sums_over_the_completion(model: PreTrainedModel) -> None:
    expected = []
    for one in SAMPLES:
        ids = torch.tensor([one.prompt_ids + one.completion_ids])
        logits = model(input_ids=ids).logits[0].log_softmax(-1).detach()
        expected.append(sum(float(logits[at - 1, ids[0, at]]) for at in range(len(PROMPT), ids.shape[1])))
    np.testing.assert_allclose(Sketch(model, size=512).log_likelihoods(SAMPLES), expected, rtol=1e-5)


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40), st.integers(0, 6))
def test_folding_adds_what_stands_as_many_places_apart_as_the_sketch_has(values: list[float], start: int) -> None:
    expected = [0.0] * 7
    for at, value in enumerate(values):
        expected[(start + at) % 7] += value
    found = folded(torch.tensor(values, dtype=torch.float64), start, 7)
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.slow  # one backward pass for each token of the vocabulary
def test_the_mean_score_of_a_real_model_is_zero_at_temperature_1_and_at_no_other(model: PreTrainedModel) -> None:
    """The theorem, exactly: all completions of one token, each with its probability."""
    sketch = Sketch(model, size=2**12)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([PROMPT])).logits[0, -1].double()
    every = sketch.scores([Sample("p", 0, PROMPT, [token], "", "length") for token in range(len(logits))])
    right = np.arange(len(logits)) % 3 == 0
    own, hotter = ((logits / heat).softmax(-1).numpy() for heat in (1.0, 0.8))
    plus, minus = (own * right) @ every, (own * ~right) @ every
    np.testing.assert_allclose(plus, -minus, atol=1e-4 * np.abs(plus).max())
    assert np.linalg.norm(hotter @ every) > 0.01 * np.linalg.norm(plus)
