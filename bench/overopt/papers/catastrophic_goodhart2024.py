"""Kwa, Thomas and Garriga-Alonso 2024, "Catastrophic Goodhart: Regularizing RLHF with KL Divergence
Does Not Mitigate Heavy-Tailed Reward Misspecification".

A proxy U = V + X adds an independent error X to the utility V. Everything here is computed from
distributions, without samples and without training. Theorems and figures are numbered as in notes,
and which distributions the paper's figure B.3 pairs is not verified; the six pairs here are ours.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from overopt.papers.contract import (
    Checked,
    Claim,
    ComputedFigure,
    ComputedLine,
    Exact,
    Grid,
    Paper,
)
from overopt.stats.arrays import Floats

N = np.unique(np.rint(10.0 ** np.linspace(0.0, 7.0, 57)))
"""Numbers of samples of best-of-n: 1 to 10 million, 8 a decade."""
UP_TO = 1e5
"""Claims of a curve that never falls, or never rises, are about n up to this."""
PLACES, NODES = 400, 700
ERRORS = {
    "normal": (stats.norm(), 40.0),
    "lognormal": (stats.lognorm(1.0), 1e5),
    "t3": (stats.t(3), 1e5),
    "t5": (stats.t(5), 1e5),
    "Levy": (stats.levy(), 1e16),
}
"""Distributions of X, each with the largest |u| that counts."""
UTILITIES = {"normal": stats.norm(), "t10": stats.t(10)}
HEAVY = tuple((x, v) for x in ("lognormal", "t3", "t5") for v in UTILITIES)
PENALTIES = (10.0, 5.0, 2.0, 1.0, 0.7, 0.5)
LIGHT = {"normal": stats.norm(), "uniform": stats.uniform(-1.0, 2.0)}
INDEX = 1.5
"""Of the Pareto error of cg-04."""
ROUNDING = 2e-3
"""Changes of E[V] up to this are quadrature, SDs of a standard normal V."""


def spread(far: float, nodes: int) -> Floats:
    """Numbers from -far to far, dense around 0 and about geometric beyond 1."""
    return np.asarray(np.sinh(np.linspace(-np.arcsinh(far), np.arcsinh(far), nodes)), np.float64)


def utility_of_best(utility: Any, error: Any, far: float) -> Floats:
    """E[V] of the best of n by U = V + X, for every n of `N`.

    E_n[V] = integral of E[V | U = u] d F(u)^n. F's tail and the conditional mean are integrals over
    v by trapezoids on nodes that are dense both where v and where u - v is near 0. V of mean 0.

    Args:
        utility: the distribution of V, of scipy.
        error: that of X.
        far: largest |u|; what lies beyond counts as there.

    Returns:
        Shape (57,).
    """
    u_M = spread(far, PLACES)
    tail_M, mean_M = np.empty_like(u_M), np.empty_like(u_M)
    for m, u in enumerate(u_M):
        near = spread(max(1.5 * abs(u), 1e3), NODES)
        v = np.unique(np.concatenate((near, u - near)))
        density = utility.pdf(v)
        joint = density * error.pdf(u - v)
        total = float(np.trapezoid(joint, v))
        mean_M[m] = float(np.trapezoid(v * joint, v)) / total if total > 0.0 else 0.0
        tail_M[m] = float(np.trapezoid(density * error.sf(u - v), v))
    tail_M = np.minimum.accumulate(np.clip(tail_M, 0.0, 1.0 - 1e-15))
    value = []
    for n in N:
        up_to_M = np.exp(n * np.log1p(-tail_M))
        step = np.diff(up_to_M, prepend=0.0)
        middle = 0.5 * (mean_M + np.concatenate((mean_M[:1], mean_M[:-1])))
        value.append(float(step @ middle + (1.0 - up_to_M[-1]) * mean_M[-1]))
    return np.array(value, np.float64)


@cache
def curve_of(x: str, v: str) -> Floats:
    """`utility_of_best` of an error and a utility by name."""
    error, far = ERRORS[x]
    return utility_of_best(UTILITIES[v], error, far)


def light_tails_rise() -> Checked:
    """Normal V and X: E[V] of best-of-n never falls up to n = 100,000."""
    curve = curve_of("normal", "normal")
    fall = float(np.max(np.maximum.accumulate(curve) - curve, where=N <= UP_TO, initial=0.0))
    words = f"normal V and X: E[V] {curve[0]:.2f} at n = 1, {curve[N <= UP_TO][-1]:.2f} at 100,000"
    return Checked(fall <= ROUNDING, fall, ROUNDING, words)


def heavy_tails_turn() -> Checked:
    """Six pairs of lognormal or t error with normal or t utility: E[V] rises and then falls.

    The deviation is how many of the six do not rise above and then fall below their highest value
    by more than 0.05 within n up to 10 million.
    """
    flat, words = 0, []
    for x, v in HEAVY:
        curve = curve_of(x, v)
        top = int(curve.argmax())
        turns = curve[top] - curve[0] > 0.05 and curve[top] - curve[-1] > 0.05
        flat += not turns
        peak = f"peak at n = {N[top]:.2g}" if turns else "no fall by n = 1e7"
        words.append(f"X {x}, V {v}: {peak}")
    return Checked(flat == 0, float(flat), 0.0, "; ".join(words))


def levy_never_rises() -> Checked:
    """Levy error, normal utility: E[V] stays within 0.10 of that of one sample."""
    curve = curve_of("Levy", "normal")
    rise = float(np.max(np.abs(curve - curve[0])[N <= UP_TO]))
    place = int(np.argmax(np.where(N <= UP_TO, curve, -np.inf)))
    words = (
        f"Levy X, normal V: E[V] is highest, {curve[place]:.2f}, at n = {N[place]:.3g} and back at "
        f"{curve[N <= UP_TO][-1]:.2f} by n = 100,000; any independent error lets it rise at first"
    )
    return Checked(rise <= 0.10, rise, 0.10, words)


def moved_to_the_tail() -> tuple[Floats, Floats]:
    """KL (T,), nats, and gain in E[U] (T,) of policies that move a share to X > t, t growing.

    The share is e = t^(-1/2) and X is Pareto's of index 1.5. With p = t^(-3/2) the KL is that of
    the two cells, E[X] grows by e (E[X | X > t] - E[X]), and V, which is independent of X, stays.
    """
    mean = INDEX / (INDEX - 1.0)
    t = 10.0 ** np.arange(2.0, 13.0)
    p, e = t**-INDEX, t**-0.5
    q = e + (1.0 - e) * p
    kl = q * np.log(q / p) + (1.0 - q) * (np.log1p(-q) - np.log1p(-p))
    return kl, (q - p) / (1.0 - p) * (mean * t - mean)


def small_kl_large_proxy() -> Checked:
    """Pareto error of index 1.5: KL falls to nothing while E[U] grows without bound.

    The deviation is the least KL of the policies of `moved_to_the_tail` that gain over 1,000.
    """
    kl, gain = moved_to_the_tail()
    worst = float(kl[gain > 1e3].min())
    return Checked(worst < 1e-4, worst, 1e-4, "KL, nats, of a policy whose E[U] rose by 1,000")


@cache
def tilted_utility(x: str) -> Floats:
    """E[V] (6,) of the tilts pi_ref exp(U / b) of a light-tailed independent X, b falling."""
    v_V, x_X = np.linspace(-8.0, 8.0, 1601), np.linspace(-8.0, 8.0, 801)
    log_base_VX = stats.norm().logpdf(v_V)[:, None] + LIGHT[x].logpdf(x_X)
    means = []
    for b in PENALTIES:
        log_tilt_VX = log_base_VX + (v_V[:, None] + x_X) / b
        weight_VX = np.exp(log_tilt_VX - log_tilt_VX.max())
        means.append(float((weight_VX * v_V[:, None]).sum() / weight_VX.sum()))
    return np.array(means, np.float64)


def light_tails_gain() -> Checked:
    """Tilts pi_ref exp(U / b) with light-tailed independent X: E[V] grows as b falls."""
    worst, ends = 0.0, []
    for x in LIGHT:
        means = tilted_utility(x)
        worst = max(worst, float(-np.diff(means).min()))
        ends.append(f"{means[0]:.2f} to {means[-1]:.2f}")
    words = f"E[V] from b = 10 to 0.5: {ends[0]} with normal X, {ends[1]} with uniform X"
    return Checked(worst <= 0.0, max(worst, 0.0), 0.0, words)


CLAIMS = (
    Claim(
        "cg-01",
        "with a light-tailed error, E[V] of best-of-n rises throughout",
        "normal error",
        "theorem 6, figure B.3 (from notes)",
        Exact(light_tails_rise, "NOHUMP up to n = 100,000, computed"),
        figure="utility",
    ),
    Claim(
        "cg-02",
        "with a heavy-tailed error, E[V] of best-of-n rises and then falls",
        "in 5 of 6 lognormal and t cases near n = 100 to 1,000; X t5 with V t10 near 100,000",
        "theorem 5, figure B.3 (from notes)",
        Exact(
            heavy_tails_turn,
            "HUMP by more than 0.05 within n up to 10 million, all six pairs; where they peak is "
            "told and not judged, since the paper's scales are not verified",
        ),
        figure="utility",
    ),
    Claim(
        "cg-03",
        "with a Levy error, V never rises",
        "it does not",
        "figure B.3 (from notes)",
        Exact(levy_never_rises, "EQ 0.10 of E[V] up to n = 100,000 with that of n = 1, computed"),
        figure="utility",
    ),
    Claim(
        "cg-04",
        "heavy-tailed proxy: there are policies of any small KL, any large E[U] and no more V",
        "a theorem",
        "main theorem (summary of the abstract)",
        Exact(small_kl_large_proxy, "a policy below 1e-4 nats, E[U] above 1,000, E[V] as it was"),
        figure="small-kl",
    ),
    Claim(
        "cg-05",
        "with a light-tailed independent error, the KL-regularized optimum gains V as the penalty "
        "shrinks",
        "a theorem, its wording not verified",
        "theorem on light tails (summary)",
        Exact(light_tails_gain, "SLOPE: E[V] of exact tilts grows at every step of the penalty"),
        figure="tilts",
    ),
    Claim(
        "cg-06",
        "scores of random texts have the tail that Hill's estimator shows",
        "a Pythia reward model about normal; Starling heavier, Hill about 0.20, inconclusive",
        "section 5, figure 1 and B.1 (from notes)",
        None,
        "report only: Hill's tail index with its standard error over k",
        needs="scores of random texts by public reward models",
    ),
)


def _utility_lines() -> list[ComputedLine]:
    cases = (("normal", "normal"), *HEAVY, ("Levy", "normal"))
    return [ComputedLine(f"X {x}, V {v}", N, curve_of(x, v)[None]) for x, v in cases]


def _tail_lines() -> list[ComputedLine]:
    kl, gain = moved_to_the_tail()
    return [ComputedLine("policies that move a share to X > t", kl, gain[None])]


def _tilt_lines() -> list[ComputedLine]:
    b = np.array(PENALTIES)
    normal, uniform = (tilted_utility(x)[None] for x in LIGHT)
    return [ComputedLine("X normal", b, normal), ComputedLine("X uniform", b, uniform, "dashed")]


FIGURES = (
    ComputedFigure(
        "utility", "figure B.3: utility of best-of-n by the error's tail", "n of best-of-n",
        "E[V] (SDs of a normal V)", _utility_lines, log_x=True,
        note="V has SD 1, or is t of 10 degrees of freedom.",
    ),
    ComputedFigure(
        "small-kl", "the main theorem: proxy gained at small KL", "KL (nats)",
        "gain in E[U] (as X)", _tail_lines, log_x=True, log_y=True,
        note="X is Pareto's of index 1.5, t from 100 (right) to 1e12 (left). E[V] stays as it was.",
    ),
    ComputedFigure(
        "tilts", "the theorem on light tails: utility of the regularized optimum", "penalty b",
        "E[V] (SDs)", _tilt_lines, log_x=True,
    ),
)  # fmt: skip

PAPER = Paper(
    name="catastrophic-goodhart2024",
    title="Catastrophic Goodhart: regularizing RLHF with KL divergence does not mitigate "
    "heavy-tailed reward misspecification",
    url="https://arxiv.org/abs/2407.14503",
    grids={"smoke": Grid(task="tabular", seeds=3), "standard": Grid(), "full": Grid(seeds=8)},
    claims=CLAIMS,
    figures=FIGURES,
    notes=(
        "Everything is computed from distributions: V has mean 0 and, if normal, SD 1; the error "
        "is a standard normal, lognormal with log SD 1, t of 3 or 5 degrees of freedom, or a "
        "standard Levy. Whether these are the paper's scales is not verified.",
    ),
)
