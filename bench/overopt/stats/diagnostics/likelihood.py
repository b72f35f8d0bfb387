"""What the likelihoods of a policy say: which responses they rank first, what length explains."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logit

from overopt.stats.arrays import Bools, Floats, check_finite, check_same_shape
from overopt.stats.kl import Estimate, clustered_mean


class PairLikelihoods(NamedTuple):
    """Log-likelihoods (P,) of both responses of pairs, nats, summed over tokens."""

    chosen: Floats
    rejected: Floats


def ranks_right(pairs: PairLikelihoods) -> Bools:
    """Whether (P,) the chosen response of a pair is likelier than the rejected one.

    Reference: Chen et al., "Preference Learning Algorithms Do Not Learn Preference Rankings", 2024,
        definition 2.1, https://arxiv.org/abs/2405.19534 (number not verified).
    """
    chosen, rejected = check_finite(pairs.chosen, "chosen"), check_finite(pairs.rejected, "other")
    check_same_shape(chosen, rejected, "likelihoods of chosen and rejected responses")
    return chosen > rejected


def ranking_accuracy_of(right_P: ArrayLike) -> Estimate:
    """Share of pairs that are ranked right, each pair a cluster of its own."""
    return clustered_mean(np.asarray(right_P, np.float64)[:, None])


def ideal_ranks_right(reference: PairLikelihoods, preference_P: ArrayLike, beta: float) -> Bools:
    """Whether (P,) the policy that DPO's loss is least for would rank a pair right.

    That policy is pi_ref exp(r / beta) / Z, and a Bradley-Terry preference alpha of the chosen
    response is sigmoid(r_w - r_l), so that a pair is ranked right exactly where
        log pi_ref(w) - log pi_ref(l) + logit(alpha) / beta > 0.

    Args:
        reference: likelihoods of the initial policy.
        preference_P: alpha, the chance that the chosen response is preferred, in (0, 1).
        beta: DPO's.

    Raises:
        ValueError: beta is not above 0, or a preference is no chance between 0 and 1.

    Reference: Chen et al., 2024, https://arxiv.org/abs/2405.19534, "idealized ranking accuracy"
        (derived here, the paper's number not verified).
    """
    preference = check_finite(preference_P, "preferences")
    if beta <= 0 or np.any(preference <= 0) or np.any(preference >= 1):
        raise ValueError("beta must be above 0, and preferences between 0 and 1, both excluded")
    gap = check_finite(reference.chosen, "chosen") - check_finite(reference.rejected, "rejected")
    check_same_shape(gap, preference, "likelihoods and preferences")
    better: Bools = gap + logit(preference) / beta > 0
    return better


def length_r2(log_ratio_R: ArrayLike, length_R: ArrayLike) -> float | None:
    """Share of the variance of log pi/pi_ref that a straight line in length explains.

    None where either is constant.

    Reference: Park et al., "Disentangling Length from Quality in Direct Preference Optimization",
        2024, https://arxiv.org/abs/2403.19159, fits implicit rewards by length.
    """
    ratio, length = check_finite(log_ratio_R, "log ratio"), check_finite(length_R, "length")
    check_same_shape(ratio, length, "log ratios and lengths")
    ratio, length = ratio.ravel() - ratio.mean(), length.ravel() - length.mean()
    square = float((ratio @ ratio) * (length @ length))
    return None if square <= 0 else float((ratio @ length) ** 2 / square)
