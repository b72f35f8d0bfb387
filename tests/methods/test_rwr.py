from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import rwr
from tabular_optima import table


def weighted(config: rwr.Config, reward_BN: torch.Tensor) -> torch.Tensor:
    zero_BNT = torch.zeros(*reward_BN.shape, 1)
    built = rwr.build(config, Rollout(reward_BN, Reading(zero_BNT, zero_BNT, zero_BNT + 1)))
    assert built.row_K.tolist() == list(range(reward_BN.numel()))
    assert built.weight_K is not None
    return built.weight_K


def test_weights_are_exponentials_of_scores() -> None:
    rewards = torch.tensor([[0.0, 1.0], [-2.0, 3.0]])
    found = weighted(rwr.Config(temperature=2.0), rewards).tolist()
    assert found == pytest.approx([1.0, math.exp(0.5), math.exp(-1.0), math.exp(1.5)])


def test_small_temperatures_leave_the_ratios_of_weights() -> None:
    """At the lowest T, 8 SDs are e^80; the weight of 1 SD less is e^-10 of it."""
    found = weighted(rwr.Config(temperature=rwr.KNOB.low), torch.tensor([[8.0, 7.0], [-2.0, 0.0]]))
    assert found[:2].tolist() == pytest.approx([math.exp(20), math.exp(10)], rel=1e-4)
    assert found[2:].tolist() == pytest.approx([0.0, math.exp(-60)], abs=1e-20)


def test_loss_by_hand() -> None:
    """-2 (-.5 - 1) = 3 and -.5 (-2), padding left out."""
    batch = Reading(
        torch.tensor([[-0.5, -1.0], [-2.0, -9.0]]),
        torch.zeros(2, 2),
        torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        weight=torch.tensor([2.0, 0.5]),
    )
    assert rwr.loss(rwr.Config(), batch).tolist() == pytest.approx([3.0, 1.0])


def round_from(logp_R: torch.Tensor, config: rwr.Config) -> torch.Tensor:
    """log-probabilities after a round of infinitely many samples of a policy, fully fitted."""
    weight_R = weighted(config, table.REWARD_R[None])

    def expected_loss(logits_R: torch.Tensor) -> torch.Tensor:
        now_R1 = torch.log_softmax(logits_R, -1)[:, None]
        batch = Reading(now_R1, 0 * now_R1, torch.ones_like(now_R1), weight=weight_R)
        return (logp_R.exp() * rwr.loss(config, batch)).sum()

    return table.minimize(expected_loss)


def test_every_round_tilts_by_the_reward_again() -> None:
    config = rwr.Config(temperature=1.5)
    first_R = round_from(table.REFERENCE_LOGP_R, config)
    assert torch.allclose(first_R, table.tilted(1.5), atol=1e-5)
    assert torch.allclose(round_from(first_R, config), table.tilted(1.5 / 2), atol=1e-5)


def test_a_high_temperature_learns_what_was_drawn() -> None:
    found_R = round_from(table.REFERENCE_LOGP_R, rwr.Config(temperature=1e6))
    assert torch.allclose(found_R, table.REFERENCE_LOGP_R, atol=1e-5)
