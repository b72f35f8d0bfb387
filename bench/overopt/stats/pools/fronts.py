"""Gold against KL as a trade-off: Pareto fronts, hypervolume, and the best that any policy can do.

The best gold at a given KL belongs to the reference tilted by the gold itself,
pi_ref exp(gold / b): exact where every response is enumerated, estimated from reference samples
elsewhere, and refused where too few samples carry the weight.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import moocore
import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import logsumexp

from overopt.stats.arrays import Floats, check_finite, check_same_shape
from overopt.stats.budgets import is_met

LOG_TILT_RANGE = (-18.0, 18.0)  # log of (gold sd / b) that is searched: from 1e-8 to 7e7
KL_TOLERANCE_NATS = 1e-9


@dataclass(frozen=True)
class Front:
    """Points that no other point beats at once in KL (lower) and gold (higher).

    Attributes:
        kl_K: nats, increasing.
        gold_K: gold, increasing.
    """

    kl_K: Floats
    gold_K: Floats


class OraclePoint(NamedTuple):
    """The tilted reference at one KL.

    Attributes:
        kl_nats: mean KL over prompts, nats.
        gold: mean gold over prompts.
        b: temperature in units of gold, common to all prompts; None stands for infinity (KL 0), and
            0 for the best responses alone.
        ess: effective sample size, harmonic mean over prompts; None where it is exact.
    """

    kl_nats: float
    gold: float
    b: float | None
    ess: float | None


@dataclass(frozen=True)
class OracleFront:
    """The best gold reachable at each KL of a grid.

    Attributes:
        points: one for each reachable KL, in increasing KL.
        unreachable_kl: KLs of the grid beyond the support, or beyond the effective-sample limit.
        kl_limit_nats: supremum of the KL that tilting this pool can reach.
    """

    points: tuple[OraclePoint, ...]
    unreachable_kl: tuple[float, ...]
    kl_limit_nats: float

    @property
    def front(self) -> Front:
        """The reachable points as arrays."""
        kl = np.array([point.kl_nats for point in self.points], np.float64)
        gold = np.array([point.gold for point in self.points], np.float64)
        return Front(kl, gold)


class _Tilt(NamedTuple):
    kl_nats: float
    gold: float
    ess: float


def pareto_front(kl_nats: ArrayLike, gold: ArrayLike) -> Front:
    """Keep the points for which no point of at most the same KL has at least the same gold.

    Of equal points one is kept.

    Raises:
        ValueError: if shapes differ, or a value is NaN or infinite.
    """
    kl, score = np.ravel(check_finite(kl_nats, "KL")), np.ravel(check_finite(gold, "gold"))
    check_same_shape(kl, score, "KL and gold")
    order = np.lexsort((-score, kl))
    kl, score = kl[order], score[order]
    best_before = np.concatenate(([-np.inf], np.maximum.accumulate(score)[:-1]))
    keep = score > best_before
    return Front(kl[keep], score[keep])


def normalized_hypervolume(
    kl_nats: ArrayLike, gold: ArrayLike, oracle: Front, kl_max_nats: float
) -> float:
    """Area under the gold-KL front up to KL_max, as a share of the oracle's: initial 0, oracle 1.

    hypervolume(points) / hypervolume(oracle points), both dominated areas with the reference point
    (KL_max, initial gold = 0); points beyond KL_max or below the initial policy add nothing. Both
    are staircases, so evaluate the oracle on the budgets at which methods are measured; with a
    coarser grid of the oracle a method can exceed 1.

    Args:
        kl_nats: KL of each measured point, nats.
        gold: gold of each point above the initial policy.
        oracle: front of the tilted reference, gold above the initial policy.
        kl_max_nats: fixed end of the KL axis, nats.

    Raises:
        ValueError: if a value is NaN or infinite, KL_max is not positive, or the oracle has no
            area to compare with.

    Reference:
        Zitzler and Thiele, "Multiobjective Optimization Using Evolutionary Algorithms", 1998;
        computed by moocore, https://multi-objective.github.io/moocore/python/.
    """
    kl, score = np.ravel(check_finite(kl_nats, "KL")), np.ravel(check_finite(gold, "gold"))
    check_same_shape(kl, score, "KL and gold")
    if not (np.isfinite(kl_max_nats) and kl_max_nats > 0):
        raise ValueError(f"KL_max must be positive, got {kl_max_nats}")
    whole = _area(oracle.kl_K, oracle.gold_K, kl_max_nats)
    if whole <= 0:
        raise ValueError("the oracle front has no area below KL_max: give it points with gain")
    return _area(kl, score, kl_max_nats) / whole


def oracle_front(gold_BN: ArrayLike, kl_grid: ArrayLike, min_ess: float = 10.0) -> OracleFront:
    """Best gold at each KL, estimated from a pool of reference samples per prompt.

    Self-normalized weights w_bn = exp(g_bn / b) / sum_n exp(g_bn / b) with one b for all prompts
    (the solution of maximizing mean gold under a limit on the mean KL); KL_b = sum_n w log(N w);
    b is the root of mean KL = target, bracketed in log b. A target is unreachable where the
    effective sample size 1 / mean_b(sum_n w^2), a harmonic mean over prompts because the bias of
    self-normalized weights goes like its inverse, is below `min_ess`. Both KL and gold of finite
    pools are biased; the limit keeps that small.

    Where the best gold of a prompt is that of many samples, as a checked answer's is, the tilt ends
    at the KL of these alone. Beyond it the best gold stays what it is: any policy of that KL that
    gives nothing else has it. So it is, if more than `min_ess` effective samples are left there.

    Args:
        gold_BN: gold of N samples of the reference policy for each of B prompts.
        kl_grid: target KLs, nats, at least 0.
        min_ess: smallest effective sample size that is trusted.

    Raises:
        ValueError: if gold is not (B, N), a value is NaN or infinite, or a target is negative.
    """
    gold = check_finite(gold_BN, "gold")
    if gold.ndim != 2:
        raise ValueError(f"gold must have shape (prompts, samples), got {gold.shape}")
    n_prompts, n_samples = gold.shape
    uniform = np.full(gold.shape, 1.0 / n_samples)
    traced = _trace(gold, uniform, np.full(n_prompts, 1.0 / n_prompts), kl_grid, min_ess)
    best_BN = gold == gold.max(axis=1, keepdims=True)
    ess = float(1.0 / np.mean(1.0 / best_BN.sum(axis=1)))
    if best_BN.all() or not ess > min_ess:
        return traced
    most = float(gold.max(axis=1).mean())
    beyond = [kl_nats for kl_nats in traced.unreachable_kl if kl_nats >= traced.kl_limit_nats]
    flat = tuple(OraclePoint(kl_nats, most, 0.0, ess) for kl_nats in beyond)
    left = tuple(kl_nats for kl_nats in traced.unreachable_kl if kl_nats not in beyond)
    return OracleFront((*traced.points, *flat), left, traced.kl_limit_nats)


def oracle_front_exact(
    gold_BR: ArrayLike, p_BR: ArrayLike, kl_grid: ArrayLike, p_B: ArrayLike | None = None
) -> OracleFront:
    """Best gold at each KL where every response and its reference probability are enumerated.

    p*(r|b) = p(r|b) exp(g / b) / Z_b; KL = sum_b p_b sum_r p* log(p*/p), no estimation.

    Args:
        gold_BR: gold of every response to every prompt; ignored where the probability is 0.
        p_BR: reference probability of every response, rows summing to 1 (0 pads short rows).
        kl_grid: target KLs, nats, at least 0.
        p_B: probability of each prompt; equal by default.

    Raises:
        ValueError: if shapes differ, a value is invalid, or probabilities do not sum to 1.
    """
    gold, probability = check_finite(gold_BR, "gold"), check_finite(p_BR, "probabilities")
    check_same_shape(gold, probability, "gold and probabilities")
    n_prompts = gold.shape[0]
    prompt = np.full(n_prompts, 1 / n_prompts) if p_B is None else check_finite(p_B, "prompts")
    for name, total in (("responses", probability.sum(axis=1)), ("prompts", prompt.sum())):
        if np.any(np.abs(total - 1.0) > 1e-6):
            raise ValueError(f"probabilities of {name} do not sum to 1")
    if np.any(probability < 0) or np.any(prompt < 0) or prompt.shape != (n_prompts,):
        raise ValueError("probabilities must be non-negative, one row for each prompt")
    return _trace(gold, probability, prompt, kl_grid, None)


def regret(front: Front, kl_nats: float, gold: float) -> float | None:
    """Gold that the front has and the point has not, at the point's KL; None outside the front.

    The front is interpolated linearly, which for a concave oracle is slightly too low between its
    points, so a regret can come out slightly below 0. A policy that meets the front's last budget
    from beyond it is compared with the front's end, which an oracle does not fall behind.

    Raises:
        ValueError: if the front is empty, or a value is NaN or infinite.
    """
    check_finite([kl_nats, gold], "KL and gold")
    check_finite(front.kl_K, "front")
    end = float(front.kl_K[-1])
    if kl_nats < front.kl_K[0] or (kl_nats > end and not is_met(kl_nats, end)):
        return None
    return float(np.interp(kl_nats, front.kl_K, front.gold_K)) - gold


def has_area(oracle: Front, kl_max_nats: float) -> bool:
    """Whether the oracle's front has an area below KL_max, which hypervolumes are shares of."""
    return _area(oracle.kl_K, oracle.gold_K, kl_max_nats) > 0


