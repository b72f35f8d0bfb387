"""Gold of the tilted initial policy beyond what a pool of its samples can show: annealing.

The best gold at a KL belongs to the tilt pi_ref exp(t gold). A pool carries it while t is small.
From there on particles follow the tilt: t rises in small steps, each prompt's particles are
resampled by exp(dt gold) and then moved by a Markov chain that leaves the tilt of t as it is. With
f(t) the mean gold under the tilt, log Z(t) is the integral of f, and KL(t) = t f(t) - log Z(t).
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.optimize import brentq
from scipy.special import logsumexp

from overopt.stats.arrays import Floats, Ints, check_finite

ESS_KEPT = 0.7
"""Share of particles that one step of t leaves effective; a smaller step loses fewer."""
MAX_RUNGS = 400
_LOG_STRENGTHS = (-18.0, 18.0)


class Particles(Protocol):
    """M responses to each of B prompts, as the sampler of a world keeps them."""

    def keep(self, index_BM: Ints) -> None:
        """Go on with these of each prompt's responses, repeats included."""
        ...

    def move(self, strength: float) -> float:
        """Move all by a chain that leaves pi_ref exp(strength gold) as it is; share accepted."""
        ...

    @property
    def gold_BM(self) -> Floats:
        """Gold of each response."""
        ...


class Start(NamedTuple):
    """The tilt at which a pool is left.

    Attributes:
        strength: t, per unit of gold.
        weight_BN: self-normalized weights of the pool's samples.
        log_z_B: log of the mean of exp(t gold) over the pool.
        gold_B: mean gold under the tilt.
        variance_B: variance of gold under the tilt, of which the mean gold's slope in t consists.
    """

    strength: float
    weight_BN: Floats
    log_z_B: Floats
    gold_B: Floats
    variance_B: Floats


class Rung(NamedTuple):
    """The tilted policy at one t.

    Attributes:
        strength: t, per unit of gold; the slope of gold in KL is 1 / t.
        kl_nats: mean KL over prompts, nats.
        gold: mean gold over prompts.
        gold_se: Monte Carlo standard error of gold at this KL, from two halves of the particles
            that never exchange any; prompts are fixed. Blind to what no particle ever visits.
        accepted: share of proposals that were accepted at this t.
    """

    strength: float
    kl_nats: float
    gold: float
    gold_se: float
    accepted: float


class _Level(NamedTuple):
    """What is known of the tilt at one t, of each half (H = 2) of each prompt's particles."""

    gold_HB: Floats
    variance_HB: Floats
    log_z_HB: Floats


def leave_pool(gold_BN: Floats, min_ess: float) -> Start | None:
    """The strongest tilt that a pool carries with an effective sample size of ``min_ess``.

    The size is the harmonic mean over prompts. None where the pool carries every tilt.

    Args:
        gold_BN: gold of N samples of the initial policy for each of B prompts.
        min_ess: effective samples, less than N.
    """
    gold = check_finite(gold_BN, "gold")

    def excess(log_t: float) -> float:
        return _ess(_log_weights(gold, float(np.exp(log_t)))) - min_ess

    low, high = _LOG_STRENGTHS
    if excess(high) >= 0:
        return None
    strength = float(np.exp(brentq(excess, low, high, xtol=1e-9)))
    weight = np.exp(_log_weights(gold, strength))
    mean_B = (weight * gold).sum(axis=1)
    variance_B = (weight * (gold - mean_B[:, None]) ** 2).sum(axis=1)
    log_z_B = logsumexp(strength * gold, axis=1) - np.log(gold.shape[1])
    return Start(strength, weight, log_z_B, mean_B, variance_B)


