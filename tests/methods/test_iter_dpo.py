from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import iter_dpo
from tabular_optima import table


def build(reward_BN: torch.Tensor, **config: Any) -> tuple[list[int], list[int], list[float]]:
    zero_BNT = torch.zeros(*reward_BN.shape, 1)
    rollout = Rollout(reward_BN, Reading(zero_BNT, zero_BNT, zero_BNT + 1))
    built = iter_dpo.build(iter_dpo.Config(**config), rollout)
    assert built.label_P is not None
    return built.chosen_P.tolist(), built.rejected_P.tolist(), built.label_P.tolist()


def test_best_and_worst_make_the_pair() -> None:
    rewards = torch.tensor([[1.0, 3.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0], [7.0, 4.0, 7.0, 4.0]])
    assert build(rewards) == ([1, 8], [3, 9], [1.0, 1.0])


def test_labels_are_soft_or_smoothed() -> None:
    rewards = torch.tensor([[1.0, 3.0, 2.0, 0.0]])
    (soft,) = build(rewards, soft_labels=True)[2]
    assert soft == pytest.approx(1 / (1 + math.exp(-3)))
    (smoothed,) = build(rewards, smoothing=0.1)[2]
    assert smoothed == pytest.approx(0.9)
    (both,) = build(rewards, soft_labels=True, smoothing=0.1)[2]
    assert both == pytest.approx(0.9 * soft + 0.1 * (1 - soft))


@pytest.mark.parametrize("reanchor", [True, False])
def test_loss_by_hand(reanchor: bool) -> None:
    """beta m = .1 (.3 + .1) = .04; .9 log(1 + e^-.04) + .1 log(1 + e^.04) = .6773."""
    own, other = torch.tensor([[-0.7]]), torch.tensor([[-5.0]])
    mask = torch.ones(1, 1)
    sides = []
    for log_ratio in (0.3, -0.1):
        anchor = own - log_ratio
        reference, sampled = (other, anchor) if reanchor else (anchor, other)
        sides.append(Reading(own, reference, mask, sampled_logp=sampled, label=torch.tensor([0.9])))
    config = iter_dpo.Config(beta=0.1, reanchor=reanchor)
    (found,) = iter_dpo.loss(config, SamplePairs(*sides)).tolist()
    assert found == pytest.approx(0.6773, abs=5e-5)


@pytest.mark.parametrize(("reanchor", "expected"), [(True, 2.0 / 3), (False, 2.0)])
def test_rounds_reach_the_tilted_reference(reanchor: bool, expected: float) -> None:
    """Soft labels: pi_ref exp(t r / beta) / Z after t re-anchored rounds, else whatever t."""
    config = iter_dpo.Config(beta=2.0, reanchor=reanchor)
    start_R = table.REFERENCE_LOGP_R
    for _ in range(3):

        def expected_loss(logits_R: torch.Tensor, start_R: torch.Tensor = start_R) -> torch.Tensor:
            logp_R = torch.log_softmax(logits_R, -1)
            pairs = table.fresh_pairs(logp_R, start_R, table.REFERENCE_LOGP_R)
            batch = table.labeled(pairs, table.preference_RR())
            chance_P = torch.outer(start_R.exp(), start_R.exp()).flatten()
            return (chance_P * iter_dpo.loss(config, batch)).sum()

        start_R = table.minimize(expected_loss, start_R)
    assert torch.allclose(start_R, table.tilted(expected), atol=1e-5)
