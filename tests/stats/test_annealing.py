"""Annealing against worlds whose tilted policy is known at every temperature."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools.annealing import Rung, anneal, gold_at, leave_pool, systematic
from overopt.stats.pools.fronts import oracle_front, oracle_front_exact

PROMPTS, RESPONSES = 12, 400


class _Independent:
    """Particles over listed responses that are proposed by the reference, as often as asked."""

    def __init__(self, gold_BR: Floats, p_BR: Floats, held_BM: Ints, sweeps: int) -> None:
        self._gold_BR, self._p_BR, self._held_BM = gold_BR, p_BR, held_BM
        self._sweeps, self._rng = sweeps, np.random.default_rng(5)

    @property
    def gold_BM(self) -> Floats:
        return np.take_along_axis(self._gold_BR, self._held_BM, axis=1)

    def keep(self, index_BM: Ints) -> None:
        self._held_BM = np.take_along_axis(self._held_BM, index_BM, axis=1)

    def move(self, strength: float) -> float:
        accepted = 0.0
        for _ in range(self._sweeps):
            new_BM = np.array(
                [self._rng.choice(RESPONSES, size=self._held_BM.shape[1], p=p) for p in self._p_BR]
            )
            gained_BM = np.take_along_axis(self._gold_BR, new_BM, axis=1) - self.gold_BM
            taken_BM = self._rng.random(new_BM.shape) < np.exp(strength * gained_BM)
            self._held_BM = np.where(taken_BM, new_BM, self._held_BM)
            accepted += taken_BM.mean() / self._sweeps
        return accepted


def _world() -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    gold_BR = rng.normal(size=(PROMPTS, RESPONSES))
    return gold_BR, rng.dirichlet(np.full(RESPONSES, 0.5), size=PROMPTS)


def test_rungs_lie_on_the_exact_front() -> None:
    gold_BR, p_BR = _world()
    rng = np.random.default_rng(2)
    drawn_BN = np.array([rng.choice(RESPONSES, size=512, p=p) for p in p_BR])
    start = leave_pool(np.take_along_axis(gold_BR, drawn_BN, axis=1), 64.0)
    assert start is not None
    index_BM = np.concatenate([systematic(start.weight_BN, 64, rng) for _ in range(2)], axis=1)
    held_BM = np.take_along_axis(drawn_BN, index_BM, axis=1)
    rungs = anneal(_Independent(gold_BR, p_BR, held_BM, 60), start, 3.2, rng)
    grid = [2.0, 2.5, 3.0]
    truth = oracle_front_exact(gold_BR, p_BR, grid).front.gold_K
    told = [gold_at(rungs, kl_nats) for kl_nats in grid]
    for exact, found in zip(truth, told, strict=True):
        assert found is not None
        gold, se, _ = found
        assert 0.0 < se < 0.03
        # the pool's own error in log Z is common to both halves, so that se does not hold it
        assert gold == pytest.approx(exact, abs=4 * se + 0.02)
    pooled = oracle_front(np.take_along_axis(gold_BR, drawn_BN, axis=1), grid, min_ess=1.0)
    error_K = np.abs(pooled.front.gold_K - truth)
    assert abs(gold - exact) < error_K[-1], "no better than the pool at its end"


def test_a_pool_is_left_where_its_effective_sample_size_says() -> None:
    gold_BN = np.random.default_rng(0).normal(size=(5, 200))
    start = leave_pool(gold_BN, 20.0)
    assert start is not None
    assert 1.0 / (start.weight_BN**2).sum(axis=1).mean() == pytest.approx(20.0, rel=1e-6)
    assert start.gold_B == pytest.approx((start.weight_BN * gold_BN).sum(axis=1))
    weight_BN = np.exp(start.strength * gold_BN)
    assert start.log_z_B == pytest.approx(np.log(weight_BN.mean(axis=1)))
    step = 1e-4
    tilted = [(w * gold_BN).sum(1) / w.sum(1) for w in (weight_BN, weight_BN ** (1 + step))]
    slope_B = (tilted[1] - tilted[0]) / (step * start.strength)
    assert start.variance_B == pytest.approx(slope_B, rel=1e-2)
    assert leave_pool(np.ones((3, 50)), 20.0) is None


def test_it_ends_where_no_better_response_is_left() -> None:
    gold_BR, p_BR = np.tile([0.0, 1.0], (4, RESPONSES // 2)), np.full((4, RESPONSES), 1 / RESPONSES)
    rng = np.random.default_rng(0)
    drawn_BN = rng.integers(RESPONSES, size=(4, 100))
    start = leave_pool(gold_BR[0][drawn_BN], 60.0)
    assert start is not None
    index_BM = systematic(start.weight_BN, 32, rng)
    held_BM = np.take_along_axis(drawn_BN, index_BM, axis=1)
    rungs = anneal(_Independent(gold_BR, p_BR, held_BM, 5), start, 5.0, rng)
    assert rungs[-1].gold == pytest.approx(1.0)
    assert rungs[-1].kl_nats == pytest.approx(np.log(2.0), abs=0.05)
    assert gold_at(rungs, 5.0) is None


def test_between_rungs_the_known_slope_counts() -> None:
    # gold = sqrt(2 KL) is the front of a Gaussian gold: its slope is 1 / t with t = sqrt(2 KL)
    rungs = [Rung(float(np.sqrt(2 * kl)), kl, float(np.sqrt(2 * kl)), 0.1, 0.5) for kl in (2, 4, 8)]
    found = gold_at(rungs, 3.0)
    assert found is not None
    assert found[0] == pytest.approx(np.sqrt(6.0), abs=2e-3)
    assert gold_at(rungs, 1.9) is None
    backwards = [*rungs, Rung(5.0, 7.9, 9.0, 0.1, 0.5)]
    assert gold_at(backwards, 7.95) == gold_at(rungs, 7.95)


def test_systematic_resampling_draws_a_weight_its_share() -> None:
    weight_BN = np.array([[0.5, 0.25, 0.25, 0.0], [0.0, 0.0, 0.0, 1.0]])
    index_BM = systematic(weight_BN, 8, np.random.default_rng(0))
    assert [np.bincount(row, minlength=4).tolist() for row in index_BM] == [
        [4, 2, 2, 0],
        [0, 0, 0, 8],
    ]
