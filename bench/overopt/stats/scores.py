"""The numbers that a method is known by, from its measured points along KL.

Gold and proxy are read relative to the initial policy (0 at KL 0); gold in units of its standard
deviation under the initial policy, the proxy in units of its own, so that gamma compares like with
like. The caller does that scaling.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.fits.forms import Fit, Form, distance_from_kl, fit
from overopt.stats.pools.fronts import Front, normalized_hypervolume, regret

QUADRATURE_POINTS = 4001  # odd, for Simpson's rule


@dataclass(frozen=True)
class MethodScores:
    """Scores of one method (one seed, or means over seeds at common budgets).

    Gold at the peak and at the end are no scores of one seed: `overopt.stats.rise_fall` has them.

    Attributes:
        gamma: degree of overoptimization (see `overoptimization_degree`), or None.
        gamma_reason: why gamma is missing, or None.
        mean_regret: mean regret over the measured points in the oracle's range, or None.
        n_regret: how many points that mean is over.
        hypervolume: normalized hypervolume up to KL_max, or None without an oracle.
    """

    gamma: float | None
    gamma_reason: str | None
    mean_regret: float | None
    n_regret: int
    hypervolume: float | None


def overoptimization_degree(gold_fit: Fit, proxy_fit: Fit, kl_max_nats: float) -> float | None:
    """gamma = area between the fitted proxy and gold curves / area under the proxy curve, over KL.

    integral of |proxy(k) - gold(k)| dk / integral of proxy(k) dk for KL k from 0 to KL_max, by
    Simpson's rule in d = sqrt(k), dk = 2 d dd. 0 when gold follows the proxy; 1 when gold stays at
    its initial value; above 1 when it falls below that.

    Args:
        gold_fit: fit of the gold score.
        proxy_fit: fit of the proxy score, in its own comparable unit.
        kl_max_nats: end of the KL range, nats; no further than both fits were given points.

    Returns:
        gamma, or None when the proxy curve has no positive area.

    Raises:
        ValueError: if KL_max is not positive or is beyond the fitted points.

    Reference:
        Kim et al., "Rethinking Reward Model Evaluation Through the Lens of Reward
        Overoptimization", 2025, https://arxiv.org/abs/2505.12763. The paper's equation could not
        be read. The definition here is this project's; one published summary of the paper gives
        the same numerator over KL with the best-of-n form for both fits, and the area under the
        *gold* curve as denominator, so do not compare values with the paper's before checking.
        The proxy is the denominator here because the gold area passes through 0.
    """
    reached = min(gold_fit.d_high, proxy_fit.d_high) ** 2
    if not 0 < kl_max_nats <= reached * (1 + 1e-9):
        raise ValueError(f"KL_max must lie in 0..{reached:g} nats, got {kl_max_nats}")
    d = np.linspace(0.0, np.sqrt(kl_max_nats), QUADRATURE_POINTS)
    proxy, gold = proxy_fit.predict(d), gold_fit.predict(d)
    under = _simpson(proxy * 2.0 * d, d)
    if under <= 0:
        return None
    return _simpson(np.abs(proxy - gold) * 2.0 * d, d) / under


def score_method(
    kl_nats: ArrayLike,
    gold: ArrayLike,
    proxy: ArrayLike,
    kl_max_nats: float,
    oracle: Front | None = None,
    form: Form = Form.RL,
) -> MethodScores:
    """All scores of a method from its measured points.

    Args:
        kl_nats: KL of each point, nats, at least 0.
        gold: gold of each point above the initial policy.
        proxy: proxy of each point above the initial policy, in a comparable unit.
        kl_max_nats: fixed end of the KL axis for the hypervolume, nats.
        oracle: front of the tilted reference; without it regret and hypervolume are missing.
        form: the form fitted to gold and proxy for gamma (`Form.BON` for best-of-n).

    Raises:
        ValueError: if shapes differ, a value is NaN or infinite, or a KL is negative.
    """
    kl, score = check_finite(kl_nats, "KL"), check_finite(gold, "gold")
    proxy_score = check_finite(proxy, "proxy")
    check_same_shape(kl, score, "KL and gold")
    check_same_shape(kl, proxy_score, "KL and proxy")
    d = distance_from_kl(kl)
    gamma: float | None = None
    reason: str | None = None
    try:
        gold_fit, proxy_fit = fit(d, score, form), fit(d, proxy_score, form)
    except ValueError as error:
        reason = str(error)
    else:
        gamma = overoptimization_degree(gold_fit, proxy_fit, float(kl.max()))
        reason = None if gamma is not None else "the fitted proxy curve has no positive area"
    regrets: list[float] = []
    if oracle is not None:
        found = (regret(oracle, float(k), float(g)) for k, g in zip(kl, score, strict=True))
        regrets = [value for value in found if value is not None]
    return MethodScores(
        gamma=gamma,
        gamma_reason=reason,
        mean_regret=float(np.mean(regrets)) if regrets else None,
        n_regret=len(regrets),
        hypervolume=normalized_hypervolume(kl, score, oracle, kl_max_nats) if oracle else None,
    )


def _simpson(values: Floats, x: Floats) -> float:
    """Simpson's rule on an odd number of equally spaced points."""
    weight = np.ones(x.size)
    weight[1:-1:2], weight[2:-1:2] = 4.0, 2.0
    return float(weight @ values * (x[1] - x[0]) / 3.0)
