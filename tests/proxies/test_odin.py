from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.models.rewards.reward_fitting import bradley_terry_loss
from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, Reading
from overopt.proxies.odin import Config, TwoHeads, correlation, loss, make_head


def batch(
    chosen: list[list[float]], rejected: list[list[float]], lengths: list[list[float]]
) -> ReadBatch:
    """Comparisons with these outputs and lengths of both sides."""
    sides = [torch.tensor(side) for side in (chosen, rejected)]
    readings = [
        Reading(side, length_P=torch.tensor(length))
        for side, length in zip(sides, lengths, strict=True)
    ]
    return ReadBatch(sides[0][:, 0], sides[1][:, 0], readings[0], readings[1])


def test_correlation_is_pearsons_and_0_without_variation() -> None:
    torch.manual_seed(0)
    first_N, second_N = torch.randn(9), torch.randn(9)
    expected = torch.corrcoef(torch.stack([first_N, second_N]))[0, 1]
    assert_close(correlation(first_N, second_N), expected)
    assert correlation(first_N, torch.ones(9)).item() == 0.0
    flat_N = torch.ones(9, requires_grad=True)
    (slope_N,) = torch.autograd.grad(correlation(flat_N, second_N), flat_N)
    assert torch.isfinite(slope_N).all()


def test_loss_by_hand() -> None:
    """One pair: quality 1 and 0, length head 0 and .5, lengths 3 and 5, cosine -.25.

    The margin is 1 - .5 = .5: .474077; quality has correlation -1 with length, the length head 1.
    """
    given = batch([[1.0, 0.0, -0.25]], [[0.0, 0.5, -0.25]], [[3.0], [5.0]])
    for config, penalty in (
        (Config(), 1.0 + 0.0 + 0.25),
        (Config(length_weight=0.5, ortho_weight=0.0), 0.5),
        (Config(length_weight=0.0, ortho_weight=2.0), 0.5),
    ):
        assert loss(config, given).item() == pytest.approx(0.474077 + penalty, abs=1e-5)


def test_a_length_head_that_runs_backwards_costs_two() -> None:
    given = batch([[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]], [[3.0], [5.0]])
    expected = 0.313262 + 2.0
    assert loss(Config(), given).item() == pytest.approx(expected, abs=1e-5)


def test_without_penalties_it_is_bradley_terry_of_the_sum() -> None:
    given = batch([[1.0, -0.3, 0.1], [0.2, 0.4, 0.1]], [[0.5, 0.5, 0.1]] * 2, [[3.0, 4.0]] * 2)
    plain_P = bradley_terry_loss(torch.tensor([0.7, 0.6]), torch.tensor([1.0, 1.0]))
    assert_close(loss(Config(length_weight=0.0, ortho_weight=0.0), given), plain_P)


def head(weight: list[list[float]]) -> TwoHeads:
    made = make_head(Config(), HeadShape(len(weight[0])))
    with torch.no_grad():
        made.weight_2D.copy_(torch.tensor(weight))
    return made


def test_weights_are_centered_and_of_length_one() -> None:
    """(3, 1) and (0, 4) are (1, -1) and (-2, 2) around their means: cosine -1."""
    made = head([[3.0, 1.0], [0.0, 4.0]])
    states = HeadStates(torch.tensor([[2.0, 1.0]]), torch.zeros(1, 2))
    expected = [math.sqrt(0.5), -math.sqrt(0.5), -1.0]
    assert made(states)[0].tolist() == pytest.approx(expected, abs=1e-6)


def trained(config: Config, width: int, rate: float, steps: int) -> tuple[Tensor, Tensor]:
    """Quality and length of responses, (N,) each, after steps of Adam on the heads.

    Preferences follow length, which is the first number of the state, and the second number.
    """
    state_2PD = torch.randn(2, 400, width)
    better_2P = state_2PD[..., 0] + state_2PD[..., 1]
    swap_P = better_2P[0] < better_2P[1]
    state_2PD = torch.where(swap_P[None, :, None], state_2PD.flip(0), state_2PD)
    lengths = state_2PD[..., 0]
    made = make_head(config, HeadShape(width))
    search = torch.optim.Adam(made.parameters(), lr=rate)
    for _ in range(steps):
        outputs = [made(HeadStates(side_PD, side_PD)) for side_PD in state_2PD]
        readings = [
            Reading(output_PC, length_P=length_P)
            for output_PC, length_P in zip(outputs, lengths, strict=True)
        ]
        given = ReadBatch(outputs[0][:, 0], outputs[1][:, 0], readings[0], readings[1])
        search.zero_grad()
        torch.autograd.backward(loss(config, given).mean())
        search.step()
    return torch.cat(outputs).detach()[:, 0], lengths.flatten()


def test_length_goes_to_its_head_and_the_reward_is_free_of_it() -> None:
    """Without penalties the reward has both."""
    found = {}
    for config in (Config(), Config(length_weight=0.0)):
        torch.manual_seed(0)
        found[config] = correlation(*trained(config, 4, 0.05, 150)).abs().item()
    assert found[Config()] < 0.1 < 0.3 < found[Config(length_weight=0.0)]


@pytest.mark.parametrize("seed", range(4))
def test_a_reward_model_s_few_steps_turn_the_heads(seed: int) -> None:
    """64 steps at rate .002, on a state of 32 numbers, bring quality from chance to no length."""
    torch.manual_seed(seed)
    assert correlation(*trained(Config(), 32, 0.002, 64)).abs().item() < 0.02