def _area(kl: Floats, gold: Floats, kl_max_nats: float) -> float:
    points = np.stack([kl, gold], axis=1)
    return float(moocore.hypervolume(points, ref=[kl_max_nats, 0.0], maximise=[False, True]))


def _trace(
    gold_BR: Floats, p_BR: Floats, p_B: Floats, kl_grid: ArrayLike, min_ess: float | None
) -> OracleFront:
    """Solve for every KL of the grid."""
    targets = np.unique(check_finite(kl_grid, "KL grid"))
    if targets[0] < 0:
        raise ValueError("target KLs must be at least 0 nats")
    present = p_BR > 0
    masked_gold = np.where(present, gold_BR, -np.inf)
    top_BR = present & (gold_BR >= masked_gold.max(axis=1, keepdims=True))
    kl_limit = float(p_B @ -np.log(np.where(top_BR, p_BR, 0.0).sum(axis=1)))
    below_BR = gold_BR - gold_BR[present].max()
    center_B = (p_BR * below_BR).sum(axis=1, keepdims=True)
    scale = float(np.sqrt(p_B @ (p_BR * (below_BR - center_B) ** 2).sum(axis=1)))
    log_p_BR = np.log(np.where(present, p_BR, 1.0))

    def tilt(log_t: float) -> _Tilt:
        strength = np.exp(log_t) / scale if scale > 0 else 0.0
        return _tilt(gold_BR, present, log_p_BR, p_B, strength)

    start = _tilt(gold_BR, present, log_p_BR, p_B, 0.0)
    points: list[OraclePoint] = []
    unreachable: list[float] = []
    low = LOG_TILT_RANGE[0]
    for target in targets:
        if target == 0.0:
            solution, b = start._replace(kl_nats=0.0), None
        else:
            root = _solve(tilt, float(target), low)
            if target >= kl_limit or root is None:
                unreachable.append(float(target))
                continue
            low, solution, b = root, tilt(root), scale / float(np.exp(root))
        if min_ess is not None and solution.ess < min_ess:
            unreachable.append(float(target))
            continue
        ess = None if min_ess is None else solution.ess
        points.append(OraclePoint(solution.kl_nats, solution.gold, b, ess))
    return OracleFront(tuple(points), tuple(unreachable), kl_limit)


