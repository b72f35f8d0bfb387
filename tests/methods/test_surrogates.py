from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.surrogates import (
    batch_token_mean,
    clipped_surrogate,
    group_standardized,
    k3,
    penalty,
    response_log_ratio,
    token_log_ratio,
    token_mean,
)

MASK_BNT = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
VALUE_BNT = torch.tensor([[[1.0, 3.0], [5.0, 99.0]]])


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [(1.5, 1.0, -1.2), (0.5, 1.0, -0.5), (1.5, -1.0, 1.5), (0.5, -1.0, 0.8), (1.1, 2.0, -2.2)],
)
def test_clipping_is_pessimistic(ratio: float, advantage: float, expected: float) -> None:
    loss = clipped_surrogate(torch.tensor(ratio).log(), torch.tensor(advantage), 0.2, 0.2)
    assert loss.item() == pytest.approx(expected)


def test_the_two_bounds_may_differ() -> None:
    up, down = math.log(1.5), math.log(0.5)
    loss = clipped_surrogate(torch.tensor([up, down]), torch.tensor([1.0, -1.0]), 0.1, 0.3)
    assert loss.tolist() == pytest.approx([-1.3, 0.9])


def test_ratios_leave_padding_out() -> None:
    sampled = Reading(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), MASK_BNT)
    step = RolloutStep(
        Rollout(torch.zeros(1, 2), sampled),
        sampled._replace(policy_logp=VALUE_BNT),
        torch.zeros(1, 2),
    )
    assert token_log_ratio(step).tolist() == [[[1.0, 3.0], [5.0, 0.0]]]
    assert response_log_ratio(step).tolist() == [[4.0, 5.0]]


def test_k3_by_hand() -> None:
    """exp(-.2) + .2 - 1 = .0187; padding counts for nothing."""
    logp_BNT = torch.tensor([[[0.2, 0.0], [0.0, 7.0]]])
    found = k3(Reading(logp_BNT, torch.zeros(1, 2, 2), MASK_BNT))
    assert found.flatten().tolist() == pytest.approx([0.0187, 0, 0, 0], abs=5e-5)


def test_a_corrected_penalty_is_weighted_by_the_ratio() -> None:
    zero_BNT = torch.zeros(1, 2, 2)
    seen = Rollout(torch.zeros(1, 2), Reading(zero_BNT, zero_BNT - 0.1, MASK_BNT))
    now = seen.sampled._replace(policy_logp=torch.full((1, 2, 2), 0.1) * MASK_BNT)
    step = RolloutStep(seen, now, torch.zeros(1, 2))
    plain, corrected = (penalty(step, way)[0, 0, 0].item() for way in (False, True))
    assert plain == pytest.approx(0.0187, abs=5e-5)
    assert corrected == pytest.approx(plain * math.exp(0.1))


def test_standardized_groups_by_hand() -> None:
    """1, 2, 4: mean 7/3, SD sqrt(7/3)."""
    found = group_standardized(torch.tensor([[1.0, 2.0, 4.0], [5.0, 5.0, 5.0]]))
    assert found[0].tolist() == pytest.approx([-0.8728, -0.2182, 1.0910], abs=5e-5)
    assert found[1].tolist() == [0.0, 0.0, 0.0]


def test_means_by_hand() -> None:
    assert token_mean(VALUE_BNT, MASK_BNT).tolist() == [[2.0, 5.0]]
    assert batch_token_mean(VALUE_BNT, MASK_BNT).mean().item() == pytest.approx(9 / 3)
