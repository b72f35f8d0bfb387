"""Regret of best-of-n and of pessimism over listed responses, at every error of the estimate.

Two things hold best-of-n back: it may not draw a good response, and it may draw one whose reward is
overestimated. An instance has prompts of two kinds, as often asked, so that each binds at every n:

- The good response has probability p and the others are worth nothing; prompts with a rarer one are
  rarer, in proportion to p. The share of these whose good response n draws miss falls like 1 / n.
- All responses are good but for some that look better, the rarer the better. Theirs are halving
  probabilities, and each has the same part of the mean squared error, so that a response of
  probability d is overestimated by error / sqrt(d). Of n draws the worst is one of d about 1 / n,
  at a cost of error sqrt(n).

On one prompt the second would spare best-of-n the first: whoever draws an overestimated response
that does little harm misses nothing. Best-of-n loses 1 / n + error sqrt(n), which at the best n is
error^(2/3) but for constants: the exponent that the paper is said to give. Its theorem and its
instances could not be verified; these two terms and these instances are ours. All sums are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from overopt.methods.contract.selection import ScoredPool
from overopt.methods.selection import bon, itp
from overopt.stats.arrays import Floats

SCALES = 14
"""Probabilities of good and of bad responses, each about half of the one before."""
INSTANCES = 8
ERRORS = 2.0 ** -np.arange(4, 13)
"""Scale of the error of the estimated reward; the good response's reward is 1. Larger ones would
make the rare bad responses worse than nothing, whose harm ends at 1."""
N = 2.0 ** np.linspace(0.0, SCALES, 4 * SCALES + 1)
"""Draws of best-of-n; its law is known between whole numbers as well."""
BETA = np.geomspace(1e-6, 10.0, 80)
_APART = 1e-6
"""By how much bad responses look better than the next one."""


class Instance(NamedTuple):
    """K prompts that may lack a good response, and as many that have bad ones, all the same.

    weight_K: how often each of the first is asked, sum 1. good_K: probability of its good response.
    bad_J: probabilities of the bad responses to the others.
    """

    weight_K: Floats
    good_K: Floats
    bad_J: Floats


def draw(seed: int) -> Instance:
    """A random instance: halving probabilities, each off by a factor of up to two."""
    generator = np.random.default_rng(seed)
    halves = 2.0 ** -np.arange(1, SCALES + 1)
    weight_K = halves * generator.uniform(0.5, 2.0, SCALES)
    good_K = halves * generator.uniform(0.7, 1.4, SCALES) / 2.0
    bad_J = halves * generator.uniform(0.5, 2.0, SCALES) / SCALES
    return Instance(weight_K / weight_K.sum(), good_K, bad_J)


def listed(instance: Instance, error: float) -> tuple[ScoredPool, Floats]:
    """Every response with its estimated reward, and the true rewards, both (K + 1, 2 + J).

    The first response is worth nothing and estimated so, the second is the good one, the others are
    bad. The last row is the prompt that has these, the others have none.
    """
    prompts, bad = len(instance.good_K), len(instance.bad_J)
    harm_J = np.minimum(error / np.sqrt(bad * instance.bad_J), 1.0)
    looks_J = 1.0 + _APART * np.arange(1, bad + 1)
    estimate_R = np.concatenate([[0.0, 1.0], looks_J])
    true_R = np.concatenate([[0.0, 1.0], 1.0 - harm_J])
    chance_KR = np.zeros((prompts + 1, 2 + bad))
    chance_KR[:-1, 0], chance_KR[:-1, 1] = 1.0 - instance.good_K, instance.good_K
    chance_KR[-1, 1], chance_KR[-1, 2:] = 1.0 - instance.bad_J.sum(), instance.bad_J
    whole_KR = np.ones_like(chance_KR)
    return ScoredPool(estimate_R * whole_KR, chance_KR), true_R * whole_KR


def best_regret(
    instance: Instance, error: float, policy: Callable[[ScoredPool, float], Floats], knobs: Floats
) -> float:
    """Least mean regret against the good responses over values of a knob.

    Raises:
        ValueError: it is at an end of the values, so that the best one was not searched.
    """
    pool, true_KR = listed(instance, error)
    weight_K = 0.5 * np.append(instance.weight_K, 1.0)
    regret = [
        1.0 - float(weight_K @ (policy(pool, float(knob)) * true_KR).sum(axis=1)) for knob in knobs
    ]
    best = int(np.argmin(regret))
    if best in (0, len(knobs) - 1):
        raise ValueError(f"the best knob is at an end of the range, at error {error:g}")
    return regret[best]


@cache
def least_regrets(seed: int) -> Floats:
    """Least regret at each error, of best-of-n and of pessimism, (2, 9)."""
    instance = draw(seed)
    rules: tuple[tuple[Callable[[ScoredPool, float], Floats], Floats], ...] = (
        (lambda pool, n: bon.weights(bon.Config(), pool, n), N),
        (lambda pool, beta: itp.weights(itp.Config(), pool, beta), BETA),
    )
    return np.array(
        [[best_regret(instance, float(error), *rule) for error in ERRORS] for rule in rules]
    )


def exponents(seed: int) -> tuple[float, float]:
    """Exponent of the least regret in the error, of best-of-n and of pessimism."""
    best_of_n, pessimism = np.polyfit(np.log(ERRORS), np.log(least_regrets(seed)).T, 1)[0]
    return float(best_of_n), float(pessimism)
