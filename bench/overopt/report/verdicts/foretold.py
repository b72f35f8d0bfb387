"""What forms fitted to best-of-n at small n foretell of n far beyond the pool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.report.verdicts.arms import OfArm, Scope, SeedRows
from overopt.report.verdicts.statistics import Tables, per_seed
from overopt.stats.fits.forms import Form
from overopt.stats.pools.best_of_n import kl_bound
from overopt.stats.pools.extrapolation import BestOfN, extrapolate


@dataclass(frozen=True)
class Foretold(OfArm):
    """RMSE of gold at larger n of a form fitted on small n; None: of a straight line in d.

    Gold is a mean over the prompts that were drawn for, and the error holds the noise of that
    mean at large n, of which a pool of N samples holds N / n draws.

    Reference:
        Scaling Laws for Reward Model Overoptimization, section 3.1,
        https://arxiv.org/abs/2210.10760
    """

    form: Form | None
    log: bool = True
    fitted_up_to: int = 1_000
    least_n: int = 60_000

    @property
    def name(self) -> str:
        """What it is, in words."""
        form = "a line" if self.form is None else f"the {self.form.value} form"
        return (
            f"{'log ' if self.log else ''}RMSE up to n >= {self.least_n:,} of {form} fitted on "
            f"n <= {self.fitted_up_to:,}, {self.arm.name}"
        )

    def read(self, scope: Scope) -> Tables:
        """One number per seed."""
        return per_seed(scope, self.arm, self._error)

    def _error(self, one: SeedRows) -> float:
        if one.beyond is None or int(one.beyond.n_K[-1]) < self.least_n:
            raise ValueError(f"best-of-n up to n = {self.least_n:,} was not drawn")
        curve = BestOfN(
            one.beyond.n_K.astype(np.int64),
            one.beyond.kl_nats_K,
            kl_bound(one.beyond.n_K),
            one.beyond.gold_K,
            np.full(len(one.beyond.n_K), np.nan),
            np.full(len(one.beyond.n_K), np.nan),
        )
        found = extrapolate([curve], self.fitted_up_to)
        errors = {test.form: test.holdouts.rmse.mean for test in found.tests}
        error = found.line_rmse.mean if self.form is None else errors[self.form]
        if error is None or not error > 0.0:
            raise ValueError("the form cannot be fitted, or nothing is left to explain")
        return float(np.log(error)) if self.log else float(error)
