"""What forms fitted to best-of-n at small n foretell of large n, and how wrong they are.

Gao et al. fitted d (a - b d) up to about 6 nats and predicted n = 60,000, about 10 nats, before
they looked. The test is repeated here: every form is fitted on n up to a limit, on the grid that
weighs each doubling alike, and its error beyond is set beside that of two who know nothing of
over-optimization: the last fitted score, kept, and a straight line through the origin.

Reference:
    Gao, Schulman, Hilton, "Scaling Laws for Reward Model Overoptimization", 2022, section 3.1,
    https://arxiv.org/abs/2210.10760
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats, Ints
from overopt.stats.fits.forms import Form
from overopt.stats.fits.holdout import Cuts, SeedHoldouts, cut_curve, gather_holdouts
from overopt.stats.fits.least_squares import Solution, solve
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.pools.best_of_n import curve
from overopt.stats.pools.n_grids import fit_grid

FORMS = (Form.BON, Form.RL, Form.LOG1P)
"""Forms that are tried: the one of best-of-n, that of RL, and the one that the paper rejects."""


class BestOfN(NamedTuple):
    """Best-of-n from one streamed pool, means over prompts.

    Attributes:
        n_K: the grid of n.
        kl_nats_K: KL from the initial policy, ties known, nats.
        kl_bound_K: log n - (n - 1)/n, nats.
        gold_K: gain of gold over n = 1, SDs of the initial policy.
        gold_se_K: standard error over prompts of that gain; NaN with one prompt.
        proxy_K: gain of the proxy over n = 1.
        member_MK: gain of each of the proxy's members over n = 1; no row where there is one.
    """

    n_K: Ints
    kl_nats_K: Floats
    kl_bound_K: Floats
    gold_K: Floats
    gold_se_K: Floats
    proxy_K: Floats
    member_MK: Floats = np.empty((0, 0))


class FormTest(NamedTuple):
    """One form, fitted below and tested above.

    Attributes:
        form: the form.
        a, b: its coefficients over seeds, fitted on small n.
        holdouts: its errors on larger n, with those of a constant.
        solved: its fit of each seed, or why there is none.
    """

    form: Form
    a: Interval
    b: Interval
    holdouts: SeedHoldouts
    solved: tuple[Solution | ValueError, ...]


@dataclass(frozen=True)
class Extrapolation:
    """Curves of seeds, and how well each form foretold their far end.

    Attributes:
        curves: one per seed.
        fitted_up_to: the largest n that was fitted.
        tests: one per form.
        line_rmse: error over seeds of a straight line in d through the origin, fitted alike.
    """

    curves: tuple[BestOfN, ...]
    fitted_up_to: int
    tests: tuple[FormTest, ...]
    line_rmse: Interval


class ProxyPoints(NamedTuple):
    """What members score where gold is highest.

    Attributes:
        n_S: for each seed the n at which the mean gold of the other seeds is highest.
        gold: gain of gold there, over seeds.
        proxy: gain of the proxy there.
        members: gain of each member there: its proxy point.
    """

    n_S: tuple[int, ...]
    gold: Interval
    proxy: Interval
    members: tuple[Interval, ...]


def proxy_points(curves: Sequence[BestOfN]) -> ProxyPoints:
    """The proxy points of a reward of several members under best-of-n by their combination.

    The peak is chosen by other seeds on the same prompts, which all seeds share: what is read there
    is that of these prompts, and for others too high where their gold differs from prompt to prompt
    along the curve. A single seed's own highest point has to do, which is high by chance too.

    Reference:
        Moskovitz et al., "Confronting Reward Model Overoptimization with Constrained RLHF", 2023,
        https://arxiv.org/abs/2310.04373: a component's proxy point is its value where the true
        objective begins to fall, and it moves with the correlation of components.
    """
    gold_SK = np.stack([one.gold_K for one in curves])
    seeds = len(curves)
    peak_S = [
        int(np.argmax((np.delete(gold_SK, s, axis=0) if seeds > 1 else gold_SK).mean(axis=0)))
        for s in range(seeds)
    ]

    def at_peak(value_SK: Sequence[Floats]) -> Interval:
        return t_interval(
            np.array([one[k] for one, k in zip(value_SK, peak_S, strict=True)], np.float64)
        )

    members = range(len(curves[0].member_MK))
    return ProxyPoints(
        tuple(int(curves[0].n_K[k]) for k in peak_S),
        at_peak([one.gold_K for one in curves]),
        at_peak([one.proxy_K for one in curves]),
        tuple(at_peak([one.member_MK[m] for one in curves]) for m in members),
    )


def best_of_n(
    prompt_R: Ints,
    gold_R: Floats,
    proxy_R: Floats,
    n_max: int,
    member_MR: Sequence[Floats] = (),
) -> BestOfN:
    """Best-of-n of a pool at n = 1, 2, 3, 4, 6, 8, 11 ... ``n_max``, two for each doubling.

    Unbiased in gold and proxy (`overopt.stats.pools.best_of_n`). At n = N it is one sample per
    prompt, so that a pool should hold several times the largest n.

    Raises:
        ValueError: a pool is smaller than ``n_max``, or a score is no number.
    """
    grid_K = fit_grid(n_max)
    found = curve(prompt_R, gold_R, proxy_R, grid_K)
    if not found.kept_BK.all():
        raise ValueError(f"pools of {int(found.size_B.min())} samples say nothing of n = {n_max}")
    gain_BK = found.gold_BK - found.gold_BK[:, :1]
    prompts = len(gain_BK)
    se_K = (
        gain_BK.std(axis=0, ddof=1) / np.sqrt(prompts)
        if prompts > 1
        else np.full(gain_BK.shape[1], np.nan)
    )
    return BestOfN(
        found.n_K,
        np.maximum(found.kl_BK.mean(axis=0), 0.0),
        found.kl_bound_K,
        gain_BK.mean(axis=0),
        np.asarray(se_K, np.float64),
        (found.proxy_BK - found.proxy_BK[:, :1]).mean(axis=0),
        np.array(
            [
                (picked_BK - picked_BK[:, :1]).mean(axis=0)
                for picked_BK in (
                    curve(prompt_R, one, proxy_R, grid_K).gold_BK for one in member_MR
                )
            ]
        ),
    )


def extrapolate(curves: Sequence[BestOfN], fitted_up_to: int) -> Extrapolation:
    """Fit every form to each seed's points up to an n, and compare with the rest.

    Args:
        curves: one per seed, on one grid.
        fitted_up_to: the largest n that is fitted.

    Raises:
        ValueError: no point, or every point, lies within ``fitted_up_to``.
    """
    n_K = curves[0].n_K
    fitted = int(np.count_nonzero((n_K <= fitted_up_to) & (n_K > 1)))
    if not 0 < fitted < len(n_K) - 1:
        raise ValueError(
            f"fitting n up to {fitted_up_to} leaves nothing to fit or nothing to foretell of n up "
            f"to {int(n_K[-1])}"
        )
    cut_S = {
        seed: cut_curve(np.sqrt(one.kl_nats_K), one.gold_K, fitted)
        for seed, one in enumerate(curves)
    }
    cuts = Cuts(cut_S, ())
    tests = []
    for form in FORMS:
        solved = solve([cut.near for cut in cut_S.values()], form)
        done = [one for one in solved if isinstance(one, Solution)]
        tests.append(
            FormTest(
                form,
                t_interval(np.array([one.coefficients[0] for one in done])),
                t_interval(np.array([one.coefficients[1] for one in done])),
                gather_holdouts(cuts, solved),
                tuple(solved),
            )
        )
    errors = []
    for near, far in cut_S.values():
        slope = float(near.d_K @ near.r_K) / float(near.d_K @ near.d_K)
        errors.append(float(np.sqrt(np.mean((far.r_K - slope * far.d_K) ** 2))))
    return Extrapolation(tuple(curves), fitted_up_to, tuple(tests), t_interval(np.array(errors)))
