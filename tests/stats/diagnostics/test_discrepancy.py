"""The maximum mean discrepancy of scores, by hand and against what normal scores have."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.diagnostics.discrepancy import mean_discrepancy, median_distance


def test_two_samples_by_hand() -> None:
    """k(0, 0) = k(1, 1) = 1 and k(0, 1) = exp(-1/2): MMD^2 = 1 + 1 - 2 exp(-1/2)."""
    found = mean_discrepancy([0.0, 0.0], [1.0, 1.0], 1.0)
    assert found == pytest.approx(np.sqrt(2.0 - 2.0 * np.exp(-0.5)))
    # x = (0, 2), y = (0, 1), width 1: k_xx = e^-2, k_yy = e^-.5, cross x1y2 = e^-.5, x2y1 = e^-2
    # MMD^2 = e^-2 + e^-.5 - (e^-.5 + e^-2) = 0
    assert mean_discrepancy([0.0, 2.0], [0.0, 1.0], 1.0) == pytest.approx(0.0, abs=1e-7)


def test_equal_scores_have_none() -> None:
    scores = np.random.default_rng(0).normal(size=50)
    assert mean_discrepancy(scores, scores, 1.0) == 0.0


def test_shifted_normal_scores_have_that_of_the_integral() -> None:
    """N(0, 1) and N(m, 1), width w: MMD^2 = 2 w / sqrt(w^2 + 2) (1 - exp(-m^2 / (2 (w^2 + 2))))."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(2, 2000))
    square = 2.0 / np.sqrt(3.0) * (1.0 - np.exp(-1.0 / 6.0))
    assert mean_discrepancy(x, y + 1.0, 1.0) == pytest.approx(np.sqrt(square), rel=0.1)
    assert mean_discrepancy(x, y, 1.0) < 0.05


def test_the_width_is_the_median_distance_of_two_values() -> None:
    assert median_distance([0.0, 1.0, 3.0]) == 2.0  # of 1, 3 and 2
    with pytest.raises(ValueError, match="most of them different"):
        median_distance([1.0, 1.0, 1.0])


def test_what_cannot_be_compared_is_told() -> None:
    with pytest.raises(ValueError, match="2 samples"):
        mean_discrepancy([1.0], [1.0], 1.0)
    with pytest.raises(ValueError, match="width above 0"):
        mean_discrepancy([1.0, 2.0], [1.0, 2.0], 0.0)
