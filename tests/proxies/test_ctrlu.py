from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.ctrlu import Config, discrepancy, loss, make_head


def batch(first: float, second: float) -> ReadBatch:
    """One comparison whose two readings have these margins."""
    outputs = [torch.tensor([[first + 0.4, second - 0.1]]), torch.tensor([[0.4, -0.1]])]
    rewards = [output_PC.requires_grad_()[:, 0] for output_PC in outputs]
    return ReadBatch(rewards[0], rewards[1], Reading(outputs[0]), Reading(outputs[1]))


@pytest.mark.parametrize(
    ("config", "expected"),
    # p_1 = .731059, p_2 = .880797: U = .067131 and l = .313262
    [
        (Config(), 0.360054),
        (Config(scale=2.0, weight=0.5), 0.341035),
        (Config(scale=0.0), 0.313262),
    ],
)
def test_loss_by_hand(config: Config, expected: float) -> None:
    assert loss(config, batch(1.0, 2.0)).item() == pytest.approx(expected, abs=1e-6)


def test_the_discrepancy_is_the_kl_of_two_coins() -> None:
    first_P, second_P = torch.tensor([1.0, -2.0, 0.3]), torch.tensor([2.0, -2.0, -0.7])
    coins = [torch.distributions.Bernoulli(logits=logit_P) for logit_P in (second_P, first_P)]
    expected_P = torch.distributions.kl_divergence(coins[0], coins[1])
    assert_close(discrepancy(first_P, second_P), expected_P)
    assert discrepancy(first_P, first_P).abs().max().item() < 1e-6


def test_readings_that_agree_are_bradley_terry() -> None:
    given = batch(-0.7, -0.7)
    assert_close(loss(Config(), given), bradley_terry_loss(given.chosen_P, given.rejected_P))


def test_the_two_readings_are_pulled_together() -> None:
    given = batch(1.0, 4.0)
    assert given.chosen.output_PC is not None
    config = Config(weight=5.0)
    (slope_PC,) = torch.autograd.grad(loss(config, given).sum(), given.chosen.output_PC)
    assert slope_PC[0, 0] < 0 < slope_PC[0, 1]


def test_readings_differ_in_training_only() -> None:
    torch.manual_seed(0)
    head = make_head(Config(dropout=0.5), HeadShape(8))
    states = HeadStates(torch.randn(32, 8), torch.zeros(32, 8))
    read = head.train()(states)
    assert (read[:, 0] - read[:, 1]).abs().max().item() > 0.1
    read = head.eval()(states)
    assert_close(read[:, 0], read[:, 1])
    assert_close(read[:, 0], head.linear(states.last_BD).squeeze(1))
