from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    Reading,
    TrainedStates,
)
from overopt.proxies.inform import Bottleneck, Config, divergence, loss, make_head, settle


def states(state_BD: Tensor) -> HeadStates:
    return HeadStates(state_BD, torch.zeros_like(state_BD))


def head(config: Config, encoder: list[list[float]], decoder: list[float]) -> Bottleneck:
    """A head whose weights are these: rows are means, then log-variances, of the latents."""
    made = make_head(config, HeadShape(len(encoder[0])))
    with torch.no_grad():
        made.encoder.weight.copy_(torch.tensor(encoder))
        made.decoder.weight.copy_(torch.tensor([decoder]))
    return made


def test_the_kl_by_hand_and_the_codes_is_weaker() -> None:
    """(1 + 1 - 1 - 0 + 1 + 4 - 1 - log 4) / 2; means that cancel leave (2 - 1 - log 2) / 2."""
    rows = [[1.0], [-1.0], [0.0], [math.log(4.0)]]
    for averaged, expected in ((False, 1.806853), (True, 0.153426)):
        made = head(Config(latents=2, averaged=averaged), rows, [1.0, 0.0]).eval()
        assert made(states(torch.ones(1, 1)))[0, 1].item() == pytest.approx(expected, abs=1e-6)


def test_both_kls_are_equal_with_one_latent() -> None:
    state_BD = torch.randn(6, 3)
    torch.manual_seed(0)
    made = make_head(Config(latents=1), HeadShape(3)).eval()
    paper = made(states(state_BD))
    made.averaged = True
    assert_close(made(states(state_BD)), paper)


def test_it_is_the_kl_of_two_normals() -> None:
    mean_BE, log_variance_BE = torch.randn(4, 3), torch.randn(4, 3)
    ours = torch.distributions.Normal(mean_BE, (log_variance_BE / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(4, 3), torch.ones(4, 3))
    expected_B = torch.distributions.kl_divergence(ours, prior).sum(1)
    assert_close(divergence(mean_BE, log_variance_BE), expected_B)


def test_loss_by_hand() -> None:
    """log(1 + e^-1) + .1 (1.2 + .8) / 2."""
    outputs = [torch.tensor([[1.5, 1.2, 9.0]]), torch.tensor([[0.5, 0.8, 9.0]])]
    rewards = [output_PC[:, 0] for output_PC in outputs]
    batch = ReadBatch(rewards[0], rewards[1], Reading(outputs[0]), Reading(outputs[1]))
    assert loss(Config(weight=0.1), batch).item() == pytest.approx(0.413262, abs=1e-6)
    assert loss(Config(weight=0.0), batch).item() == pytest.approx(0.313262, abs=1e-6)


def test_latents_are_drawn_in_training_and_are_their_means_in_evaluation() -> None:
    made = head(Config(latents=1), [[2.0], [math.log(9.0)]], [1.0])
    many = states(torch.ones(4000, 1))
    torch.manual_seed(0)
    drawn_B = made.train()(many)[:, 0]
    assert drawn_B.mean().item() == pytest.approx(2.0, abs=0.2)
    assert drawn_B.std().item() == pytest.approx(3.0, abs=0.2)
    assert_close(made.eval()(many)[:, 0], torch.full((4000,), 2.0))


def test_distance_from_the_initial_policys_latents_by_hand() -> None:
    """Latents 0 and 2 have mean 1 and variance 2: 3 is 2 / sqrt 2 away."""
    made = head(Config(latents=1, penalty=0.5), [[1.0], [0.0]], [1.0]).eval()
    sample = states(torch.tensor([[3.0]]))
    assert made(sample)[0].tolist() == pytest.approx([3.0, 4.5, 0.0])
    one, other = states(torch.tensor([[0.0]])), states(torch.tensor([[2.0]]))
    length_P = torch.ones(1)
    settle(Config(), made, TrainedStates(one, other, length_P, length_P))
    assert made(sample)[0].tolist() == pytest.approx([3.0 - 0.5 * 1.414213, 4.5, 1.414213])


def test_distances_of_the_samples_themselves_have_the_square_of_their_dimensions() -> None:
    """The mean of D^2 over N samples is d (N - 1) / N, whatever their covariance."""
    torch.manual_seed(0)
    made = make_head(Config(latents=3), HeadShape(5)).eval()
    sides = [states(torch.randn(20, 5)) for _ in range(2)]
    length_P = torch.ones(20)
    settle(Config(), made, TrainedStates(sides[0], sides[1], length_P, length_P))
    far_N = torch.cat([made(side)[:, 2] for side in sides])
    assert (far_N**2).mean().item() == pytest.approx(3 * 39 / 40, rel=1e-3)


def test_more_latents_than_the_state_has_numbers_measure_distances_of_states() -> None:
    """The distance is the same in all coordinates, also where the covariance is singular."""
    torch.manual_seed(0)
    made = make_head(Config(latents=128), HeadShape(32)).eval()
    sides = [states(torch.randn(500, 32)) for _ in range(2)]
    length_P = torch.ones(500)
    settle(Config(), made, TrainedStates(sides[0], sides[1], length_P, length_P))
    state_ND = torch.cat([side.last_BD for side in sides]).double()
    precision_DD = torch.linalg.inv(torch.cov(state_ND.T))
    for factor in (1.0, 10.0):  # of usual responses, and of far ones
        fresh_ND = factor * torch.randn(200, 32)
        away_ND = fresh_ND.double() - state_ND.mean(0)
        expected_N = torch.einsum("nd,de,ne->n", away_ND, precision_DD, away_ND).sqrt().float()
        assert_close(made(states(fresh_ND))[:, 2], expected_N, rtol=1e-3, atol=0)


def test_a_dear_bottleneck_makes_the_reward_constant() -> None:
    torch.manual_seed(0)
    state_2PD = torch.randn(2, 64, 4)
    state_2PD[0, :, 0] += 2.0
    spread = {}
    for weight in (0.0, 10.0):
        config = Config(latents=4, weight=weight)
        made = make_head(config, HeadShape(4))
        steps = torch.optim.Adam(made.parameters(), lr=0.02)
        for _ in range(150):
            outputs = [made(states(side_PD)) for side_PD in state_2PD]
            readings = [Reading(output_PC) for output_PC in outputs]
            batch = ReadBatch(outputs[0][:, 0], outputs[1][:, 0], readings[0], readings[1])
            steps.zero_grad()
            torch.autograd.backward(loss(config, batch).mean())
            steps.step()
        reward_2P = [made.eval()(states(side_PD))[:, 0] for side_PD in state_2PD]
        spread[weight] = (reward_2P[0] - reward_2P[1]).mean().item()
    assert spread[0.0] > 2.0 and abs(spread[10.0]) < 0.05
