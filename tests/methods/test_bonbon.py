from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import bonbon

from . import corpus, fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R


def test_best_and_worst_of_each_n() -> None:
    """Rows of the initial policy's samples follow the two of the policy itself."""
    seen = corpus.beside(torch.tensor([[1.0, 3.0, 2.0, 2.0, 0.0]]))
    pairs = bonbon.build(bonbon.Config(n=2), seen)
    assert (pairs.chosen_P.tolist(), pairs.rejected_P.tolist()) == ([3, 4], [2, 4])
    pairs = bonbon.build(bonbon.Config(n=4), seen)
    assert (pairs.chosen_P.tolist(), pairs.rejected_P.tolist()) == ([3], [2])
    pairs = bonbon.build(bonbon.Config(n=5), seen)
    assert (pairs.chosen_P.tolist(), pairs.rejected_P.tolist()) == ([3], [6])


def test_it_asks_for_a_group_for_each_prompt() -> None:
    assert bonbon.training(bonbon.Config(n=6)).opponents == 6


def test_loss_by_hand() -> None:
    """Likelihood -40, margin 3, n = 8: .005 40 + .995 (3 - 18.15)^2."""
    assert bonbon.expected_gap(8) == pytest.approx(18.15)
    assert 0.5 / bonbon.expected_gap(8) == pytest.approx(0.0275482, abs=5e-8)
    mask = torch.ones(1, 2)
    chosen = Reading(torch.tensor([[-15.0, -25.0]]), torch.tensor([[-16.0, -25.0]]), mask)
    rejected = Reading(torch.tensor([[-4.0, -5.0]]), torch.tensor([[-2.0, -5.0]]), mask)
    found = bonbon.loss(bonbon.Config(n=8), SamplePairs(chosen, rejected)).item()
    assert found == pytest.approx(228.5749, abs=5e-4)


@pytest.mark.parametrize("n", [2, 5])
def test_the_target_is_the_mean_gap_of_best_of_n_itself(n: int) -> None:
    """log(pi_n/pi_ref) at the quantile u is log n + (n - 1) log u; of the best u^n is uniform."""
    uniform = (np.arange(200_000) + 0.5) / 200_000
    best, worst = np.log(uniform) / n, np.log1p(-(uniform ** (1 / n)))
    gap = (n - 1) * (best.mean() - worst.mean())
    assert bonbon.expected_gap(n) == pytest.approx(gap, abs=1e-3)


@pytest.mark.parametrize(
    ("n", "expected"), [(2, [0.25, 0.39, 0.36]), (4, [0.0625, 0.3471, 0.5904])]
)
def test_the_likelihoods_optimum_is_best_of_n(n: int, expected: list[float]) -> None:
    config = bonbon.Config(n=n, likelihood_share=1.0)
    drawn_BN, chance_B = fresh.every_draw(LOG_REFERENCE_R, n)
    pairs = bonbon.build(config, corpus.beside(REWARD_R[drawn_BN], own=1))
    sides = [(row_P - len(drawn_BN)) for row_P in (pairs.chosen_P, pairs.rejected_P)]
    best_P, worst_P = (drawn_BN.flatten()[row_P] for row_P in sides)

    def loss(logp_R: Tensor) -> Tensor:
        batch = SamplePairs(fresh.read(logp_R, best_P), fresh.read(logp_R, worst_P))
        return (chance_B * bonbon.loss(config, batch)).sum()

    assert fresh.learned(loss).exp().tolist() == pytest.approx(expected, abs=5e-5)
