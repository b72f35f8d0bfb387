"""Methods that draw n responses and then pick one of them, measured on a pool of N samples.

What such a method does inside one draw is all that has to be known; what it does to a response on
average, which is its policy, is averaged here over draws from the pool.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats, Ints
from overopt.stats.pools.listed import kl_listed, uniform

Choose = Callable[[Ints], Floats]
"""From the samples that were drawn to the probability that each of them is returned, both (D, n).

Samples are rows b N + i of the flat pool; a draw holds samples of one prompt, sums to 1, and does
not depend on their order.
"""

DRAWS_PER_PROMPT = 2048
ROUNDS = 16


class MarginalKL(NamedTuple):
    """KL of a policy known by its draws only.

    Attributes:
        kl_B: KL of each prompt, nats, corrected for the finite number of draws.
        correction_B: what was subtracted, nats; the error that is left is of its square's order.
    """

    kl_B: Floats
    correction_B: Floats


def mean_choice(
    choose: Choose, n_prompts: int, n_samples: int, n: int, rng: np.random.Generator
) -> Floats:
    """Weights of a pool under which every mean is unbiased for n fresh draws of the reference.

    Mean over draws of n without replacement of the probability to be returned: the pool is cut
    into N // n draws in random order, again and again until there are `DRAWS_PER_PROMPT`. With
    n = N there is one draw, the pool, and the weights are exact; else more draws only lessen the
    spread that comes from the cutting.

    Args:
        choose: what the method does inside a draw.
        n_prompts: B.
        n_samples: N, samples of each prompt's pool.
        n: samples of a draw, in 1..N.
        rng: randomness of the cuts.

    Returns:
        Shape (B, N); rows sum to 1.

    Raises:
        ValueError: if n is outside 1..N, or a draw's choice is not a distribution.
    """
    if not 1 <= n <= n_samples:
        raise ValueError(f"n must lie in 1..{n_samples}, the size of the pools, got {n}")
    draws = n_samples // n
    rounds = 1 if n == n_samples else -(-DRAWS_PER_PROMPT // draws)
    total_BN = np.zeros((n_prompts, n_samples))
    row_BN = np.arange(n_prompts * n_samples).reshape(n_prompts, n_samples)
    for _ in range(rounds):
        order_BN = rng.permuted(row_BN, axis=1)[:, : draws * n]
        total_BN += _chances(choose, order_BN.reshape(-1, n), total_BN.size).reshape(row_BN.shape)
    return total_BN / (rounds * draws)


def marginal_kl(
    choose: Choose,
    n_prompts: int,
    n_samples: int,
    n: int,
    rng: np.random.Generator,
    rounds: int = ROUNDS,
) -> MarginalKL:
    """KL from the reference of a policy that draws n and picks one, the pool being the reference.

    pi(y) / q(y) = n E[probability that y is returned | y is one of the n], averaged over draws with
    replacement: in each round every sample of the pool stands once in each of the n places of N
    draws, so that a method which picks at random has a KL of exactly 0. The ratio's spread makes
    its plug-in KL too high by about c / rounds; the jackknife over rounds removes that.

    On top of it the pool is finite; see `soft_best_of_n.policy` for the size of that bias.

    Args:
        choose: what the method does inside a draw.
        n_prompts: B.
        n_samples: N, samples of each prompt's pool.
        n: samples of a draw, at least 1.
        rng: randomness of the draws.
        rounds: N draws of n for each prompt in each; at least 2.

    Raises:
        ValueError: if n is below 1, rounds below 2, or a draw's choice is not a distribution.
    """
    if n < 1 or rounds < 2:
        raise ValueError(f"n must be at least 1 and rounds at least 2, got {n} and {rounds}")
    policy_KBN = np.empty((rounds, n_prompts, n_samples))
    for k, b in product(range(rounds), range(n_prompts)):  # all prompts at once would be too much
        row_N = np.arange(b * n_samples, (b + 1) * n_samples)
        drawn_nN = rng.permuted(np.broadcast_to(row_N, (n, n_samples)), axis=1)
        chance_R = _chances(choose, drawn_nN.T, n_prompts * n_samples)
        policy_KBN[k, b] = chance_R[row_N] / n_samples
    reference_BN = uniform(n_prompts, n_samples)
    sum_BN = policy_KBN.sum(axis=0)
    plain_B = kl_listed(sum_BN / rounds, reference_BN)
    without_KB = np.stack(
        [kl_listed((sum_BN - one_BN) / (rounds - 1), reference_BN) for one_BN in policy_KBN]
    )
    correction_B = (rounds - 1) * (without_KB.mean(axis=0) - plain_B)
    return MarginalKL(plain_B - correction_B, correction_B)


def _chances(choose: Choose, drawn_Dn: Ints, n_rows: int) -> Floats:
    """Sum over draws of the probability of every row of the flat pool to be returned."""
    chance_Dn = choose(drawn_Dn)
    if chance_Dn.shape != drawn_Dn.shape:
        raise ValueError(f"a choice has shape {chance_Dn.shape}, not {drawn_Dn.shape}")
    fair = np.abs(chance_Dn.sum(axis=1) - 1.0) <= 1e-6  # false for NaN as well
    if not fair.all() or np.any(chance_Dn < 0):
        raise ValueError("a choice within a draw must be probabilities that sum to 1")
    chance_R = np.bincount(drawn_Dn.ravel(), weights=chance_Dn.ravel(), minlength=n_rows)
    return np.asarray(chance_R, np.float64)


def scores_of_draws(score_BN: Floats, reference_BN: Floats, n: int, draws: int) -> Iterator[Floats]:
    """Scores (B, n) of n samples of the reference for each prompt, ``draws`` times.

    For means over draws that must be one smooth function of n: the numbers behind the i-th sample
    of a draw are the same at every n and in every call, as the nodes of a quadrature are.

    Args:
        score_BN: scores of N listed responses to each of B prompts.
        reference_BN: their probabilities; rows sum to 1.
        n: samples of a draw.
        draws: how many.
    """
    prompts, listed = score_BN.shape
    edge_BN = reference_BN.cumsum(axis=1)
    edge_BN /= edge_BN[:, -1:]
    row_B1 = np.arange(prompts)[:, None]
    flat_BN = (edge_BN + row_B1).ravel()  # one ascending list for all prompts
    for seed in range(draws):
        uniform_nB = np.random.default_rng(seed).random((n, prompts))
        place_Bn = np.searchsorted(flat_BN, (uniform_nB + row_B1.T).T, side="right")
        column_Bn = np.minimum(place_Bn - row_B1 * listed, listed - 1)
        yield np.take_along_axis(score_BN, column_Bn, axis=1)
