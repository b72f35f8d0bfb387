"""IPO's squared loss where the label of a pair is a probability."""

from __future__ import annotations

from torch import Tensor

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.training import given


def expected_square(batch: SamplePairs, tau: float) -> Tensor:
    """p (m - c)^2 + (1 - p) (m + c)^2 of each pair, c = 1/(2 tau), nats squared, shape (B,).

    m is the difference of the log-ratios over the initial policy, p the chance that the chosen
    response is the better one. Over pairs of one policy's samples its minimum is at
    log( pi/pi_ref ) = P(y beats that policy) / tau up to a constant.

    Args:
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels p (B,).
        tau: penalty, per nat.

    Reference:
        A General Theoretical Paradigm to Understand Learning from Human Preferences, eq. 17,
        https://arxiv.org/abs/2310.12036
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    wins_B = given(batch.chosen.label, "a label")
    target = 0.5 / tau
    return wins_B * (margin_B - target) ** 2 + (1 - wins_B) * (margin_B + target) ** 2
