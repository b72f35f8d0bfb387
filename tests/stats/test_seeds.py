import numpy as np
import pytest

from overopt.stats.fits.forms import Form
from overopt.stats.fits.seeds import fit_seeds


def test_intervals_over_seeds_on_literals() -> None:
    d = np.linspace(0.5, 5.0, 10)
    planted = [(1.0, 0.2), (1.2, 0.2), (1.4, 0.2)]
    fits = fit_seeds([d] * 3, [d * (a - b * d) for a, b in planted], Form.BON)
    assert fits.a.mean == pytest.approx(1.2)
    # sd 0.2, t_2(0.975) = 4.302653: half width 4.302653 * 0.2 / sqrt(3)
    assert fits.a.high == pytest.approx(1.2 + 4.302653 * 0.2 / np.sqrt(3))
    assert fits.b.se == pytest.approx(0.0, abs=1e-12)
    assert fits.peak_d.mean == pytest.approx(3.0)
    assert fits.peak_height.mean == pytest.approx((1.0 + 1.44 + 1.96) / 0.8 / 3)
    assert (fits.n_peaks, fits.fitted_S, fits.exploratory) == (3, (0, 1, 2), True)
    assert fits.left_out == ()
    assert fits.peak_reason is None


def test_seeds_without_a_peak_are_counted_not_averaged() -> None:
    d = np.linspace(0.5, 5.0, 10)
    fits = fit_seeds([d, d, d[:5]], [d * (1.0 - 0.2 * d), d, d[:5]], Form.BON)
    assert (fits.n_peaks, len(fits.fits_S)) == (1, 3)
    assert fits.peak_d.mean == pytest.approx(2.5)
    assert fits.peak_d.low is None
    none = fit_seeds([d, d], [d, d], Form.BON)
    assert none.peak_reason == "no peak in range"
    assert none.peak_height.mean is None


def test_a_seed_that_cannot_be_fitted_is_named_with_its_reason() -> None:
    d = np.linspace(0.5, 5.0, 10)
    fits = fit_seeds([d, d[:2], d], [d, d[:2], 2.0 * d], Form.BON)
    assert fits.fitted_S == (0, 2)
    assert fits.left_out == ((1, "form bon needs 3 points with d > 0, got 2"),)
    assert fits.a.mean == pytest.approx(1.5)
    none = fit_seeds([d[:2]], [d[:2]], Form.BON)
    assert (none.fits_S, none.a.mean, none.peak_reason) == ((), None, None)


def test_seeds_must_match() -> None:
    d = np.linspace(0.5, 5.0, 10)
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        fit_seeds([d, d], [d], Form.BON)
