"""What best-of-n would give, for every n at once, from one pool of scored reference samples.

Pools may be ragged: prompts with different numbers of samples share one vectorized path, in which
every row carries its rank inside its prompt.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from overopt.stats.arrays import (
    Bools,
    Floats,
    Groups,
    Ints,
    check_finite,
    check_same_shape,
    group_rows,
)


class RankedPools(NamedTuple):
    """Rows of all pools ranked by proxy inside their prompt.

    Attributes:
        groups: which prompt each row belongs to.
        rank_R: rank of each row inside its prompt, 1 = lowest proxy; tied rows in any order.
        tie_R: number of the row's tie group: rows of one prompt with equal proxy share it.
    """

    groups: Groups
    rank_R: Ints
    tie_R: Ints


@dataclass(frozen=True)
class BestOfNCurve:
    """Per-prompt best-of-n scores over a grid of n.

    Attributes:
        n_K: the grid.
        prompt_B: prompt ids, sorted.
        gold_BK: expected gold of the best of n by proxy; read only where kept_BK.
        proxy_BK: expected proxy of the same; read only where kept_BK.
        kl_BK: KL from the reference, nats, ties known; read only where kept_BK (see `curve`).
        square_BK: sum of squared weights, whose inverse is the prompt's effective sample size;
            read only where kept_BK.
        kept_BK: false where the prompt's pool is smaller than n; such cells hold 0 and count
            for nothing.
        size_B: samples in each prompt's pool.
    """

    n_K: Ints
    prompt_B: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
    gold_BK: Floats
    proxy_BK: Floats
    kl_BK: Floats
    square_BK: Floats
    kept_BK: Bools
    size_B: Ints

    @property
    def kl_bound_K(self) -> Floats:
        """Upper bound of the KL at each n, nats (see `kl_bound`)."""
        return kl_bound(self.n_K)


def rank_pools(prompt_R: ArrayLike, proxy_R: ArrayLike) -> RankedPools:
    """Rank every row by proxy inside its prompt; equal proxies form a tie group.

    Raises:
        ValueError: if shapes differ, or a proxy is NaN or infinite.
    """
    proxy = check_finite(proxy_R, "proxy")
    groups = group_rows(prompt_R)
    check_same_shape(proxy, groups.index_R, "proxy and prompt ids")
    order_R = np.lexsort((proxy, groups.index_R))
    sorted_prompt, sorted_proxy = groups.index_R[order_R], proxy[order_R]
    first_B = np.concatenate(([0], np.cumsum(groups.size_B)[:-1]))
    rank_R, tie_R = np.empty(proxy.size, np.int64), np.empty(proxy.size, np.int64)
    rank_R[order_R] = np.arange(proxy.size) - first_B[sorted_prompt] + 1
    changes = (np.diff(sorted_prompt) != 0) | (np.diff(sorted_proxy) != 0)
    tie_R[order_R] = np.concatenate(([0], np.cumsum(changes)))
    return RankedPools(groups, rank_R, tie_R)


def weights_ragged(pools: RankedPools, n: int) -> Floats:
    """Probability that each row is the best of n drawn without replacement from its pool.

    w_(i) = C(i-1, n-1) / C(N, n) for rank i of N, computed from log-gamma; rows with equal proxy
    share equally the sum of their ranks' weights, which is the expectation under ties broken at
    random. Rows of prompts with N < n get 0: the best of n does not exist there.

    Args:
        pools: ranked rows.
        n: number of samples to choose from, an integer of at least 1.

    Returns:
        Shape (R,); sums to 1 over each prompt whose pool holds at least n.

    Raises:
        ValueError: if n is below 1.

    Reference:
        Nakano et al., "WebGPT", App. I, https://arxiv.org/abs/2112.09332 (the unbiased estimator
        for best-of-n; ties are not treated there, the averaging is ours).
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    size_R = pools.groups.size_B[pools.groups.index_R]
    rank_R = pools.rank_R
    log_factorial = gammaln(np.arange(int(pools.groups.size_B.max()) + 1) + 1.0)
    exists_R = (rank_R >= n) & (size_R >= n)
    rank, size = rank_R[exists_R], size_R[exists_R]
    weight_R = np.zeros(rank_R.size, np.float64)
    weight_R[exists_R] = np.exp(
        log_factorial[rank - 1]
        - gammaln(float(n))
        - log_factorial[rank - n]
        - log_factorial[size]
        + gammaln(n + 1.0)
        + log_factorial[size - n]
    )
    tie_weight = np.bincount(pools.tie_R, weights=weight_R) / np.bincount(pools.tie_R)
    return np.asarray(tie_weight[pools.tie_R], np.float64)


