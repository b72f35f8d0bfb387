"""Which of Gao et al.'s two forms stands behind gamma."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from overopt.stats.fits.forms import Form
from overopt.stats.fits.holdout import SeedHoldouts, choose_form
from overopt.stats.fits.seeds import SeedFits


def choose_gamma_form(
    fits: Mapping[Form, SeedFits], holdouts: Mapping[Form, SeedHoldouts]
) -> tuple[Form, str]:
    """The form behind gamma, and what chose it.

    The one with the lower error on points beyond the fitted ones, peak included in the fit; where
    nothing can be held out, the one with the lower error on the fitted points.

    Args:
        fits: the fits of each form.
        holdouts: held-out errors of the same forms, peak included in the fit.
    """
    chosen = choose_form(holdouts)
    if chosen is not None:
        return chosen, "held-out error"
    errors = {
        form: float(np.mean([each.rmse for each in one.fits_S]))
        for form, one in fits.items()
        if one.fits_S
    }
    if not errors:
        return Form.RL, "nothing was fitted"
    return min(errors, key=lambda form: errors[form]), "error on the fitted points"
