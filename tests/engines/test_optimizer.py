from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.optimizer import PolicyOptimizer
from overopt.spec.pairs import PairsSpec

from . import tiny


def settings(warmup_steps: int = 0, max_gradient_norm: float = 1.0) -> PairsSpec:
    return PairsSpec(
        learning_rate=0.01,
        batch_size=1,
        max_steps=1,
        warmup_steps=warmup_steps,
        max_gradient_norm=max_gradient_norm,
    )


def bias(model: PreTrainedModel) -> Tensor:
    found: Tensor = model.get_parameter("transformer.ln_f.bias")
    return found


def moves(warmup_steps: int, steps: int) -> list[float]:
    """How far each step moves a weight whose gradient is always 1."""
    model = tiny.policy()
    optimizer = PolicyOptimizer(model, settings(warmup_steps), "test")
    found = []
    for _ in range(steps):
        before = bias(model)[0].item()
        optimizer.step(bias(model)[0])
        found.append(before - bias(model)[0].item())
    return found


def test_learning_rate_is_constant_after_a_linear_warm_up() -> None:
    # Adam moves by the learning rate under a constant gradient
    assert moves(0, 3) == pytest.approx([0.01, 0.01, 0.01], abs=1e-6)
    assert moves(3, 5) == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01], abs=1e-6)


def test_the_norm_before_clipping_is_returned_and_the_gradient_is_cleared() -> None:
    model = tiny.policy()
    optimizer = PolicyOptimizer(model, settings(max_gradient_norm=0.5), "test")
    loss = (3.0 * bias(model)[0] + 4.0 * bias(model)[1]).sum()
    assert optimizer.step(loss) == pytest.approx(5.0)
    assert bias(model).grad is None
    assert optimizer.steps_taken == 1


def test_weights_without_gradient_do_not_decay() -> None:
    model = tiny.policy()
    before = model.get_parameter("transformer.wpe.weight").detach().clone()
    PolicyOptimizer(model, settings(), "test").step(bias(model)[0])
    assert torch.equal(model.get_parameter("transformer.wpe.weight"), before)


def test_a_gradient_that_is_no_number_leaves_the_weights_alone() -> None:
    model = tiny.policy()
    before = bias(model).detach().clone()
    optimizer = PolicyOptimizer(model, settings(), "test")
    optimizer.step(bias(model)[0] * 0.0)
    assert torch.equal(bias(model), before)
    # the square root's slope at 0 is infinite while its value is not
    with pytest.raises(FloatingPointError, match=r"^test: step 2: loss .* gradient norm"):
        optimizer.step((bias(model)[0] * 0.0).sqrt())
    assert torch.equal(bias(model), before)
