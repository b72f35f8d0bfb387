"""Statistics of curves that something was fitted to, one number per seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from overopt.report.verdicts.arms import OfArm, Scope, SeedRows
from overopt.report.verdicts.statistics import Tables, measured_curve, per_seed
from overopt.stats.fits.forms import Form
from overopt.stats.verdicts.curves import (
    FITTED_SHARE,
    fit_curve,
    held_out_bias,
    held_out_error,
    log_log_slope,
)


@dataclass(frozen=True)
class Coefficient(OfArm):
    """alpha (``a``), beta (``b``), gamma or AICc of a form fitted to a seed's curve."""

    form: Form
    which: Literal["a", "b", "gamma", "aicc"]
    column: str = "gold_mean"

    @property
    def name(self) -> str:
        words = {"a": "alpha", "b": "beta", "gamma": "gamma", "aicc": "AICc"}[self.which]
        return f"{words} of the {self.form.value} form, {self.column}, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows) -> float:
            kl_K, r_K = measured_curve(one, self.column)
            value = getattr(fit_curve(kl_K, r_K, self.form), self.which)
            if value is None:
                raise ValueError(f"the {self.form.value} form has no {self.which}")
            return float(value)

        return per_seed(scope, self.arm, number)


@dataclass(frozen=True)
class HeldOut(OfArm):
    """Log of the held-out error of a form; None: of the constant at the last fitted point.

    ``against`` is the column of the divergence whose root is the form's d.
    """

    form: Form | None
    log: bool = True
    column: str = "gold_mean"
    share: float = FITTED_SHARE
    against: str = "kl_nats"

    @property
    def name(self) -> str:
        form = "a constant" if self.form is None else f"the {self.form.value} form"
        over = "" if self.against == "kl_nats" else f" over {self.against}"
        return f"{'log ' if self.log else ''}held-out RMSE of {form}{over}, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows) -> float:
            curve = measured_curve(one, self.column, self.against)
            error = held_out_error(*curve, self.form, self.share)
            return float(np.log(error)) if self.log else error

        return per_seed(scope, self.arm, number)


@dataclass(frozen=True)
class GrowthExponent(OfArm):
    """Exponent p of KL = c step^p along a training run, over the points where it was measured."""

    @property
    def name(self) -> str:
        return f"exponent of KL in the step, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        def number(one: SeedRows) -> float:
            step_K = one.column("step")
            used = (step_K > 0.0) & (one.kl_K > 0.0)
            return log_log_slope(step_K[used], one.kl_K[used])

        return per_seed(scope, self.arm, number)


@dataclass(frozen=True)
class Bias(OfArm):
    """Mean of a column less what a form predicts of it, beyond the part that it is fitted on."""

    form: Form
    column: str

    @property
    def name(self) -> str:
        return f"{self.column} less the {self.form.value} form's prediction, {self.arm.name}"

    def read(self, scope: Scope) -> Tables:
        return per_seed(
            scope,
            self.arm,
            lambda one: held_out_bias(*measured_curve(one, self.column), self.form),
        )
