from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.iterative import rest

from . import fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R

IN_PROPORTION_N = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)


def kept(reward: list[float], quantile: float, thresholds: int) -> list[int]:
    config = rest.Config(quantile=quantile, thresholds=thresholds)
    rows: list[int] = rest.build(config, fresh.rollout([reward])).row_K.tolist()
    return rows


def test_a_sample_counts_once_for_each_threshold_that_it_passes() -> None:
    """Of four samples .5 leaves out the worst two, and .25 before it the worst one."""
    assert kept([1.0, 3.0, 2.0, 0.0], 0.5, 1) == [1, 2]
    assert kept([1.0, 3.0, 2.0, 0.0], 0.5, 2) == [0, 1, 2, 1, 2]
    assert kept([1.0, 3.0, 2.0, 0.0], 0.9, 1) == [1]
    assert kept([2.0] * 3, 0.9, 1) == [0, 1, 2]
    assert kept([1.0], 0.99, 2) == [0, 0]


def test_one_threshold_restricts_the_policy() -> None:
    """b and c are above the median: (0, .6, .4), at KL log 2."""
    row_K = rest.build(
        rest.Config(quantile=0.5, thresholds=1), fresh.rollout(REWARD_R[IN_PROPORTION_N][None])
    ).row_K
    found_R = fresh.learned(
        lambda logp_R: rest.loss(rest.Config(), fresh.read(logp_R, IN_PROPORTION_N[row_K])).mean()
    )
    assert found_R.exp().tolist() == pytest.approx([0.0, 0.6, 0.4], abs=1e-4)
    kl = (found_R.exp() * (found_R - LOG_REFERENCE_R)).sum().item()
    assert kl == pytest.approx(math.log(2), abs=1e-3)


def test_a_round_is_one_pass_in_minibatches() -> None:
    assert rest.training(rest.Config(minibatches=4))[:2] == (1, 4)


@pytest.mark.parametrize("restart", [True, False])
def test_rounds_start_again_only_if_asked_to(restart: bool) -> None:
    config = rest.Config(restart=restart)
    memory = rest.begin(config, {"w": torch.zeros(1)})
    done = rest.before_steps(config, memory, {"w": torch.ones(1)}, 2)
    assert done.memory == memory and done.anchor is None
    assert done.weights == (memory if restart else None)
