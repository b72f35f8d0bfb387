import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overopt.stats.fits import forms
from overopt.stats.fits.forms import Form


def test_peaks_on_literals() -> None:
    bon = forms.peak_of(Form.BON, 2.0, 0.5, None, 0.0)
    assert bon == forms.Peak(2.0, 4.0, 2.0)  # a/2b = 2, a^2/4b = 2
    rl = forms.peak_of(Form.RL, 1.0, 0.5, None, 0.0)
    assert rl is not None
    assert rl.d == pytest.approx(np.e)  # exp(2 - 1), height b d*
    assert rl.height == pytest.approx(0.5 * np.e)
    assert forms.peak_of(Form.BON, 1.0, -0.1, None, 0.0) is None
    assert forms.peak_of(Form.RL, 0.9, 0.003, None, 0.0) is None  # at exp(299)
    assert forms.peak_of(Form.LOG1P, 1.0, 1e-3, None, 0.0) is None


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 5.0), st.floats(0.05, 5.0), st.sampled_from(list(Form)))
def test_no_point_is_above_the_peak(a: float, b: float, form: Form) -> None:
    gamma = 0.8 if form is Form.POWER else None
    peak = forms.peak_of(form, a, b, gamma, 0.0)
    if peak is None:  # only where it is too far out to be a number
        assert form in (Form.RL, Form.LOG1P)
        return
    near = peak.d * np.array([0.5, 0.9, 1.1, 2.0])
    rise, fall = forms.columns(form, near, gamma)
    assert np.all(a * rise - b * fall <= peak.height * (1 + 1e-9) + 1e-12)
