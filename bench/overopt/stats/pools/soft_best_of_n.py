"""Soft best-of-n as a policy: draw n responses, return one of them by a softmax of their scores.

The KL of its weights within the n drawn is not the policy's KL; a response's probability averages
over everything that could have been drawn beside it.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.pools.listed import check_listed

_STEP = 0.4  # of log u; the error of the trapezoidal rule is about exp(-pi^2 / step), 2e-11
_BELOW, _ABOVE = -24.0, 4.0  # of log u + r / t: outside, the kernel integrates to less than 4e-11
_CHUNK = 80  # nodes that are summed at once; a kernel, 28 wide, touches two such chunks at most


def policy(
    score_BR: ArrayLike, reference_BR: ArrayLike, n: int | None, temperature: float
) -> Floats:
    """Probability that soft best-of-n returns each response, ties and the other draws averaged.

    With a = exp(r / t) and n draws from the reference q,

        pi(y) = n q(y) E[a(y) / (a(y) + a(y_2) + ... + a(y_n))],

    and 1 / (a + S) = integral over u > 0 of exp(-u (a + S)) turns the mean over the n - 1 others
    into the (n - 1)-th power of one sum: pi(y) = n q(y) integral of a(y) exp(-u a(y)) phi(u)^(n-1)
    du, phi(u) = sum_y q(y) exp(-u a(y)). The integral is taken by the trapezoidal rule in log u,
    where the integrand is analytic and decays at both ends. Limits: t -> 0 is best-of-n,
    t -> infinity or n = 1 the reference, n -> infinity (None) the tilt q exp(r / t) / Z.

    Bias on a pool of N samples (q = 1/N): others are drawn with replacement from the pool, as if it
    were the reference, so that KL and expected scores are too low. Simulated with normal scores,
    n = 16 and 64 and t between .03 and 3 SDs, the KL lacks up to .1 nats at N = 2n, .05 at N = 4n
    and .01 at N = 16n; at t -> 0 without ties .01, .003 and .0002. A tail that the pool never drew
    is missing at any n.

    Args:
        score_BR: proxy score of each listed response.
        reference_BR: its probability under the reference; rows sum to 1.
        n: responses drawn, at least 1; None for infinitely many.
        temperature: t, in the unit of the scores, above 0.

    Returns:
        Shape (B, R); rows sum to 1.

    Raises:
        ValueError: if shapes differ, a value is not finite, a row of the reference is not a
            distribution, n is below 1 or the temperature is not above 0.

    Reference:
        Verdun et al., "Soft Best-of-n Sampling for Model Alignment",
        https://arxiv.org/abs/2505.03156 (the method; the integral is ours).
    """
    score, reference = check_finite(score_BR, "scores"), check_listed(reference_BR, "the reference")
    check_same_shape(score, reference, "scores and reference")
    if (n is not None and n < 1) or not temperature > 0:
        raise ValueError(f"n must be at least 1 and t above 0, got n = {n} and t = {temperature}")
    if n is None:
        with np.errstate(divide="ignore"):
            return np.asarray(softmax(np.log(reference) + score / temperature, axis=1), np.float64)
    found = np.empty_like(reference)
    for b in range(len(score)):
        level_U, level_R = np.unique(score[b], return_inverse=True)
        mass_U = np.bincount(level_R, weights=reference[b], minlength=level_U.size)
        rho_U = (level_U - level_U[-1]) / temperature
        found[b] = reference[b] * _density_ratio(rho_U, mass_U / mass_U.sum(), n)[level_R]
    return np.asarray(found / found.sum(axis=1, keepdims=True), np.float64)


def _density_ratio(rho_U: Floats, mass_U: Floats, n: int) -> Floats:
    """pi / q at every level of the score; rho = r / t, ascending and at most 0."""
    ratio_U = np.zeros_like(rho_U)
    below_U = np.concatenate(([0.0], np.cumsum(mass_U)))
    span = _CHUNK * _STEP
    first_U, last_U = (np.floor((edge - rho_U - _BELOW) / span) for edge in (_BELOW, _ABOVE))
    for chunk in np.unique(np.concatenate((first_U, last_U))):
        node_G = _BELOW + _STEP * np.arange(_CHUNK)
        shifted_U = rho_U + chunk * span
        low = int(np.searchsorted(shifted_U, _BELOW - node_G[-1]))
        high = int(np.searchsorted(shifted_U, _ABOVE - node_G[0], side="right"))
        near_U = shifted_U[low:high]
        if near_U.size == 0:  # rounding of a level at the edge of a chunk
            continue
        node_G = node_G[(node_G >= _BELOW - near_U[-1]) & (node_G <= _ABOVE - near_U[0])]
        # Levels far below still have exp(-u a) = 1 at these nodes, levels far above have 0.
        exponent_GU = np.exp(node_G)[:, None] * np.exp(near_U)
        decay_GU = np.exp(-exponent_GU)
        phi_G = below_U[low] + decay_GU @ mass_U[low:high]
        ratio_U[low:high] += n * _STEP * (phi_G ** (n - 1)) @ (exponent_GU * decay_GU)
    return ratio_U
