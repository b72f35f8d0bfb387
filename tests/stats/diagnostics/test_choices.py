"""Calibration of choices, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.diagnostics.choices import choice_calibration


def test_sure_and_right_sure_and_wrong() -> None:
    assert choice_calibration([50.0, 80.0]) == pytest.approx(0.0, abs=1e-12)
    assert choice_calibration([-50.0, -80.0]) == pytest.approx(1.0)
    assert choice_calibration([50.0, -50.0]) == pytest.approx(0.5)


def test_choices_are_compared_bin_by_bin() -> None:
    """Sure by .75: right in 2 of 4, off by .25; by .95: right in 2 of 2, off by .05."""
    at = [float(np.log(p / (1.0 - p))) for p in (0.75, 0.95)]
    margins = [at[0], at[0], -at[0], -at[0], at[1], at[1]]
    assert choice_calibration(margins) == pytest.approx((4 * 0.25 + 2 * 0.05) / 6.0)


def test_an_even_choice_is_right_by_half_and_off_by_nothing() -> None:
    assert choice_calibration([0.0, 0.0, 0.0]) == 0.0


def test_probabilities_that_hold_are_calibrated_and_sharper_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    logit = generator.normal(0.0, 2.0, 20_000)
    better = np.where(generator.random(20_000) < 1.0 / (1.0 + np.exp(-logit)), logit, -logit)
    assert choice_calibration(better) < 0.02
    assert choice_calibration(5.0 * better) > 0.1


def test_what_has_no_error_is_told() -> None:
    with pytest.raises(ValueError, match="empty"):
        choice_calibration([])
