"""The numbers that a method is known by, from its measured points along KL.

Gold and proxy are read relative to the initial policy (0 at KL 0); gold in units of its standard
deviation under the initial policy, the proxy in units of its own, so that gamma compares like with
like. The caller does that scaling.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Bools, Floats, check_finite, check_same_shape, distance_from_kl
from overopt.stats.budgets import is_met
from overopt.stats.fits.forms import Form
from overopt.stats.fits.least_squares import Fit, fit
from overopt.stats.pools.fronts import Front, has_area, normalized_hypervolume, regret

QUADRATURE_POINTS = 4001  # odd, for Simpson's rule
NO_GOLD = "gold has no area above the initial policy"

Axis = Literal["kl", "sqrt_kl"]
"""What the areas of gamma are over: KL, or d = sqrt(KL)."""


class Range(NamedTuple):
    """From the peak of gold to the end of the budgets, nats."""

    peak_nats: float
    end_nats: float


@dataclass(frozen=True)
class MethodScores:
    """Scores of one method (one seed, or means over seeds at common budgets).

    Gold at the peak and at the end are no scores of one seed: `overopt.stats.rise_fall` has them.

    Attributes:
        gamma: degree of overoptimization from fitted curves (`overoptimization_degree`), or None.
        gamma_reason: why gamma is missing, or None.
        gamma_trapezoid: the same from the points themselves (`degree_by_trapezoid`), or None.
        mean_regret: mean regret over the budgets in the oracle's range, or None.
        n_regret: how many points that mean is over.
        hypervolume: normalized hypervolume of the budgets up to KL_max, or None without an oracle.
        area_from_peak: see `area_beside_oracle`, from the peak to the end; None without an oracle,
            without a peak, where the peak is the end, or where the seed ends before.
    """

    gamma: float | None
    gamma_reason: str | None
    gamma_trapezoid: float | None
    mean_regret: float | None
    n_regret: int
    hypervolume: float | None
    area_from_peak: float | None


def overoptimization_degree(
    gold_fit: Fit, proxy_fit: Fit, kl_max_nats: float, over: Axis = "kl"
) -> float | None:
    """gamma = area between the fitted proxy and gold curves / area under the gold curve.

    integral of |proxy(x) - gold(x)| dx / integral of gold(x) dx from the initial policy to KL_max,
    by Simpson's rule in d = sqrt(KL). x is KL, dx = 2 d dd, or d, dx = dd. 0 when gold follows the
    proxy; it grows without bound as the gold area shrinks. The axis can change which of two gammas
    is larger: KL gives more weight to what happens far away.

    Args:
        gold_fit: fit of the gold score.
        proxy_fit: fit of the proxy score, in its own comparable unit.
        kl_max_nats: end of the KL range, nats; no further than both fits were given points.
        over: x, KL for the scores of this project, its root for the paper's claims.

    Returns:
        gamma, or None when the gold curve has no positive area.

    Raises:
        ValueError: if KL_max is not positive or is beyond the fitted points.

    Reference:
        Kim et al., "Rethinking Reward Model Evaluation Through the Lens of Reward
        Overoptimization", 2025, https://arxiv.org/abs/2505.12763. The number of its equation was
        not verified. The paper's curves are over sqrt(KL), although its text calls the end of the
        integral the largest KL. It fits both with the best-of-n form; here the caller chooses.
    """
    between, under = _areas(gold_fit, proxy_fit, kl_max_nats, over)
    return None if under <= 0 else between / under


def overoptimization_order(
    gold_fit: Fit, proxy_fit: Fit, kl_max_nats: float, over: Axis = "kl"
) -> float:
    """-1 / gamma, which orders as gamma does and goes on where the gold curve has no area.

    It comes to 0 from below as the area under gold shrinks and gamma grows without bound, and is
    positive where that area is negative: worse than any gamma. Arguments as for
    ``overoptimization_degree``.

    Raises:
        ValueError: as there, or if gold is the proxy everywhere, so that gamma is 0.
    """
    between, under = _areas(gold_fit, proxy_fit, kl_max_nats, over)
    if between <= 0:
        raise ValueError("gold is the proxy everywhere, and -1 / gamma is no number")
    return -under / between


def _areas(gold_fit: Fit, proxy_fit: Fit, kl_max_nats: float, over: Axis) -> tuple[float, float]:
    """Area between the fitted proxy and gold curves, and area under the gold curve."""
    reached = min(gold_fit.d_high, proxy_fit.d_high) ** 2
    if not 0 < kl_max_nats <= reached * (1 + 1e-9):
        raise ValueError(f"KL_max must lie in 0..{reached:g} nats, got {kl_max_nats}")
    d = np.linspace(0.0, np.sqrt(kl_max_nats), QUADRATURE_POINTS)
    proxy, gold = proxy_fit.predict(d), gold_fit.predict(d)
    width = 2.0 * d if over == "kl" else np.ones_like(d)
    return _simpson(np.abs(proxy - gold) * width, d), _simpson(gold * width, d)


def degree_by_trapezoid(kl_nats: ArrayLike, gold: ArrayLike, proxy: ArrayLike) -> float | None:
    """gamma of the measured points joined by straight lines in KL, from the initial policy on.

    Where the lines cross, both sides of the crossing count. None when gold has no positive area.

    Args:
        kl_nats: KL of each point, nats; the initial policy, 0 at 0, is added where it is missing.
        gold: gold of each point above the initial policy.
        proxy: proxy of each point above the initial policy, in a comparable unit.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.
    """
    kl, score = _from_start(kl_nats, gold)
    _, proxy_score = _from_start(kl_nats, proxy)
    under = float(np.trapezoid(score, kl))
    if under <= 0:
        return None
    gap = proxy_score - score
    near, far = np.abs(gap[:-1]), np.abs(gap[1:])
    both = near + far
    crossed = (near**2 + far**2) / np.where(both > 0, both, 1.0)
    mean_gap = 0.5 * np.where(gap[:-1] * gap[1:] < 0, crossed, both)
    return float(mean_gap @ np.diff(kl)) / under


def area_beside_oracle(
    kl_nats: ArrayLike, gold: ArrayLike, oracle: Front, between: Range
) -> float | None:
    """Area under gold from the peak to the end, as a share of the oracle's: what a fall costs.

    A hypervolume keeps the best gold seen so far and is blind to a fall. This is 1 for the oracle,
    0 for gold as good as the initial policy's, and negative below that. Gold is joined by straight
    lines in KL, and so is the oracle.

    Returns:
        The share, or None where the range is empty, or the points or the oracle do not cover it.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.
    """
    kl, score = _from_start(kl_nats, gold)
    oracle_kl, oracle_gold = _from_start(oracle.kl_K, oracle.gold_K)
    low, high = between
    if not low < high <= kl[-1] * (1 + 1e-9):
        return None
    if high > oracle_kl[-1] and not is_met(high, float(oracle_kl[-1])):
        return None  # else the oracle keeps the gold of its last budget
    best = _area(oracle_kl, oracle_gold, low, high)
    return _area(kl, score, low, high) / best if best > 0 else None


def score_method(
    kl_nats: ArrayLike,
    gold: ArrayLike,
    proxy: ArrayLike,
    kl_max_nats: float,
    oracle: Front | None = None,
    form: Form = Form.RL,
    at_budget: Bools | None = None,
    between: Range | None = None,
    at_shared: Bools | None = None,
    from_nats: float = 0.0,
) -> MethodScores:
    """All scores of a method from its measured points.

    Args:
        kl_nats: KL of each point, nats, at least 0.
        gold: gold of each point above the initial policy.
        proxy: proxy of each point above the initial policy, in a comparable unit.
        kl_max_nats: fixed end of the KL axis for the hypervolume, nats.
        oracle: front of the tilted reference; without it regret and hypervolume are missing.
        form: the form fitted to gold and proxy for gamma.
        at_budget: which points were taken for a budget; the hypervolume reads no others, so that
            methods with denser points are not better for that. All by default.
        at_shared: which of them for a budget that all seeds met: the regret is the mean over
            these, so that seeds average the same budgets. All at budgets by default.
        between: from the peak to the end, for the area there.
        from_nats: least KL above 0 that may be read, nats (`first_readable`). Areas under straight
            lines that begin below it are missing, for no policy was there.

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
        reason = None if gamma is not None else NO_GOLD
    used = np.ones(kl.shape, np.bool_) if at_budget is None else at_budget
    regrets: list[float] = []
    hypervolume = area = None
    if oracle is not None:
        shared = used if at_shared is None else at_shared
        pairs = zip(kl[shared], score[shared], strict=True)
        found = (regret(oracle, float(k), float(g)) for k, g in pairs)
        regrets = [value for value in found if value is not None]
        if used.any() and has_area(oracle, kl_max_nats):
            hypervolume = normalized_hypervolume(kl[used], score[used], oracle, kl_max_nats)
        if between and between.peak_nats >= from_nats:
            area = area_beside_oracle(kl, score, oracle, between)
    return MethodScores(
        gamma=gamma,
        gamma_reason=reason,
        gamma_trapezoid=degree_by_trapezoid(kl, score, proxy_score) if from_nats == 0.0 else None,
        mean_regret=float(np.mean(regrets)) if regrets else None,
        n_regret=len(regrets),
        hypervolume=hypervolume,
        area_from_peak=area,
    )


def _from_start(kl_nats: ArrayLike, score: ArrayLike) -> tuple[Floats, Floats]:
    """Points in order of KL, from the initial policy on, whose score is 0 by definition."""
    kl, values = check_finite(kl_nats, "KL"), check_finite(score, "scores")
    check_same_shape(kl, values, "KL and scores")
    order = np.argsort(kl, kind="stable")
    kl, values = kl[order], values[order]
    return (kl, values) if kl[0] == 0.0 else (np.append(0.0, kl), np.append(0.0, values))


def _area(kl: Floats, score: Floats, low: float, high: float) -> float:
    """Area under straight lines between two places."""
    x = np.concatenate([[low], kl[(kl > low) & (kl < high)], [high]])
    return float(np.trapezoid(np.interp(x, kl, score), x))


def _simpson(values: Floats, x: Floats) -> float:
    """Simpson's rule on an odd number of equally spaced points."""
    weight = np.ones(x.size)
    weight[1:-1:2], weight[2:-1:2] = 4.0, 2.0
    return float(weight @ values * (x[1] - x[0]) / 3.0)
