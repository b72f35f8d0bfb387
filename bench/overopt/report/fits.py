"""Functional forms fitted to every group, in tidy form: what fits, how well, and where it peaks.

Every form of ``overopt.stats.forms`` is fitted to each seed's own points on measured KL, and the
coefficients, peaks and held-out errors get t intervals over seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from overopt.report.curves import Group, SeedCurve
from overopt.stats.arrays import Floats
from overopt.stats.forms import Fit, Form, HoldoutError, fit, holdout_error
from overopt.stats.intervals import Interval, t_interval
from overopt.stats.seeds import SeedFits, fit_seeds

HOLDOUT_SPLIT = 0.6
"""Share of a seed's points, lowest KL first, that is fitted when the rest is predicted."""

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
        fits: fits of the seeds with enough points and their intervals; None when there is none.
        holdout: t interval over seeds of the RMSE on the held-out high-KL part, SDs.
        aicc: AICc averaged over the fitted seeds; None when a seed has too few points for it.
        reason: why there is no fit, or which seeds are left out; empty when all were fitted.
    """

    group: Group
    form: Form
    fits: SeedFits | None
    holdout: Interval
    aicc: float | None
    reason: str

    def band(self, d_K: Floats) -> list[Interval]:
        """t interval over seeds of the fitted score at each d (sqrt(nats)), SDs."""
        if self.fits is None:
            return []
        score_SK = np.stack([one.predict(d_K) for one in self.fits.fits_S])
        return [t_interval(column) for column in score_SK.T]

    @property
    def fitted_seeds(self) -> list[SeedCurve]:
        """The seeds behind ``fits``, in their order."""
        return [seed for seed in self.group.seeds if _try_fit(seed, self.form) is not None]


def fit_group(group: Group, forms: Sequence[Form] = tuple(Form)) -> list[GroupFit]:
    """Fit each form to the gold of each seed of a group."""
    return [_fit_form(group, form) for form in forms]


def fit_table(fits: Sequence[GroupFit]) -> pd.DataFrame:
    """Fits in tidy form: one row per group and form; a missing number is an empty cell.

    ``delta_aicc`` is the distance to the lowest mean AICc among the forms of the same group that
    were fitted to the same seeds, so 0 marks the form that AICc prefers.
    """
    lowest: dict[tuple[int, int], float] = {}
    for one in fits:
        if one.aicc is not None and one.fits is not None:
            key = (id(one.group), one.fits.n_seeds)
            lowest[key] = min(one.aicc, lowest.get(key, one.aicc))
    return pd.DataFrame([_fit_row(one, lowest) for one in fits])


def spread(name: str, interval: Interval | None) -> dict[str, float | None]:
    """An interval as three columns: name, name_low, name_high."""
    if interval is None:
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _fit_form(group: Group, form: Form) -> GroupFit:
    fitted = [seed for seed in group.seeds if _try_fit(seed, form) is not None]
    if not fitted:
        reason = "no seed has enough points" if group.seeds else "no seed was measured"
        return GroupFit(group, form, None, t_interval([]), None, reason)
    d_S, gold_S = [seed.d_K for seed in fitted], [seed.gold_K for seed in fitted]
    fits = fit_seeds(d_S, gold_S, form)
    errors = [_try_holdout(seed, form) for seed in fitted]
    rmses = [error.rmse for error in errors if error is not None]
    aiccs = [one.aicc for one in fits.fits_S if one.aicc is not None]
    left_out = group.n_seeds - len(fitted)
    return GroupFit(
        group=group,
        form=form,
        fits=fits,
        holdout=t_interval(rmses),
        aicc=float(np.mean(aiccs)) if len(aiccs) == len(fitted) else None,
        reason=f"{left_out} of {group.n_seeds} seeds without enough points" if left_out else "",
    )


def _try_fit(seed: SeedCurve, form: Form) -> Fit | None:
    """The fit of one seed, or None when its points do not determine the form."""
    try:
        return fit(seed.d_K, seed.gold_K, form)
    except ValueError:  # the statistics refuse too few points rather than invent a number
        return None


def _try_holdout(seed: SeedCurve, form: Form) -> HoldoutError | None:
    """The held-out error of one seed, or None when its low-KL part does not determine the form."""
    try:
        return holdout_error(seed.d_K, seed.gold_K, form, HOLDOUT_SPLIT)
    except ValueError:
        return None


def _fit_row(one: GroupFit, lowest: dict[tuple[int, int], float]) -> dict[str, Any]:
    group, fits = one.group, one.fits
    row: dict[str, Any] = {
        "task": group.task,
        "method": group.method,
        "proxy": group.proxy,
        "noise": group.noise,
        "kl_estimator": group.estimator,
        "form": one.form.value,
        "formula": FORMULAS[one.form],
        "seeds": fits.n_seeds if fits else 0,
        "seeds_run": group.n_seeds,
        "exploratory": fits.exploratory if fits else True,
    }
    row |= spread("a", fits.a if fits else None) | spread("b", fits.b if fits else None)
    gammas = [each.gamma for each in fits.fits_S if each.gamma is not None] if fits else []
    best = lowest.get((id(group), fits.n_seeds)) if fits else None
    delta = one.aicc - best if one.aicc is not None and best is not None else None
    row |= {
        "gamma": float(np.mean(gammas)) if gammas else None,
        "rmse": float(np.mean([each.rmse for each in fits.fits_S])) if fits else None,
        "aicc": one.aicc,
        "delta_aicc": delta,
    }
    row |= spread("holdout_rmse", one.holdout)
    row |= spread("peak_d", fits.peak_d if fits else None)
    row["peak_kl_nats"] = fits.peak_d.mean**2 if fits and fits.peak_d.mean is not None else None
    row |= spread("peak_height", fits.peak_height if fits else None)
    row |= {
        "peak_seeds": fits.n_peaks if fits else 0,
        "peak": (fits.peak_reason or "in range") if fits else "",
        "note": one.reason,
    }
    return row
