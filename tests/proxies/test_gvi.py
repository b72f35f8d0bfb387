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
from overopt.proxies.gvi import (
    Config,
    Posterior,
    bound,
    divergence,
    expected_loss,
    loss,
    make_head,
    settle,
)


def states(state_BD: Tensor) -> HeadStates:
    return HeadStates(state_BD, torch.zeros_like(state_BD))


def trained(chosen_PD: Tensor, rejected_PD: Tensor) -> TrainedStates:
    length_P = torch.ones(len(chosen_PD))
    return TrainedStates(states(chosen_PD), states(rejected_PD), length_P, length_P)


def compared(pairs: int, seed: int = 0) -> TrainedStates:
    """Labels by the first number of the state, 3 of 4 right; numbers vary by 2, 1 and a tenth."""
    generator = torch.Generator().manual_seed(seed)
    state_2PD = torch.randn(2, pairs, 3, generator=generator) * torch.tensor([2.0, 1.0, 0.1])
    wrong_P = (state_2PD[0, :, 0] > state_2PD[1, :, 0]) == (
        torch.rand(pairs, generator=generator) < 0.25
    )
    state_2PD = torch.where(wrong_P[None, :, None], state_2PD.flip(0), state_2PD)
    return trained(state_2PD[0], state_2PD[1])


def settled(data: TrainedStates, config: Config | None = None, seed: int = 0) -> Posterior:
    torch.manual_seed(seed)
    made = make_head(config or Config(), HeadShape(data.chosen.last_BD.shape[1])).eval()
    settle(config or Config(), made, data)
    return made


def test_the_kl_is_that_of_two_normals() -> None:
    mean_D, sd_D = torch.tensor([0.5, -1.0]), torch.tensor([0.5, 2.0])
    ours = torch.distributions.Normal(mean_D, sd_D)
    prior = torch.distributions.Normal(torch.zeros(2), 2 * torch.ones(2))
    expected = torch.distributions.kl_divergence(ours, prior).sum()
    assert_close(divergence(mean_D, sd_D.log(), 2.0), expected)
    same = divergence(torch.zeros(1), torch.tensor([2.0]).log(), 2.0)
    assert same.item() == pytest.approx(0.0, abs=1e-6)


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


def test_the_bound_by_hand() -> None:
    """x = (1, 2): mean 1 x .5 - 2 x .25 = 0, variance 1 x .09 + 4 x .16 = .73; a KL over 10."""
    apart_PD = torch.tensor([[1.0, 2.0]] * 10)
    mean_D, log_sd_D = torch.tensor([0.5, -0.25]), torch.tensor([0.3, 0.4]).log()
    told = expected_loss(torch.tensor([0.0]), torch.tensor([0.73])).item()
    expected = told + divergence(mean_D, log_sd_D, 2.0).item() / 10
    assert bound(apart_PD, mean_D, log_sd_D, 2.0).item() == pytest.approx(expected, abs=1e-6)


def test_the_trunk_learns_what_a_single_reward_model_learns() -> None:
    torch.manual_seed(0)
    made = make_head(Config(), HeadShape(2))
    sides = [torch.randn(6, 2, requires_grad=True) for _ in range(2)]
    outputs = [made(states(side_PD)) for side_PD in sides]
    batch = ReadBatch(outputs[0][:, 0], outputs[1][:, 0], Reading(outputs[0]), Reading(outputs[1]))
    plain_P = bradley_terry_loss(sides[0] @ made.mean_D, sides[1] @ made.mean_D)
    assert_close(loss(Config(), batch), plain_P)
    found = torch.autograd.grad(loss(Config(), batch).sum(), sides, retain_graph=True)
    assert_close(found, torch.autograd.grad(plain_P.sum(), sides))


def test_equal_sides_have_a_finite_gradient() -> None:
    log_sd_D = torch.zeros(2, requires_grad=True)
    torch.autograd.backward(bound(torch.zeros(1, 2), torch.ones(2), log_sd_D, 1.0))
    assert log_sd_D.grad is not None and torch.isfinite(log_sd_D.grad).all()


