"""Best-of-Poisson: best-of-n for a random n = 1 + Poisson(mu); its strength is a real number.

With u the quantile of the proxy under the reference, the quantile that is picked has the density
(mu u + 1) exp(mu (u - 1)), near that of an exponential tilt of u, which is the best policy for the
mean of u at its KL.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from overopt.stats.arrays import Floats, check_finite
from overopt.stats.pools.best_of_n import rank_pools
from overopt.stats.pools.listed import by_quantile

_NEGLIGIBLE = 1e-14


def cdf(u: Floats, mu: float) -> Floats:
    """Distribution function of the picked quantile: u exp(mu (u - 1)) = E[u^n].

    Reference:
        Khalaf et al., "Inference-Time Reward Hacking in Large Language Models",
        https://arxiv.org/abs/2506.19248 (its density, from the authors' code).
    """
    return np.asarray(u * np.exp(mu * (u - 1.0)), np.float64)


def slope(u: Floats, mu: float) -> Floats:
    """Derivative of `cdf` in mu: u (u - 1) exp(mu (u - 1))."""
    return np.asarray(u * (u - 1.0) * np.exp(mu * (u - 1.0)), np.float64)


def policy(score_BR: ArrayLike, reference_BR: ArrayLike, mu: float) -> Floats:
    """Probability of each listed response under best-of-Poisson, ties at random.

    Args:
        score_BR: proxy score of each listed response.
        reference_BR: its probability under the reference; rows sum to 1.
        mu: mean number of samples beyond the first, at least 0.

    Returns:
        Shape (B, R); rows sum to 1.

    Raises:
        ValueError: if mu is below 0 or not finite, or what `by_quantile` refuses.
    """
    return by_quantile(score_BR, reference_BR, lambda u: cdf(u, _checked(mu)))


def weights(proxy_BN: ArrayLike, mu: float) -> Floats:
    """Weights of a pool under which every mean is unbiased, n given to be at most N.

    w_(i) = sum over n of P(n) C(i-1, n-1) / C(N, n) for rank i of N: best of n drawn without
    replacement, for every n up to N with its probability; ties share. Where more than N samples
    would be asked for now and then, the pool cannot say what they would give.

    Args:
        proxy_BN: proxy score of each sample, N for each of B prompts.
        mu: mean number of samples beyond the first, at least 0.

    Returns:
        Shape (B, N); rows sum to 1.

    Raises:
        ValueError: if mu is below 0 or not finite, a score is NaN or infinite, or all of 1..N have
            so little probability that the pool cannot say anything.
    """
    proxy = check_finite(proxy_BN, "proxy")
    prompts, size = proxy.shape
    rank_N = np.arange(1, size + 1)
    total_N, mass = np.zeros(size), 0.0
    for n in range(1, size + 1):
        chance = float(np.exp(_log_poisson(n - 1, _checked(mu))))
        if chance < _NEGLIGIBLE:
            continue
        exists = rank_N >= n
        rank = rank_N[exists]
        log_ways = gammaln(rank) - gammaln(n) - gammaln(rank - n + 1)
        log_all = gammaln(size + 1) - gammaln(n + 1) - gammaln(size - n + 1)
        total_N[exists] += chance * np.exp(log_ways - log_all)
        mass += chance
    if mass == 0.0:
        raise ValueError(
            f"mu of best-of-Poisson is {mu:g}, too much for pools of {size} samples: no number of "
            f"samples up to {size} has a probability of {_NEGLIGIBLE:g}; take a mu of at most "
            f"{size - 1}, or more samples"
        )
    pools = rank_pools(np.repeat(np.arange(prompts), size), proxy.ravel())
    weight_R = total_N[pools.rank_R - 1] / mass
    tie_weight = np.bincount(pools.tie_R, weights=weight_R) / np.bincount(pools.tie_R)
    return np.asarray(tie_weight[pools.tie_R].reshape(prompts, size), np.float64)


def _log_poisson(k: int, mu: float) -> float:
    """log P(k) of a Poisson number of mean mu; with mu = 0 only k = 0 has a probability."""
    if mu == 0:
        return 0.0 if k == 0 else -np.inf
    return float(k * np.log(mu) - mu - gammaln(k + 1))


def _checked(mu: float) -> float:
    if not 0 <= mu < np.inf:
        raise ValueError(f"mu of best-of-Poisson must be at least 0 and finite, got {mu}")
    return mu
