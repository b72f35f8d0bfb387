from __future__ import annotations

import math

import numpy as np
import pytest
import torch
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
from overopt.proxies.reward_uq import Config, LinearPosterior, loss, make_head, settle


def states(state_BD: Tensor) -> HeadStates:
    return HeadStates(state_BD, torch.zeros_like(state_BD))


def settled(
    config: Config, weight: list[float], chosen: Tensor, rejected: Tensor
) -> LinearPosterior:
    made = make_head(config, HeadShape(len(weight)))
    with torch.no_grad():
        made.linear.weight.copy_(torch.tensor([weight]))
    length_P = torch.ones(len(chosen))
    settle(config, made, TrainedStates(states(chosen), states(rejected), length_P, length_P))
    return made


def test_sd_by_hand() -> None:
    """Differences (1, 0) twice, each a fair coin: H = diag(1 + 2 x .25, 1); h = (3, 2)."""
    chosen, rejected = (
        torch.tensor([[1.0, 1.0], [2.0, 0.0]]),
        torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
    )
    sample = states(torch.tensor([[3.0, 2.0]]))
    sd = math.sqrt(9 / 1.5 + 4)
    found = settled(Config(ridge=1.0), [0.0, 1.0], chosen, rejected)(sample)[0, :2]
    assert found.tolist() == pytest.approx([2.0 - sd, sd], abs=1e-5)
    sd = math.sqrt(9 / 3 + 4)
    plain = settled(Config(weighted=False, pessimism=0.5, ridge=1.0), [0.0, 1.0], chosen, rejected)(
        sample
    )[0, :2]
    assert plain.tolist() == pytest.approx([2.0 - 0.5 * sd, sd], abs=1e-5)


def test_a_comparison_that_is_sure_tells_less() -> None:
    """p (1 - p) at w . x = 2 is .104994."""
    chosen, rejected = torch.tensor([[2.0]]), torch.tensor([[0.0]])
    found = settled(Config(ridge=0.5), [1.0], chosen, rejected).factor_DD
    assert found.item() ** 2 == pytest.approx(1 / (0.5 + 4 * 0.104994), abs=1e-5)


def test_the_precision_is_the_curvature_of_the_loss() -> None:
    torch.manual_seed(0)
    sides = [torch.randn(30, 3) for _ in range(2)]
    weight_D = torch.tensor([0.5, -1.0, 0.2])

    def objective(w_D: Tensor) -> Tensor:
        return bradley_terry_loss(sides[0] @ w_D, sides[1] @ w_D).sum() + w_D @ w_D / 2

    at_D = weight_D.clone().requires_grad_()
    (slope_D,) = torch.autograd.grad(objective(at_D), at_D, create_graph=True)
    curvature_DD = torch.stack(
        [torch.autograd.grad(one, at_D, retain_graph=True)[0] for one in slope_D]
    )
    made = settled(Config(ridge=1.0), weight_D.tolist(), sides[0], sides[1])
    covariance_DD = made.factor_DD @ made.factor_DD.T
    assert_close(torch.linalg.inv(covariance_DD), curvature_DD, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("ridge", [1e-5, 1e-2])
@pytest.mark.parametrize("centered", [False, True])
def test_sds_in_single_precision_are_those_in_double(ridge: float, centered: bool) -> None:
    """States after a LayerNorm are equal along one direction, whose variance is 1/c."""
    generator = torch.Generator().manual_seed(0)
    norm = torch.nn.LayerNorm(32)
    mix_DD = torch.randn(32, 32, generator=generator) * torch.logspace(0, -1.5, 32)[:, None]
    shift_D = 0.5 * torch.randn(32, generator=generator)
    with torch.no_grad():
        norm.weight.add_(0.05 * torch.randn(32, generator=generator))
        norm.bias.add_(0.05 * torch.randn(32, generator=generator))
        sides = [
            norm(torch.randn(1024, 32, generator=generator) @ mix_DD + shift_D) for _ in range(3)
        ]
    weight_D = torch.randn(32, generator=generator) * 0.3
    config = Config(ridge=ridge, centered=centered)
    made = settled(config, weight_D.tolist(), sides[0], sides[1])
    chosen_PD, rejected_PD, sample_BD = (side.double() for side in sides)
    apart_PD = chosen_PD - rejected_PD
    won_P = torch.sigmoid(apart_PD @ weight_D.double())
    precision_DD = (apart_PD * (won_P * (1 - won_P))[:, None]).T @ apart_PD
    precision_DD += ridge * torch.eye(32, dtype=torch.float64)
    if centered:
        sample_BD = sample_BD - torch.cat([chosen_PD, rejected_PD]).mean(0)
    solved_DB = torch.linalg.solve(precision_DD, sample_BD.T)
    expected_B = (sample_BD * solved_DB.T).sum(1).sqrt()
    found_B = made(states(sides[2]))[:, 1]
    assert_close(found_B.double(), expected_B, atol=1e-3, rtol=1e-3 if not centered else 0)


def test_centered_sds_are_those_of_a_lead_over_the_mean_response() -> None:
    chosen, rejected = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    made = settled(Config(centered=True, weighted=False, ridge=1.0), [1.0], chosen, rejected)
    assert made.center_D.item() == 2.0
    sd = 3.0 / math.sqrt(5.0)
    assert made(states(torch.tensor([[5.0]])))[0, :2].tolist() == pytest.approx([5.0 - sd, sd])


def test_in_training_it_is_bradley_terry_with_a_ridge_and_without_pessimism() -> None:
    made = make_head(Config(ridge=1.0), HeadShape(3))
    state_BD = torch.randn(4, 3).requires_grad_()
    outputs = made(states(state_BD))
    assert_close(outputs[:, 0], made.linear(state_BD).squeeze(1))
    readings = [Reading(outputs[:2]), Reading(outputs[2:])]
    batch = ReadBatch(outputs[:2, 0], outputs[2:, 0], readings[0], readings[1])
    plain_P = bradley_terry_loss(batch.chosen_P, batch.rejected_P)
    for ridge in (0.0, 1.0):
        mean = loss(Config(ridge=ridge), batch).mean()
        expected = plain_P.mean() + ridge / 2 * made.linear.weight.square().sum()
        assert_close(mean, expected)
        found = torch.autograd.grad(mean, made.linear.weight, retain_graph=True)
        assert_close(found, torch.autograd.grad(expected, made.linear.weight, retain_graph=True))
    (slope,) = torch.autograd.grad(outputs[:, 0].sum(), state_BD)
    assert torch.isfinite(slope).all()
    sides = [torch.randn(5, 3) for _ in range(2)]
    calm = settled(Config(pessimism=0.0), [1.0, 2.0, 3.0], sides[0], sides[1])
    assert np.allclose(calm(states(sides[0]))[:, 0].detach(), calm.linear(sides[0])[:, 0].detach())
