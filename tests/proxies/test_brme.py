from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.brme import Config, fit, loss, make_head, mix
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading


@pytest.mark.parametrize(("nominal", "expected"), [(0.4, 1.2), (1.0, 1.5), (0.0, 1.0)])
def test_mixture_by_hand(nominal: float, expected: float) -> None:
    """The second head is the surest: 1.5; the first one is the least: 1."""
    mean_BK, sd_BK = torch.tensor([[1.0, 1.5, 2.0]]), torch.tensor([[0.3, 0.1, 0.9]])
    assert mix(mean_BK, sd_BK.log(), nominal).item() == pytest.approx(expected)


def test_among_equal_sds_the_first_head_is_nominal() -> None:
    mean_BK = torch.tensor([[2.0, 1.0, 3.0]])
    assert mix(mean_BK, torch.zeros(1, 3), 1.0).item() == 2.0


def test_without_the_nominal_head_it_is_the_worst_case_and_one_head_is_itself() -> None:
    mean_BK, log_sd_BK = torch.randn(6, 4), torch.randn(6, 4)
    assert_close(mix(mean_BK, log_sd_BK, 0.0), mean_BK.min(1).values)
    assert_close(mix(mean_BK[:, :1], log_sd_BK[:, :1], 0.3), mean_BK[:, 0])


def test_the_fit_by_hand() -> None:
    """Misses 1 and -2 of r_0 = 1, SDs 1 and 2: (.5 + 0 + .5 + log 2) / 2."""
    output_PC = torch.tensor([[9.0, 1.0, 2.0, -1.0, 0.0, math.log(2.0)]])
    assert fit(output_PC, 2).item() == pytest.approx((1.0 + math.log(2.0)) / 2)


def test_loss_by_hand() -> None:
    """log(1 + e^-1), and fits of 0 and of .5 x 9 / 4 + log 2 with one head."""
    chosen_PC = torch.tensor([[9.0, 1.0, 1.0, 0.0]])
    rejected_PC = torch.tensor([[9.0, 0.0, 3.0, math.log(2.0)]])
    batch = ReadBatch(chosen_PC[:, 0], rejected_PC[:, 0], Reading(chosen_PC), Reading(rejected_PC))
    expected = 0.313262 + (1.125 + math.log(2.0)) / 2
    assert loss(Config(heads=1), batch).item() == pytest.approx(expected, abs=1e-6)


def test_only_the_base_moves_the_trunk_and_heads_follow_it() -> None:
    torch.manual_seed(0)
    config = Config(heads=3)
    made = make_head(config, HeadShape(4))
    state_2PD = torch.randn(2, 5, 4).requires_grad_()
    outputs = [made(HeadStates(side_PD, torch.zeros(5, 4))) for side_PD in state_2PD]
    readings = [Reading(output_PC) for output_PC in outputs]
    batch = ReadBatch(outputs[0][:, 0], outputs[1][:, 0], readings[0], readings[1])
    (slope,) = torch.autograd.grad(loss(config, batch).sum(), state_2PD, retain_graph=True)
    plain_P = bradley_terry_loss(outputs[0][:, 1], outputs[1][:, 1])
    (expected,) = torch.autograd.grad(plain_P.sum(), state_2PD, retain_graph=True)
    assert_close(slope, expected)
    torch.autograd.backward(loss(config, batch).sum())
    for name, value in made.named_parameters():
        assert value.grad is not None and value.grad.abs().sum() > 0, name


def test_heads_learn_the_base_where_it_was_seen_and_are_unsure_of_what_they_miss() -> None:
    torch.manual_seed(0)
    config = Config(heads=2, hidden=16)
    made = make_head(config, HeadShape(2))
    made.base.requires_grad_(False)
    state_BD = torch.randn(128, 2)
    steps = torch.optim.Adam(made.heads.parameters(), lr=0.02)
    for _ in range(200):
        steps.zero_grad()
        torch.autograd.backward(fit(made(HeadStates(state_BD, state_BD)), 2).mean())
        steps.step()
    output_BC = made(HeadStates(state_BD, state_BD)).detach()
    miss_BK = (output_BC[:, 2:4] - output_BC[:, 1:2]).abs()
    assert miss_BK.mean().item() < 0.1
    assert output_BC[:, 4:].exp().mean().item() < 0.2
