"""Functional forms fitted to every group, in tidy form: what fits, how well, and where it peaks.

Every form of ``overopt.stats.fits.forms`` is fitted to each seed's own points on measured KL, and
the coefficients, peaks and held-out errors get t intervals over seeds. Held-out errors are those of
``overopt.stats.fits.holdout``, each beside that of a constant. A seed that could not be fitted or
split is named with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from overopt.report.group import Group, SeedCurve
from overopt.report.interval_columns import spread
from overopt.stats.arrays import Floats
from overopt.stats.fits.forms import Form
from overopt.stats.fits.holdout import (
    SeedHoldouts,
    Split,
    cut_seeds,
    gather_holdouts,
    peak_of_others,
)
from overopt.stats.fits.least_squares import check_curve, solve
from overopt.stats.fits.left_out import LeftOut, each_seed
from overopt.stats.fits.seeds import SeedFits, gather_fits
from overopt.stats.intervals import Interval, t_interval

FORMULAS = {
    Form.BON: "d (a − b d)",
    Form.RL: "d (a − b log d)",
    Form.LOG1P: "d (a − b log(1 + d))",
    Form.POWER: "d (a − b d^γ)",
    Form.QUADRATIC_KL: "a KL − b KL²",
    Form.QUADRATIC_D: "c + a d − b d²",
}
"""How each form is written; d = sqrt(KL in nats)."""


@dataclass(frozen=True)
class GroupFit:
    """One form fitted to one group.

    Attributes:
        group: the curves.
        form: the form.
        fits: fits of the seeds with enough points, and their intervals.
        holdouts: held-out errors of the seeds that could be split.
        aicc: AICc averaged over the fitted seeds; None when a seed has too few points for it.
    """

    group: Group
    form: Form
    fits: SeedFits
    holdouts: Mapping[Split, SeedHoldouts]
    aicc: float | None

    def band(self, d_K: Floats) -> list[Interval]:
        """t interval over seeds of the fitted score at each d (sqrt(nats)), SDs."""
        if not self.fits.fits_S:
            return []
        score_SK = np.stack([one.predict(d_K) for one in self.fits.fits_S])
        return [t_interval(column) for column in score_SK.T]

    @property
    def fitted_seeds(self) -> list[SeedCurve]:
        """The seeds behind ``fits``, in their order."""
        return [self.group.seeds[s] for s in self.fits.fitted_S]


def fit_group(group: Group, forms: Sequence[Form] = tuple(Form)) -> list[GroupFit]:
    """Fit each form to the gold of each seed of a group."""
    d_S, gold_S = [seed.d_K for seed in group.seeds], [seed.gold_K for seed in group.seeds]
    peak_S = peak_of_others(d_S, gold_S) if d_S else ()
    cuts = {split: cut_seeds(d_S, gold_S, peak_S, split) for split in Split}
    curves, invalid = each_seed(check_curve, d_S, gold_S)
    together = [*curves.values()]
    for one in cuts.values():
        together += [cut.near for cut in one.cut_S.values()]
    fitted = []
    for form in forms:
        solved = iter(solve(together, form))  # all at once, which takes a third of the time
        fits = gather_fits(form, curves, invalid, list(islice(solved, len(curves))))
        holdouts = {
            split: gather_holdouts(one, list(islice(solved, len(one.cut_S))))
            for split, one in cuts.items()
        }
        aiccs = [one.aicc for one in fits.fits_S if one.aicc is not None]
        aicc = float(np.mean(aiccs)) if aiccs and len(aiccs) == len(fits.fits_S) else None
        fitted.append(GroupFit(group, form, fits, holdouts, aicc))
    return fitted


def fit_table(fits: Sequence[GroupFit]) -> pd.DataFrame:
    """Fits in tidy form: one row per group and form; a missing number is an empty cell.

    ``delta_aicc`` is the distance to the lowest mean AICc among the forms of the same group that
    were fitted to the same seeds, so 0 marks the form that AICc prefers.
    """
    lowest: dict[tuple[int, tuple[int, ...]], float] = {}
    for one in fits:
        if one.aicc is not None:
            key = (id(one.group), one.fits.fitted_S)
            lowest[key] = min(one.aicc, lowest.get(key, one.aicc))
    return pd.DataFrame([_fit_row(one, lowest) for one in fits])


def _fit_row(one: GroupFit, lowest: Mapping[tuple[int, tuple[int, ...]], float]) -> dict[str, Any]:
    group, fits = one.group, one.fits
    gammas = [each.gamma for each in fits.fits_S if each.gamma is not None]
    best = lowest.get((id(group), fits.fitted_S))
    row: dict[str, Any] = {
        **group.identity,
        "kl_estimator": group.estimator,
        "form": one.form.value,
        "formula": FORMULAS[one.form],
        "seeds": len(fits.fits_S),
        "seeds_run": group.n_seeds,
        "exploratory": fits.exploratory,
    }
    row |= spread("a", fits.a) | spread("b", fits.b)
    row |= {
        "gamma": float(np.mean(gammas)) if gammas else None,
        "rmse": float(np.mean([each.rmse for each in fits.fits_S])) if fits.fits_S else None,
        "aicc": one.aicc,
        "delta_aicc": one.aicc - best if one.aicc is not None and best is not None else None,
    }
    for split, held_out in one.holdouts.items():
        row |= spread(f"{split}_rmse", held_out.rmse)
        row |= spread(f"{split}_constant_rmse", held_out.constant_rmse)
        row |= spread(f"{split}_gain", held_out.gain)
        row |= {
            f"{split}_seeds": len(held_out.errors_S),
            f"{split}_note": _name_seeds(group, held_out.left_out),
        }
    row |= spread("peak_d", fits.peak_d)
    row["peak_kl_nats"] = fits.peak_d.mean**2 if fits.peak_d.mean is not None else None
    row |= spread("peak_height", fits.peak_height)
    row |= {
        "peak_seeds": fits.n_peaks,
        "peak": (fits.peak_reason or "in range") if fits.fits_S else "",
        "note": "; ".join(filter(None, (_name_seeds(group, fits.left_out), _unmeasured(group)))),
    }
    return row


def _name_seeds(group: Group, left_out: Sequence[LeftOut]) -> str:
    """Why each missing seed is missing, those with the same reason together."""
    seeds_of: dict[str, list[int]] = {}
    for one in left_out:
        seeds_of.setdefault(one.reason, []).append(group.seeds[one.seed].seed)
    return "; ".join(
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(str(seed) for seed in seeds)}: {reason}"
        for reason, seeds in seeds_of.items()
    )


def _unmeasured(group: Group) -> str:
    """Seeds without a single point, by name where a failure is why."""
    missing = group.n_seeds - len(group.seeds)
    if not missing:
        return ""
    failed = ", ".join(str(one.seed) for one in group.failures if one.whole)
    return f"{missing} of {group.n_seeds} seeds not measured" + (
        f" (failed: {failed})" if failed else ""
    )
