from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import expit
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.gauss_rm import Config, log_win, loss, make_head


def batch(mean: float, variance: float) -> ReadBatch:
    """One comparison: means this far apart, variances that add up to this."""
    outputs = [
        torch.tensor([[9.0, side, math.log(share * variance)]])
        for side, share in ((mean + 0.3, 0.25), (0.3, 0.75))
    ]
    rewards = [output_PC[:, 0] for output_PC in outputs]
    return ReadBatch(rewards[0], rewards[1], Reading(outputs[0]), Reading(outputs[1]))


@pytest.mark.parametrize("mean", [-2.0, 0.0, 1.0])
@pytest.mark.parametrize("variance", [0.01, 1.0, 4.0])
def test_it_is_the_integral(mean: float, variance: float) -> None:
    def density(d: float) -> float:
        normal = math.exp(-((d - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        return float(expit(d)) * normal

    spread = 12 * math.sqrt(variance)
    chance, _ = quad(density, mean - spread, mean + spread, points=[mean])
    assert loss(Config(), batch(mean, variance)).item() == pytest.approx(-np.log(chance), abs=1e-5)


def test_equal_means_are_a_fair_coin_whatever_the_variance() -> None:
    found_P = log_win(torch.zeros(3), torch.tensor([0.1, 1.0, 9.0]))
    assert_close(found_P, torch.full((3,), -math.log(2.0)))


def test_without_variance_it_is_bradley_terry() -> None:
    """log(1 + e^-1) = .313262; variance makes a comparison harder to tell."""
    sharp = loss(Config(), batch(1.0, 1e-9)).item()
    assert sharp == pytest.approx(0.313262, abs=1e-5)
    plain = bradley_terry_loss(torch.tensor([1.0]), torch.tensor([0.0])).item()
    assert sharp == pytest.approx(plain, abs=1e-5)
    assert sharp < loss(Config(), batch(1.0, 1.0)).item() < loss(Config(), batch(1.0, 9.0)).item()


def test_pairs_that_are_wrong_raise_the_variance_and_right_ones_lower_it() -> None:
    for mean, sign in ((2.0, 1.0), (-2.0, -1.0)):
        given = batch(mean, 1.0)
        assert given.chosen.output_PC is not None
        output_PC = given.chosen.output_PC.requires_grad_()
        (slope_PC,) = torch.autograd.grad(loss(Config(), given).sum(), output_PC)
        assert slope_PC[0, 2].item() * sign > 0


def test_the_score_takes_sds_off_the_mean() -> None:
    """Mean 2, variance 9: 2 - 1 x 3 = -1, and 2 - .5 x 3 = .5."""
    for pessimism, expected in ((1.0, -1.0), (0.5, 0.5), (0.0, 2.0)):
        head = make_head(Config(pessimism=pessimism), HeadShape(1))
        with torch.no_grad():
            head.linear.weight.copy_(torch.tensor([[2.0], [math.log(9.0)]]))
            head.linear.bias.zero_()
        found = head(HeadStates(torch.ones(1, 1), torch.zeros(1, 1)))
        assert found[0].tolist() == pytest.approx([expected, 2.0, math.log(9.0)], abs=1e-6)
