import math

import pytest
import torch

from overopt.proxies.contract.heads import HeadShape
from overopt.proxies.multicalib import Config, loss, make_head

from .headed import outputs, read, states


def test_losses_by_hand() -> None:
    """Raw 1 apart; of group 1, 2 apart; the router's logits 0 and log 3."""
    chosen_PC = torch.tensor([[9.0, 1.0, 0.5, 2.0, 0.0, math.log(3.0)]])
    rejected_PC = torch.zeros(1, 6)
    labels = {"category": torch.tensor([1])}
    found = loss(Config(), outputs(chosen_PC, rejected_PC, labels))
    # .313262 + log(1 + e^-2) = .126928 - log .75
    assert found.item() == pytest.approx(0.313262 + 0.126928 + 0.287682, abs=1e-6)
    plain = loss(Config(router_weight=0.0), outputs(chosen_PC, rejected_PC, labels))
    assert plain.item() == pytest.approx(0.313262 + 0.126928, abs=1e-6)


def test_the_trunk_learns_what_a_single_reward_model_learns() -> None:
    head = make_head(Config(), HeadShape(6, {"category": 3}))
    both = states(5, 6)
    labels = {"category": torch.tensor([0, 1, 2, 1, 0])}
    found = loss(Config(), read(head, both, labels))
    (slope_PD,) = torch.autograd.grad(found.sum(), both[0].last_BD)
    margin_P = (both[0].last_BD - both[1].last_BD) @ head.reward.weight[0]
    plain = -torch.nn.functional.logsigmoid(margin_P)
    (expected_PD,) = torch.autograd.grad(plain.sum(), both[0].last_BD)
    torch.testing.assert_close(slope_PD, expected_PD)


def test_scales_end_where_each_group_is_calibrated() -> None:
    """Margins of 2, of which labels confirm 9 of 10 in one group and 6 of 10 in the other."""
    head = make_head(Config(), HeadShape(1, {"category": 2}))
    margin_P = torch.tensor([2.0] * 9 + [-2.0] + [2.0] * 6 + [-2.0] * 4)
    group_P = torch.tensor([0] * 10 + [1] * 10)
    optimizer = torch.optim.Adam([head.log_scale_G], lr=0.05)
    for _ in range(400):
        scaled_PG = margin_P[:, None] * head.log_scale_G.exp()
        chosen_PC = torch.cat([margin_P[:, None], margin_P[:, None], scaled_PG], 1)
        chosen_PC = torch.cat([chosen_PC, torch.zeros(20, 2)], 1)
        optimizer.zero_grad()
        given = outputs(chosen_PC, torch.zeros(20, 6), {"category": group_P})
        torch.autograd.backward(loss(Config(), given).mean())
        optimizer.step()
    found = (2.0 * head.log_scale_G.exp()).tolist()
    assert found == pytest.approx([math.log(9.0), math.log(1.5)], abs=1e-3)


def test_the_reward_is_that_of_the_group_that_the_router_reads() -> None:
    head = make_head(Config(), HeadShape(6, {"category": 3}))
    with torch.no_grad():
        head.log_scale_G.copy_(torch.tensor([0.0, 1.0, -1.0]))
        head.router.weight.zero_()
        head.router.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    both = states(5, 6)
    output_PC = head(both[0])
    torch.testing.assert_close(output_PC[:, 0], output_PC[:, 1] * math.exp(-1.0))
