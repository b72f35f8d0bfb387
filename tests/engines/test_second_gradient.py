"""A second gradient beside the weights: where it is taken, and what becomes of the weights."""

from __future__ import annotations

from typing import Any

import torch

from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.second_gradient import corrector
from overopt.methods.contract.training import Weights
from overopt.methods.rollout import rloo

from . import tiny


class Probing:
    """RLOO that looks a little further and may not like what it sees."""

    __name__ = "probing"
    Config = rloo.Config
    advantages = staticmethod(rloo.advantages)
    loss = staticmethod(rloo.loss)

    def __init__(self, length: float, share: float) -> None:
        self.length, self.share = length, share
        self.seen: list[tuple[Weights, Weights]] = []

    def perturb(self, config: Any, gradient: Weights) -> Weights:
        return {name: self.length * value for name, value in gradient.items()}

    def correct(self, config: Any, first: Weights, second: Weights) -> Weights:
        self.seen.append((first, second))
        return {name: torch.lerp(first[name], second[name], self.share) for name in first}


def weights_after(method: Any, steps: int = 3) -> dict[str, torch.Tensor]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": steps})
    optimize_rollout(OpenedRollout(method, rloo.Config()), settings, inputs)
    return {name: value.detach().clone() for name, value in inputs.policy.named_parameters()}


def test_the_first_gradient_alone_leads_where_the_method_leads_without() -> None:
    """The weights come back to the last bit after the second gradient."""
    probing, plain = weights_after(Probing(0.5, 0.0)), weights_after(rloo)
    assert all(torch.equal(probing[name], plain[name]) for name in plain)


def test_the_second_gradient_is_taken_beside_the_weights() -> None:
    method = Probing(0.5, 1.0)
    other = weights_after(method)
    assert len(method.seen) == 3
    for first, second in method.seen:
        assert any(not torch.allclose(first[n], second[n], atol=1e-6) for n in first)
    plain = weights_after(rloo)
    assert any(not torch.allclose(other[name], plain[name], atol=1e-6) for name in plain)


def test_it_is_that_of_the_loss_there() -> None:
    policy = tiny.policy()
    opened = OpenedRollout(Probing(0.5, 1.0), rloo.Config())

    def loss() -> torch.Tensor:
        squares = [value.square().sum() for value in policy.parameters()]
        return torch.stack(squares).sum() / 2

    weights = {name: value.detach().clone() for name, value in policy.named_parameters()}
    gradient = {name: value.clone() for name, value in weights.items()}  # of the loss above
    correct = corrector(opened, policy, loss)
    assert correct is not None
    correct(gradient)
    for name, value in policy.named_parameters():
        assert torch.equal(value, weights[name])
        assert torch.allclose(gradient[name], 1.5 * weights[name])
    assert corrector(OpenedRollout(rloo, rloo.Config()), policy, loss) is None