def _solve(tilt: Callable[[float], _Tilt], target: float, low: float) -> float | None:
    """Log tilt at which the mean KL equals the target, or None when it is beyond the range."""
    high = LOG_TILT_RANGE[1]
    if tilt(low).kl_nats >= target:
        return low if tilt(low).kl_nats <= target + KL_TOLERANCE_NATS else None
    if tilt(high).kl_nats < target:
        return None
    return float(brentq(lambda x: tilt(x).kl_nats - target, low, high, xtol=1e-12, rtol=1e-12))


def _tilt(
    gold_BR: Floats, present: np.ndarray, log_p_BR: Floats, p_B: Floats, strength: float
) -> _Tilt:
    """Tilt every prompt by exp(strength gold) and average over prompts.

    Gold is averaged as what is missing to the best response of all, so that rounding in the
    weights cannot move a gold that is the same everywhere.
    """
    exponent = np.where(present, log_p_BR + strength * gold_BR, -np.inf)
    log_w_BR = exponent - logsumexp(exponent, axis=1, keepdims=True)
    weight = np.exp(log_w_BR)
    ratio = np.where(present, np.where(weight > 0, log_w_BR, 0.0) - log_p_BR, 0.0)
    kl_B = (weight * ratio).sum(axis=1)
    best = float(gold_BR[present].max())
    missing_B = (weight * (best - gold_BR)).sum(axis=1)
    inverse_ess = float(p_B @ (weight**2).sum(axis=1))
    return _Tilt(float(p_B @ kl_B), best - float(p_B @ missing_B), 1.0 / inverse_ess)
