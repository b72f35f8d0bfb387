"""Whether a policy that is made to choose between two responses is as sure as it is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import check_finite
from overopt.stats.proxy_quality import calibration_error, preference_probability

BINS = 10


def choice_calibration(margin_P: ArrayLike) -> float:
    """Expected calibration error of choices between the two responses of each pair.

    A policy that must choose takes the likelier response, and is as sure of it as that response's
    share of the probability of both, at least 1/2. The error is the mean over pairs of the
    distance between how sure choices are and how often they are right, in bins of equal width of
    how sure they are. A choice between equally likely responses is right by one half.

    Args:
        margin_P: log-probability of the better response less that of the worse one, nats.

    Raises:
        ValueError: there is no pair, or a margin is not finite.

    Reference: Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3 (from memory), of
        a choice among two; https://arxiv.org/abs/1706.04599
    """
    margin = check_finite(margin_P, "margins")
    right_P = (margin > 0) + 0.5 * (margin == 0)
    return calibration_error(preference_probability(np.abs(margin)), right_P, BINS).error
