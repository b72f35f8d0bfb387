"""Where gold is highest over several components at once, and over each of them alone.

Components are the members of a combined reward. Best-of-n of a pool by a weighted sum of them, at
weights all over the simplex and at many n, stands for the policies that the paper trains.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools.best_of_n import rank_pools, weights_ragged

STEPS = 4
"""Weights are multiples of a quarter."""


class Best(NamedTuple):
    """A policy of the search: its weights (M,), its n, and what it gains over n = 1.

    score_M: gain of each component. gold: gain of gold.
    """

    weight_M: Floats
    n: int
    score_M: Floats
    gold: float


class ComponentPoints(NamedTuple):
    """Where gold is highest: over all weights, and over each component alone.

    joint: the joint point. alone: of each component m its own search, whose ``score_M[m]`` is that
    component's point.
    """

    joint: Best
    alone: tuple[Best, ...]

    @property
    def alone_M(self) -> Floats:
        """The point that single searches put together, (M,)."""
        return np.array([one.score_M[m] for m, one in enumerate(self.alone)], np.float64)


def simplex(members: int, steps: int = STEPS) -> Floats:
    """All weights of ``members`` components that are multiples of 1 / ``steps``, (D, M)."""
    bars = combinations(range(steps + members - 1), members - 1)
    ends = ((-1, *bar, steps + members - 1) for bar in bars)
    parts = [np.diff(one) - 1 for one in ends]
    return np.array(parts, np.float64) / steps


def search_gains(gold_BN: Floats, member_MBN: Floats, weight_DM: Floats, n_K: Ints) -> Floats:
    """Gains of gold and of each component, (1 + M, D, K, B), of best-of-n by every weighted sum.

    Unbiased over draws without replacement; equal sums share what they win.

    Args:
        gold_BN: gold of the pool.
        member_MBN: scores of each component.
        weight_DM: weights of the sums.
        n_K: sizes of a draw, at most N.
    """
    prompts, samples = gold_BN.shape
    prompt_R = np.repeat(np.arange(prompts), samples)
    column_CBN = np.concatenate([gold_BN[None], member_MBN])
    start_CB = column_CBN.mean(axis=2)
    gain_CDKB = np.zeros((len(column_CBN), len(weight_DM), len(n_K), prompts))
    for d, weight_M in enumerate(weight_DM):
        pools = rank_pools(prompt_R, np.einsum("m,mbn->bn", weight_M, member_MBN).ravel())
        for k, n in enumerate(n_K):
            if n == 1:
                continue  # the pool itself gains nothing, to the last bit
            picked_BN = weights_ragged(pools, int(n)).reshape(prompts, samples)
            gain_CDKB[:, d, k] = np.einsum("bn,cbn->cb", picked_BN, column_CBN) - start_CB
    return gain_CDKB


def component_points(gain_CDKB: Floats, weight_DM: Floats, n_K: Ints) -> ComponentPoints:
    """The joint point, and that of each component alone, by mean gold over the prompts.

    Args:
        gain_CDKB: of the prompts that count (see `search_gains`).
        weight_DM, n_K: what was searched; the simplex holds its corners.

    Reference:
        Moskovitz et al. 2023, Confronting Reward Model Overoptimization with Constrained RLHF,
        section 3, figure 3.1, https://arxiv.org/abs/2310.04373
    """
    mean_CDK = gain_CDKB.mean(axis=3)

    def best(among_D: Ints) -> Best:
        flat = int(mean_CDK[0, among_D].argmax())
        d, k = among_D[flat // len(n_K)], flat % len(n_K)
        return Best(weight_DM[d], int(n_K[k]), mean_CDK[1:, d, k], float(mean_CDK[0, d, k]))

    corners = [np.flatnonzero(weight_DM[:, m] == 1.0) for m in range(weight_DM.shape[1])]
    return ComponentPoints(best(np.arange(len(weight_DM))), tuple(best(one) for one in corners))
