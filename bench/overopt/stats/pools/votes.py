"""Votes among drawn responses: an answer wins, and one of those that gave it is returned."""

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, Ints, check_finite, check_same_shape

_TIE = 1e-9  # sums of the same weights in another order differ by rounding


def elect(answer_Dn: Ints, weight_Dn: ArrayLike) -> Floats:
    """Probability that each of the n responses of a draw is returned.

    The answer whose responses have the largest sum of weights wins, ties at random, and one of its
    responses is returned, each with the same probability. Responses without an answer have no
    vote; where none of a draw has one, any is returned.

    Args:
        answer_Dn: a number from 0 for each answer, the same for equal ones; below 0 for none.
        weight_Dn: weight of each vote, above 0.

    Returns:
        Shape (D, n); every row sums to 1.

    Raises:
        ValueError: if shapes differ, or a weight is not above 0.
    """
    weight = check_finite(weight_Dn, "weights of votes")
    check_same_shape(weight, answer_Dn, "weights and answers")
    if np.any(weight <= 0):
        raise ValueError("weights of votes must be above 0")
    draws, answers = len(answer_Dn), max(int(answer_Dn.max(initial=-1)), 0) + 1
    votes = answer_Dn >= 0
    key_Dn = np.where(votes, np.arange(draws)[:, None] * answers + answer_Dn, 0)
    key_K = key_Dn[votes]
    size = draws * answers
    total_DA = np.bincount(key_K, weights=weight[votes], minlength=size).reshape(draws, -1)
    count_X = np.bincount(key_K, minlength=size)
    best_D1 = total_DA.max(axis=1, keepdims=True)
    wins_DA = (total_DA > 0) & (total_DA >= best_D1 * (1 - _TIE))
    winners_D1 = wins_DA.sum(axis=1, keepdims=True)
    elected_Dn = votes & wins_DA.ravel()[key_Dn]
    share_Dn = 1.0 / (np.maximum(winners_D1, 1) * np.maximum(count_X[key_Dn], 1))
    no_vote_D1 = ~votes.any(axis=1, keepdims=True)
    chance_Dn = np.where(no_vote_D1, 1.0 / votes.shape[1], elected_Dn * share_Dn)
    return np.asarray(chance_Dn, np.float64)
