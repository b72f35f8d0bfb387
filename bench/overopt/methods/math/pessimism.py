"""The threshold above which inference-time pessimism trusts a reward."""

import numpy as np

from overopt.stats.arrays import Floats


def thresholds(score_BN: Floats, reference_BN: Floats, beta: float) -> Floats:
    """lambda of each list: the reference mean of [(r - lambda) / beta]_+ is 1, in reward SDs.

    With the k best responses above it, whose probability is P and whose scores' part of the mean is
    S, lambda_k = (S - beta) / P; the right k is the largest whose k-th best score lies above
    lambda_k.

    Args:
        score_BN: rewards of N responses in each of B lists, in SDs of the initial policy.
        reference_BN: their probabilities under it; rows sum to 1.
        beta: reward SDs, above 0.

    Returns:
        Shape (B, 1).

    Raises:
        ValueError: if beta is not above 0.

    Reference:
        Is Best-of-N the Best of Them?, https://arxiv.org/abs/2503.21878
    """
    if not beta > 0:
        raise ValueError(f"beta of inference-time pessimism must be above 0, got {beta}")
    order_BN = np.argsort(-score_BN, axis=1, kind="stable")
    ordered_BN = np.take_along_axis(score_BN, order_BN, axis=1)
    mass_BN = np.take_along_axis(reference_BN, order_BN, axis=1)
    total_BN, part_BN = mass_BN.cumsum(axis=1), (mass_BN * ordered_BN).cumsum(axis=1)
    never_BN = np.full_like(total_BN, -np.inf)  # above nothing that has a probability
    lambda_BN = np.divide(part_BN - beta, total_BN, out=never_BN, where=total_BN > 0)
    above_B = (ordered_BN > lambda_BN).sum(axis=1)
    chosen_B1: Floats = lambda_BN[np.arange(len(above_B)), above_B - 1][:, None]
    return chosen_B1