def weights(proxy_BN: ArrayLike, n: int) -> Floats:
    """Best-of-n weights of equal-sized pools, shape (B, N); see `weights_ragged`.

    Raises:
        ValueError: if proxy is not (B, N), holds NaN or infinity, or n is outside 1..N.
    """
    proxy = check_finite(proxy_BN, "proxy")
    if proxy.ndim != 2:
        raise ValueError(f"proxy must have shape (prompts, samples), got {proxy.shape}")
    n_prompts, n_samples = proxy.shape
    if not 1 <= n <= n_samples:
        raise ValueError(f"n must lie in 1..{n_samples}, the size of the pools, got {n}")
    pools = rank_pools(np.repeat(np.arange(n_prompts), n_samples), proxy.ravel())
    return weights_ragged(pools, n).reshape(n_prompts, n_samples)


def curve(
    prompt_R: ArrayLike, gold_R: ArrayLike, proxy_R: ArrayLike, n_K: ArrayLike
) -> BestOfNCurve:
    """Expected gold and proxy of best-of-n for every prompt and every n of a grid.

    A prompt whose pool is smaller than n is dropped at that n (`kept_BK`). Gold and proxy are
    unbiased, means over draws without replacement. The KL is that of best-of-n from the pool as
    the reference: with F the distribution function of the proxy in the pool, a tie group of
    probability f that reaches up to F is picked with probability F^n - (F - f)^n, so that

        KL = sum over tie groups of (F^n - (F - f)^n) log[(F^n - (F - f)^n) / f].

    Without ties that is below the bound, which is exact there, by about .0002 nats at n = N/16,
    .01 at n = N/2 and .04 at n = N. With ties it is the truth for the pool's distribution, and the
    bound is not. Ties of responses that the pool never drew are missing.

    Args:
        prompt_R: prompt id of each sample.
        gold_R: gold score of each sample, aligned with its proxy row by row.
        proxy_R: proxy score of each sample.
        n_K: integers of at least 1.

    Raises:
        ValueError: if shapes differ, a score is NaN or infinite, or n is not a positive integer.
    """
    gold, proxy = check_finite(gold_R, "gold"), check_finite(proxy_R, "proxy")
    check_same_shape(gold, proxy, "gold and proxy")
    grid_K = check_finite(n_K, "n")
    if np.any(grid_K < 1) or np.any(grid_K != np.floor(grid_K)):
        raise ValueError("every n must be an integer of at least 1")
    pools = rank_pools(prompt_R, proxy)
    index_R, size_B = pools.groups.index_R, pools.groups.size_B
    shape = (size_B.size, grid_K.size)
    gold_BK, proxy_BK, kl_BK, square_BK = (np.zeros(shape) for _ in range(4))
    ties = _tie_groups(pools)
    for k, n in enumerate(grid_K.astype(np.int64)):
        weight_R = weights_ragged(pools, int(n))
        gold_BK[:, k] = np.bincount(index_R, weights=weight_R * gold)
        proxy_BK[:, k] = np.bincount(index_R, weights=weight_R * proxy)
        square_BK[:, k] = np.bincount(index_R, weights=weight_R**2)
        picked_G = ties.up_to_G**n - ties.below_G**n
        ratio_G = np.where(picked_G > 0, picked_G / (ties.up_to_G - ties.below_G), 1.0)
        kl_BK[:, k] = np.bincount(ties.prompt_G, weights=picked_G * np.log(ratio_G))
    kept_BK = size_B[:, None] >= grid_K[None, :]
    measured = (gold_BK, proxy_BK, kl_BK, square_BK)
    return BestOfNCurve(grid_K.astype(np.int64), pools.groups.prompt_B, *measured, kept_BK, size_B)


class _TieGroups(NamedTuple):
    """Samples of equal proxy: their prompt, and the pool's distribution function around them."""

    prompt_G: Ints
    below_G: Floats
    up_to_G: Floats


def _tie_groups(pools: RankedPools) -> _TieGroups:
    """Tie groups in the order of prompt and proxy, in which `rank_pools` numbers them."""
    count_G = np.bincount(pools.tie_R)
    prompt_G = np.empty(count_G.size, np.int64)
    prompt_G[pools.tie_R] = pools.groups.index_R
    top_G = np.zeros(count_G.size, np.int64)
    np.maximum.at(top_G, pools.tie_R, pools.rank_R)
    size_G = pools.groups.size_B[prompt_G]
    return _TieGroups(prompt_G, (top_G - count_G) / size_G, top_G / size_G)


def kl_bound(n: ArrayLike) -> Floats:
    """Upper bound of KL(best-of-n || reference), in nats: log n - (n - 1)/n.

    Exact for a continuous score without ties, above the truth otherwise: with a proxy of 0 or 1
    that is 1 for 30 % of the responses it says 3.17 at n = 64, and the truth is 1.20.

    Args:
        n: number of samples, at least 1; real values are allowed.

    Raises:
        ValueError: if n is below 1.

    Reference:
        Beirami et al., "Theoretical guarantees on the best-of-n alignment policy", Theorem 3.1
        (the theorem number is from a summary), https://arxiv.org/abs/2401.01879.
    """
    count = check_finite(n, "n")
    if np.any(count < 1):
        raise ValueError("n must be at least 1")
    return np.asarray(np.log(count) - (count - 1.0) / count, np.float64)
