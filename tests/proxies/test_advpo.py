from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.advpo import Config, Region, loss, make_head, settle
from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    Reading,
    TrainedStates,
)


def states(state_BD: Tensor) -> HeadStates:
    return HeadStates(state_BD, torch.zeros_like(state_BD))


def settled(config: Config, weight: list[float], chosen: Tensor, rejected: Tensor) -> Region:
    made = make_head(config, HeadShape(len(weight)))
    with torch.no_grad():
        made.linear.weight.copy_(torch.tensor([weight]))
    length_P = torch.ones(len(chosen))
    settle(config, made, TrainedStates(states(chosen), states(rejected), length_P, length_P))
    return made


def test_reward_by_hand() -> None:
    """States (2, 0) and (0, 1): M = diag(5, 2), z = (2, 0); h = (4, 2) leads by (2, 2).

    The reward is 2 x 1 + 2 x .5 = 3, less the root of 2 (4 / 5 + 4 / 2) = 5.6.
    """
    chosen, rejected = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    made = settled(Config(), [1.0, 0.5], chosen, rejected)
    below = math.sqrt(5.6)
    found = made(states(torch.tensor([[4.0, 2.0]])))[0]
    assert found.tolist() == pytest.approx([3.0 - below, below], abs=1e-5)
    half = settled(Config(radius=0.5), [1.0, 0.5], chosen, rejected)
    assert half(states(torch.tensor([[4.0, 2.0]])))[0, 1].item() == pytest.approx(below / 2)


def test_no_layer_of_the_region_is_less_favorable_and_one_is_as_much() -> None:
    torch.manual_seed(0)
    sides = [torch.randn(20, 3) for _ in range(2)]
    weight_D = torch.tensor([0.5, -1.0, 0.2])
    made = settled(Config(), weight_D.tolist(), sides[0], sides[1])
    sample_BD = torch.randn(5, 3)
    least_B = made(states(sample_BD))[:, 0].detach()
    lead_BD = sample_BD - sides[0].mean(0)
    # layers on the region's edge: w + sqrt(B) M^-1/2 u for all directions u
    root_DD = torch.linalg.cholesky(made.inverse_DD)
    unit_KD = torch.nn.functional.normalize(torch.randn(100_000, 3), dim=1)
    layer_KD = weight_D + math.sqrt(3.0) * unit_KD @ root_DD.T
    reward_KB = layer_KD @ lead_BD.T
    assert (reward_KB.min(0).values >= least_B - 1e-4).all()
    assert_close(reward_KB.min(0).values, least_B, atol=0.01, rtol=0)


def test_the_reference_response_is_certain() -> None:
    chosen = torch.tensor([[2.0, 1.0], [4.0, -1.0]])
    made = settled(Config(), [1.0, 0.5], chosen, torch.randn(2, 2))
    found = made(states(chosen.mean(0, keepdim=True)))[0]
    assert found.tolist() == pytest.approx([0.0, 0.0])


def test_it_is_bradley_terry_in_training_and_ranks_alike_without_a_region() -> None:
    made = make_head(Config(), HeadShape(3))
    state_BD = torch.randn(4, 3).requires_grad_()
    output_BC = made(states(state_BD))
    assert_close(output_BC[:, 0], made.linear(state_BD).squeeze(1))
    batch = ReadBatch(output_BC[:2, 0], output_BC[2:, 0], Reading(), Reading())
    assert_close(loss(Config(), batch), bradley_terry_loss(batch.chosen_P, batch.rejected_P))
    (slope_BD,) = torch.autograd.grad(output_BC[:, 0].sum(), state_BD)
    assert_close(slope_BD, made.linear.weight.detach().expand(4, 3))
    sides = [torch.randn(5, 3) for _ in range(2)]
    calm = settled(Config(radius=0.0), [1.0, 2.0, 3.0], sides[0], sides[1])
    shift_B = calm(states(sides[1]))[:, 0] - sides[1] @ torch.tensor([1.0, 2.0, 3.0])
    assert_close(shift_B, shift_B[:1].expand(5))