def systematic(weight_BN: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Systematic resampling: ``count`` indices of each row, (B, count), in proportion to weights.

    One uniform number serves a row, so that an index with weight w is drawn count * w times,
    rounded up or down.
    """
    cdf_BN = np.cumsum(weight_BN, axis=1)
    cdf_BN /= cdf_BN[:, -1:]
    place_BM = (rng.random((len(weight_BN), 1)) + np.arange(count)) / count
    index = [np.searchsorted(c, p, side="right") for c, p in zip(cdf_BN, place_BM, strict=True)]
    index_BM: Ints = np.minimum(np.array(index, np.int64), weight_BN.shape[1] - 1)
    return index_BM


def anneal(
    particles: Particles, start: Start, kl_max_nats: float, rng: np.random.Generator
) -> list[Rung]:
    """Follow the tilt of the initial policy from a pool's end to a KL.

    log Z is integrated by the trapezoidal rule with its end-point correction,
    dt (f0 + f1) / 2 - dt^2 (v1 - v0) / 12, for f the mean gold and v = df/dt its variance: each
    step's estimate is linear in means, so that noise adds no bias as it does in the log of a mean.

    Args:
        particles: an even number M of each prompt, drawn from the pool by ``start.weight_BN``;
            the first and the second half are two populations.
        start: where the pool is left.
        kl_max_nats: where to stop.
        rng: for resampling.

    Returns:
        Rungs from the start's t on, increasing in t. They end before ``kl_max_nats`` where no
        response is better than those that are held, or after ``MAX_RUNGS``.

    Reference:
        Neal, "Annealed importance sampling", 2001; Del Moral et al., "Sequential Monte Carlo
        samplers", 2006; the integral is thermodynamic integration.
    """
    strength, accepted = start.strength, particles.move(start.strength)
    halves_2 = np.ones((2, 1))
    level = _Level(start.gold_B * halves_2, start.variance_B * halves_2, start.log_z_B * halves_2)
    rungs = [_rung(strength, level, accepted)]
    gold_BM = particles.gold_BM
    while rungs[-1].kl_nats < kl_max_nats and len(rungs) < MAX_RUNGS:
        step = _longest_step(gold_BM, strength)
        if step is None:
            break
        particles.keep(_resample(gold_BM, step, rng))
        strength += step
        accepted = particles.move(strength)
        gold_BM = particles.gold_BM
        level = _raise(level, gold_BM, step)
        rungs.append(_rung(strength, level, accepted))
    return rungs


def gold_at(rungs: Sequence[Rung], kl_nats: float) -> tuple[float, float, float] | None:
    """Gold, its standard error and 1 / t at a KL, between rungs by a cubic with known slopes 1 / t.

    None beyond the rungs. Rungs whose noise puts them at a smaller KL than one before are left out.
    """
    kl_K = np.array([rung.kl_nats for rung in rungs])
    rising = kl_K > np.concatenate(([-np.inf], np.maximum.accumulate(kl_K)[:-1]))
    kept = [rung for rung, is_kept in zip(rungs, rising, strict=True) if is_kept]
    if len(kept) < 2 or not kept[0].kl_nats <= kl_nats <= kept[-1].kl_nats:
        return None
    kl_K = np.array([rung.kl_nats for rung in kept])
    gold_K = np.array([rung.gold for rung in kept])
    b_K = np.array([1.0 / rung.strength for rung in kept])
    gold = float(CubicHermiteSpline(kl_K, gold_K, b_K)(kl_nats))
    se = float(np.interp(kl_nats, kl_K, [rung.gold_se for rung in kept]))
    return gold, se, float(np.interp(kl_nats, kl_K, b_K))


def _log_weights(gold_BN: Floats, strength: float) -> Floats:
    tilted = strength * gold_BN
    normalized: Floats = tilted - logsumexp(tilted, axis=1, keepdims=True)
    return normalized


def _ess(log_w_BN: Floats) -> float:
    """Effective sample size, harmonic mean over prompts."""
    return float(1.0 / np.exp(2.0 * log_w_BN).sum(axis=1).mean())


def _longest_step(gold_BM: Floats, strength: float) -> float | None:
    """The step of t after which ``ESS_KEPT`` of the particles are effective, at most t itself.

    None where each prompt's particles all have the same gold, at most rounding apart: no t is left
    at which they would differ.
    """
    if np.ptp(gold_BM, axis=1).max() * strength < 1e-6:
        return None

    def excess(log_step: float) -> float:
        kept = ESS_KEPT * int(gold_BM.shape[1])
        return _ess(_log_weights(gold_BM, float(np.exp(log_step)))) - kept

    low, high = np.log(strength) - 20.0, np.log(strength)
    return strength if excess(high) >= 0 else float(np.exp(brentq(excess, low, high, xtol=1e-6)))


def _resample(gold_BM: Floats, step: float, rng: np.random.Generator) -> Ints:
    """Indices of the particles that go on, each half among itself."""
    half = gold_BM.shape[1] // 2
    first, second = (
        systematic(np.exp(_log_weights(part, step)), half, rng)
        for part in (gold_BM[:, :half], gold_BM[:, half:])
    )
    return np.concatenate([first, half + second], axis=1)


def _raise(level: _Level, gold_BM: Floats, step: float) -> _Level:
    """The next level, from the particles that were moved at it."""
    gold_HBM = np.stack(np.split(gold_BM, 2, axis=1))
    mean_HB, variance_HB = gold_HBM.mean(axis=2), gold_HBM.var(axis=2, ddof=1)
    gained_HB = (
        0.5 * step * (level.gold_HB + mean_HB) - step**2 * (variance_HB - level.variance_HB) / 12.0
    )
    return _Level(mean_HB, variance_HB, level.log_z_HB + gained_HB)


def _rung(strength: float, level: _Level, accepted: float) -> Rung:
    kl_HB = strength * level.gold_HB - level.log_z_HB
    kl_B, gold_B = kl_HB.mean(axis=0), level.gold_HB.mean(axis=0)
    # along the front gold moves by 1 / t per nat: what is left at a fixed KL is gold - KL / t
    fixed_HB = level.gold_HB - kl_HB / strength
    se = np.sqrt(((fixed_HB[0] - fixed_HB[1]) ** 2).sum()) / (2 * len(kl_B))
    return Rung(strength, float(kl_B.mean()), float(gold_B.mean()), float(se), accepted)
