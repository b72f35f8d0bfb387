from __future__ import annotations

import math

import pytest
import torch
from scipy.integrate import quad
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    Reading,
    TrainedStates,
)
from overopt.proxies.gvi import Config, Posterior, expected_loss, loss, make_head, settle


def states(state_BD: Tensor) -> HeadStates:
    return HeadStates(state_BD, torch.zeros_like(state_BD))


def head(mean: list[float], variance: list[float], config: Config | None = None) -> Posterior:
    made = make_head(config or Config(), HeadShape(len(mean)))
    with torch.no_grad():
        made.mean_D.copy_(torch.tensor(mean))
        made.log_variance_D.copy_(torch.tensor(variance).log())
    return made


def batch(made: Posterior, chosen_PD: Tensor, rejected_PD: Tensor) -> ReadBatch:
    outputs = [made(states(side_PD)) for side_PD in (chosen_PD, rejected_PD)]
    return ReadBatch(outputs[0][:, 0], outputs[1][:, 0], Reading(outputs[0]), Reading(outputs[1]))


def test_the_kl_is_that_of_two_normals() -> None:
    made = head([0.5, -1.0], [0.25, 4.0], Config(prior=2.0))
    ours = torch.distributions.Normal(torch.tensor([0.5, -1.0]), torch.tensor([0.5, 2.0]))
    prior = torch.distributions.Normal(torch.zeros(2), 2 * torch.ones(2))
    expected = torch.distributions.kl_divergence(ours, prior).sum()
    assert_close(made.divergence(), expected)
    assert head([0.0], [4.0], Config(prior=2.0)).divergence().item() == pytest.approx(0.0, abs=1e-6)


def test_the_expectation_is_the_integral() -> None:
    """Of d ~ N(.5, 2); and the expected loss is above the loss at the mean."""
    mean, variance = 0.5, 2.0

    def density(d: float) -> float:
        normal = math.exp(-((d - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        return math.log1p(math.exp(-d)) * normal

    expected, _ = quad(density, -20.0, 20.0)
    found = expected_loss(torch.tensor([mean]), torch.tensor([variance])).item()
    assert found == pytest.approx(expected, abs=1e-5)
    assert found > math.log1p(math.exp(-mean))


def test_loss_by_hand() -> None:
    """x = (1, 2): mean 1 x .5 - 2 x .25 = 0, variance 1 x .09 + 4 x .16 = .73; a KL over 10."""
    config = Config(pairs=10)
    made = head([0.5, -0.25], [0.09, 0.16], config)
    given = batch(made, torch.tensor([[2.0, 1.0]]), torch.tensor([[1.0, -1.0]]))
    told = expected_loss(torch.tensor([0.0]), torch.tensor([0.73])).item()
    found = loss(config, given).item()
    assert found == pytest.approx(told + made.divergence().item() / 10, abs=1e-6)


def test_without_variance_and_price_it_is_bradley_terry() -> None:
    torch.manual_seed(0)
    made = head([0.5, -0.25], [1e-12, 1e-12])
    sides = [torch.randn(6, 2) for _ in range(2)]
    config = Config(pairs=10**9)
    plain_P = bradley_terry_loss(sides[0] @ made.mean_D, sides[1] @ made.mean_D)
    assert_close(loss(config, batch(made, sides[0], sides[1])), plain_P, atol=1e-5, rtol=0)


def test_equal_sides_have_a_finite_gradient() -> None:
    made = head([0.5, -0.25], [0.09, 0.16])
    same_PD = torch.ones(1, 2)
    torch.autograd.backward(loss(Config(), batch(made, same_PD, same_PD)).sum())
    assert made.log_variance_D.grad is not None
    assert torch.isfinite(made.log_variance_D.grad).all()


def test_the_score_takes_the_sd_of_the_lead_over_the_mean_response_off() -> None:
    """Center (1, 0): (3, 2) is (2, 2) away, SD sqrt(4 x .25 + 4 x 1) = sqrt 5; mean 3 - 2 = 1."""
    made = head([1.0, -1.0], [0.25, 1.0], Config(pessimism=0.5)).eval()
    sides = [states(torch.tensor([[0.0, 1.0]])), states(torch.tensor([[2.0, -1.0]]))]
    length_P = torch.ones(1)
    settle(Config(), made, TrainedStates(sides[0], sides[1], length_P, length_P))
    assert_close(made.center_D, torch.tensor([1.0, 0.0]))
    found = made(states(torch.tensor([[3.0, 2.0]])))[0]
    assert found[:2].tolist() == pytest.approx([1.0 - 0.5 * math.sqrt(5.0), 1.0], abs=1e-6)


def test_the_posterior_without_data_is_the_prior() -> None:
    """Comparisons of equal responses tell nothing: the bound is best at the prior."""
    config = Config(prior=0.5, pairs=1)
    made = head([0.7, -0.3], [0.04, 0.3], config)
    steps = torch.optim.Adam(made.parameters(), lr=0.05)
    same_PD = torch.zeros(1, 2)
    for _ in range(300):
        steps.zero_grad()
        torch.autograd.backward(loss(config, batch(made, same_PD, same_PD)).sum())
        steps.step()
    assert_close(made.mean_D.detach(), torch.zeros(2), atol=0.02, rtol=0)
    assert_close(made.log_variance_D.exp().detach(), torch.full((2,), 0.25), atol=0.01, rtol=0)
