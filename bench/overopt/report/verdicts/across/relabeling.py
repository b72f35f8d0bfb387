"""What rounds of relabeling gain, against what the form of a single round foretells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overopt.report.verdicts.arms import Arm, NotMeasured, Scope
from overopt.report.verdicts.fitted import Coefficient
from overopt.report.verdicts.statistics import Gold, Tables
from overopt.stats.fits.forms import Form


@dataclass(frozen=True)
class RelabelingError:
    """Log of the RMSE, over arms of k rounds, of their gain in gold against what is foretold of it.

    The gain is gold above that of one round, at the largest KL that all arms reached, d its root.
    With ``foretold`` it is beta d log k: k stretches of d / k by d (alpha - beta log d) come to so
    much more than one of d. beta is that of the form fitted to the same seed's one round. Without,
    nothing is foretold.

    Reference:
        Scaling Laws for Reward Model Overoptimization, section 4.3,
        https://arxiv.org/abs/2210.10760
    """

    once: Arm
    rounds: tuple[tuple[int, Arm], ...]
    foretold: bool

    @property
    def arms(self) -> tuple[Arm, ...]:
        """One round, then several."""
        return (self.once, *(arm for _, arm in self.rounds))

    @property
    def name(self) -> str:
        """What it is, in words."""
        told = "beta d log k" if self.foretold else "no gain"
        return f"log RMSE of {told} over {len(self.rounds)} numbers of rounds, {self.once.name}"

    def read(self, scope: Scope) -> Tables:
        """One number per seed.

        Raises:
            NotMeasured: the form cannot be fitted, or nothing is left to explain.
        """
        d = scope.common_end() ** 0.5
        start = Gold(self.once).read(scope)
        later = [(k, Gold(arm).read(scope)) for k, arm in self.rounds]
        beta = Coefficient(self.once, Form.RL, "b").read(scope)
        tables = {}
        for world in scope.worlds:
            once_S, beta_S = start[world].mean(axis=1), beta[world][:, 0]
            error_KS = np.stack(
                [
                    gold[world].mean(axis=1) - once_S - self.foretold * beta_S * d * np.log(k)
                    for k, gold in later
                ]
            )
            rmse_S = np.sqrt(np.square(error_KS).mean(axis=0))
            if not rmse_S.all():
                raise NotMeasured(f"{self.name}: the error is exactly 0")
            tables[world] = np.log(rmse_S)[:, None]
        return tables
