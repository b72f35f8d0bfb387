import math

import pytest
import torch
from torch import Tensor

from overopt.proxies.contract.heads import HeadShape, HeadStates, TrainedStates
from overopt.proxies.multicalib import Config, Scaled, loss, make_head, settle

from .headed import outputs, read, states


def test_losses_by_hand() -> None:
    """Raw 1 apart; the router's logits 0 and log 3: .313262 - log .75."""
    chosen_PC = torch.tensor([[9.0, 1.0, 0.0, math.log(3.0)]])
    rejected_PC = torch.zeros(1, 4)
    labels = {"category": torch.tensor([1])}
    found = loss(Config(), outputs(chosen_PC, rejected_PC, labels))
    assert found.item() == pytest.approx(0.313262 + 0.287682, abs=1e-6)
    plain = loss(Config(router_weight=0.0), outputs(chosen_PC, rejected_PC, labels))
    assert plain.item() == pytest.approx(0.313262, abs=1e-6)


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


def settled(margin_P: Tensor, group_P: Tensor, groups: int = 2) -> Scaled:
    """Scales for these raw margins of comparisons of these groups."""
    head = make_head(Config(), HeadShape(1, {"category": groups})).eval()
    with torch.no_grad():
        head.reward.weight.fill_(1.0)
    chosen, rejected = (
        HeadStates(side[:, None], side[:, None]) for side in (margin_P, 0 * margin_P)
    )
    length_P = torch.ones(len(margin_P))
    labels = {"category": group_P}
    settle(Config(), head, TrainedStates(chosen, rejected, length_P, length_P, labels))
    return head


def test_scales_end_where_each_group_is_calibrated() -> None:
    """Margins of 2, of which labels confirm 9 of 10 in one group and 6 of 10 in the other."""
    margin_P = torch.tensor([2.0] * 9 + [-2.0] + [2.0] * 6 + [-2.0] * 4).repeat(500)
    group_P = torch.tensor([0] * 10 + [1] * 10).repeat(500)
    found = (2.0 * settled(margin_P, group_P).log_scale_G.exp()).tolist()
    assert found == pytest.approx([math.log(9.0), math.log(1.5)], rel=0.01)


def test_groups_without_errors_or_comparisons_have_a_finite_scale() -> None:
    """20 comparisons that are all right: log 20 is more than a prior of SD 1 lets s be."""
    found_G = settled(torch.full((20,), 2.0), torch.zeros(20, dtype=torch.long), 3).log_scale_G
    assert 0.0 < found_G[0].item() < math.log(20.0)
    assert found_G[1:].tolist() == [0.0, 0.0]
    # where the sum of -log sigmoid(2 exp(s)) and s^2 / 2 is flat
    pulled = 20 * 2 * found_G[0].exp() * torch.sigmoid(-2 * found_G[0].exp())
    assert found_G[0].item() == pytest.approx(pulled.item(), rel=1e-4)


def test_the_reward_is_that_of_the_group_that_the_router_reads() -> None:
    head = make_head(Config(), HeadShape(6, {"category": 3}))
    head.log_scale_G.copy_(torch.tensor([0.0, 1.0, -1.0]))
    with torch.no_grad():
        head.router.weight.zero_()
        head.router.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))
    both = states(5, 6)
    output_PC = head(both[0])
    torch.testing.assert_close(output_PC[:, 0], output_PC[:, 1] * math.exp(-1.0))