@pytest.mark.parametrize("prior", [0.5, 2.0])
def test_the_bound_is_at_its_minimum_and_no_other_start_finds_a_lower_one(prior: float) -> None:
    data, config = compared(400), Config(prior=prior)
    apart_PD = (data.chosen.last_BD - data.rejected.last_BD).double()
    lowest = []
    for seed in range(3):
        made = settled(data, config, seed)
        mean_D = made.mean_D.detach().double().requires_grad_()
        log_sd_D = (made.variance_D.double().log() / 2).requires_grad_()
        value = bound(apart_PD, mean_D, log_sd_D, prior)
        for slope_D in torch.autograd.grad(value, [mean_D, log_sd_D]):
            assert slope_D.abs().max() < 1e-6
        lowest.append(value.item())
    assert max(lowest) - min(lowest) < 1e-9


def test_weights_are_known_by_how_much_comparisons_tell_of_them() -> None:
    """Numbers that vary by 2, 1 and a tenth: the SD of the last weight is nearly the prior's."""
    few_D, many_D = (settled(compared(pairs)).variance_D.sqrt() for pairs in (100, 1600))
    assert few_D[0] < 0.7 * few_D[1] < 0.7 * 0.7 * few_D[2]
    assert few_D[2] > 0.8
    # sixteen times as many comparisons, about a quarter of the SD where they tell most
    assert 3.2 < (few_D[0] / many_D[0]).item() < 4.8


def test_the_posterior_of_a_single_weight_is_the_exact_one_s_mean_and_sd() -> None:
    """By summation over a grid; the normal of least KL is close to it with 200 comparisons."""
    data = compared(200)
    data = trained(data.chosen.last_BD[:, :1], data.rejected.last_BD[:, :1])
    made = settled(data)
    x_P = (data.chosen.last_BD - data.rejected.last_BD)[:, 0].double()
    weight_G = torch.linspace(-3.0, 3.0, 6001, dtype=torch.float64)
    log_G = torch.nn.functional.logsigmoid(weight_G[:, None] * x_P).sum(1) - weight_G**2 / 2
    chance_G = log_G.softmax(0)
    mean = (chance_G * weight_G).sum().item()
    sd = (chance_G * (weight_G - mean) ** 2).sum().sqrt().item()
    assert made.mean_D.item() == pytest.approx(mean, abs=0.05 * sd)
    assert made.variance_D.sqrt().item() == pytest.approx(sd, rel=0.02)


def test_the_posterior_without_data_is_the_prior() -> None:
    """Comparisons of equal responses tell nothing: the bound is best at the prior."""
    made = settled(trained(torch.ones(5, 2), torch.ones(5, 2)), Config(prior=0.5))
    assert_close(made.mean_D.detach(), torch.zeros(2), atol=1e-4, rtol=0)
    assert_close(made.variance_D, torch.full((2,), 0.25), atol=1e-4, rtol=0)


def test_the_score_takes_the_sd_of_the_lead_over_the_mean_response_off() -> None:
    """Center (1, 0): (3, 2) is (2, 2) away, SD sqrt(4 x .25 + 4 x 1) = sqrt 5; mean 3 - 2 = 1."""
    made = make_head(Config(pessimism=0.5), HeadShape(2)).eval()
    settle(Config(), made, trained(torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, -1.0]])))
    assert_close(made.center_D, torch.tensor([1.0, 0.0]))
    with torch.no_grad():
        made.mean_D.copy_(torch.tensor([1.0, -1.0]))
    made.variance_D.copy_(torch.tensor([0.25, 1.0]))
    found = made(states(torch.tensor([[3.0, 2.0]])))[0]
    assert found.tolist() == pytest.approx([1.0 - 0.5 * math.sqrt(5.0), 1.0], abs=1e-6)
