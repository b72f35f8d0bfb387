"""How a policy's likelihoods rank the two responses of a pair.

Source: Chen et al., "Preference Learning Algorithms Do Not Learn Preference Rankings",
https://arxiv.org/abs/2405.19534. The paper's text was not at hand: definitions are those of its
abstract and of notes on it, and theorem 4.1 is checked by ``bench reproduce prefrank2024``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats


class Share(NamedTuple):
    """A share of pairs, with its binomial standard error; both None of no pair at all."""

    share: float | None
    se: float | None


def share_of(right_P: np.typing.NDArray[np.bool_]) -> Share:
    """The share of pairs for which something is true."""
    if not len(right_P):
        return Share(None, None)
    share = float(right_P.mean())
    return Share(share, float(np.sqrt(share * (1.0 - share) / len(right_P))))


def ranked_right(margin_P: Floats) -> Share:
    """Ranking accuracy: the share of pairs whose chosen response is the likelier one.

    Args:
        margin_P: log-probability of the chosen response less that of the rejected one, nats, as
            sums over tokens or as means; a pair of equal likelihoods is ranked wrong.
    """
    return share_of(margin_P > 0.0)


def ideal_share(initial_margin_P: Floats, beta: float, right_share: float) -> Share:
    """Ranking accuracy of the policy that a direct method with no error would arrive at.

    With log-odds L = log(a / (1 - a)) that a label names the better response, the optimum under a
    KL penalty beta has the margin m_ref + L / beta, m_ref the initial policy's. A pair is ranked
    right where that is above 0; with labels that never err, every pair is.

    Args:
        initial_margin_P: m_ref of pairs whose better response is known, nats.
        beta: weight of the KL.
        right_share: a, from 0 to 1.
    """
    if right_share >= 1.0:
        return share_of(np.ones(len(initial_margin_P), dtype=np.bool_))
    if right_share <= 0.0:
        return share_of(np.zeros(len(initial_margin_P), dtype=np.bool_))
    log_odds = np.log(right_share) - np.log1p(-right_share)
    return ranked_right(initial_margin_P + log_odds / beta)


def flipped_share(initial_margin_P: Floats, margin_P: Floats) -> Share:
    """Of the pairs that the initial policy ranks wrong, the share that a policy ranks right."""
    wrong_P = initial_margin_P <= 0.0
    return ranked_right(margin_P[wrong_P])


def direct_loss_nats(initial_margin_P: Floats, margin_P: Floats, beta: float) -> float | None:
    """Mean of DPO's loss, -log sigmoid(beta (m - m_ref)); None of no pair."""
    if not len(margin_P):
        return None
    return float(np.logaddexp(0.0, -beta * (margin_P - initial_margin_P)).mean())
