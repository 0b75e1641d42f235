"""Gradients of right and wrong samples, against what autograd says of the whole objective."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, PreTrainedModel

from tpt.analysis.gradients import Gradient, Products, Running, log_likelihood_gradient, products
from tpt.records import Example

RIGHT = [Example("p", "self", 1, [5, 6, 7], [8, 9, 2], ""), Example("p", "self", 1, [5, 6, 7], [10, 2], "")]
WRONG = [Example("p", "self", 1, [5, 6, 7], [8, 11, 12, 2], "")]


@pytest.fixture
def model(tiny_model: Path) -> PreTrainedModel:
    found: PreTrainedModel = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)  # in eval mode
    return found


def log_likelihood(model: PreTrainedModel, one: Example) -> torch.Tensor:
    """By the book: the sum over completion tokens of log p(token | what is before it)."""
    ids = torch.tensor([one.prompt_ids + one.completion_ids])
    logits = model(input_ids=ids).logits[0].log_softmax(-1)
    of_tokens = [logits[at - 1, ids[0, at]] for at in range(len(one.prompt_ids), ids.shape[1])]
    return torch.stack(of_tokens).sum()


def flat(gradient: Gradient) -> torch.Tensor:
    return torch.cat([one.flatten() for one in gradient])


def test_right_minus_wrong_is_the_gradient_of_the_objective_with_rewards_1_and_minus_1(model: PreTrainedModel) -> None:
    right = log_likelihood_gradient(model, RIGHT, 0, batch=8)
    wrong = log_likelihood_gradient(model, WRONG, 0, batch=8)
    rewarded = [(one, 1 / len(RIGHT)) for one in RIGHT] + [(one, -1 / len(WRONG)) for one in WRONG]
    objective = sum(reward * log_likelihood(model, one) for one, reward in rewarded)
    expected = torch.autograd.grad(objective, list(model.parameters()))  # type: ignore[arg-type]  # not the int 0
    torch.testing.assert_close(flat(right) - flat(wrong), flat(list(expected)), rtol=1e-4, atol=1e-4)

    found = products(right, wrong)
    policy = flat(list(expected)).double()
    assert found.ratio == pytest.approx(float(policy.norm() / flat(right).double().norm()), rel=1e-4)
    cosine = torch.nn.functional.cosine_similarity(policy, flat(right).double(), dim=0)
    assert found.cosine == pytest.approx(float(cosine), rel=1e-4)


def test_how_samples_are_batched_does_not_matter(model: PreTrainedModel) -> None:
    one = log_likelihood_gradient(model, RIGHT, 0, batch=1)
    other = log_likelihood_gradient(model, RIGHT, 0, batch=2)
    torch.testing.assert_close(flat(one), flat(other), rtol=1e-4, atol=1e-4)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_opposite_gradients_are_what_the_paper_claims() -> None:
    gradient = [torch.tensor([1.0, 2.0]), torch.tensor([[3.0]])]
    found = products(gradient, [-one for one in gradient])
    assert (found.cosine, found.ratio, found.sides) == pytest.approx((1, 2, -1))


def test_equal_gradients_leave_nothing_of_the_policys() -> None:
    found = products([torch.tensor([1.0, 2.0])], [torch.tensor([1.0, 2.0])])
    assert found.ratio == 0
    assert math.isnan(found.cosine)


def test_a_wrong_side_that_has_nothing_to_do_with_the_right_one() -> None:
    found = products([torch.tensor([1.0, 0.0])], [torch.tensor([0.0, 1.0])])
    assert found.ratio == pytest.approx(math.sqrt(2))
    assert found.cosine == pytest.approx(math.sqrt(0.5))
    assert found.sides == 0


vectors = st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3)


@given(vectors, vectors)
def test_figures_stay_within_their_bounds(one: list[float], other: list[float]) -> None:
    found = products([torch.tensor(one)], [torch.tensor(other)])
    for cosine in (found.cosine, found.sides):
        assert math.isnan(cosine) or -1 - 1e-3 <= cosine <= 1 + 1e-3
    assert math.isnan(found.ratio) or found.ratio >= 0


def test_problems_are_summed_side_by_side() -> None:
    running = Running()
    running.add([torch.tensor([1.0, 0.0])], [torch.tensor([0.0, 1.0])])
    running.add([torch.tensor([1.0, 0.0])], [torch.tensor([-2.0, 0.0])])
    assert running.products() == Products(right=4.0, wrong=5.0, cross=-4.0)
