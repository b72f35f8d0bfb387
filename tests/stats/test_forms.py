import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overopt.stats.fits import forms
from overopt.stats.fits.forms import Form

D = np.linspace(0.2, 6.0, 15)
PLANTED = {  # a, b, gamma, intercept
    Form.BON: (1.3, 0.2, None, 0.0),
    Form.RL: (0.9, 0.5, None, 0.0),
    Form.LOG1P: (1.1, 0.6, None, 0.0),
    Form.POWER: (1.5, 0.4, 0.7, 0.0),
    Form.QUADRATIC_KL: (0.2, 0.006, None, 0.0),
    Form.QUADRATIC_D: (1.0, 0.15, None, 0.3),
}


def written_out(form: Form, d: np.ndarray) -> np.ndarray:
    """The forms once more, as the paper writes them."""
    a, b, gamma, c = PLANTED[form]
    match form:
        case Form.BON:
            return d * (a - b * d)
        case Form.RL:
            return np.asarray(d * (a - b * np.log(d)))
        case Form.LOG1P:
            return np.asarray(d * (a - b * np.log(1 + d)))
        case Form.POWER:
            assert gamma is not None
            return d * (a - b * d**gamma)
        case Form.QUADRATIC_KL:
            return a * d**2 - b * d**4
        case Form.QUADRATIC_D:
            return c + a * d - b * d**2


@pytest.mark.parametrize("form", list(Form))
def test_fit_recovers_planted_coefficients_and_the_peak(form: Form) -> None:
    a, b, gamma, intercept = PLANTED[form]
    fitted = forms.fit(D, written_out(form, D), form)
    np.testing.assert_allclose([fitted.a, fitted.b], [a, b], rtol=1e-9)
    assert fitted.gamma == gamma
    assert fitted.intercept == pytest.approx(intercept)
    assert fitted.rmse == pytest.approx(0.0, abs=1e-9)
    assert fitted.r2 == pytest.approx(1.0)
    fine = np.linspace(0.2, 6.0, 200_001)
    heights = written_out(form, fine)
    assert fitted.peak is not None
    assert fitted.peak.d == pytest.approx(fine[heights.argmax()], abs=1e-4)
    assert fitted.peak.height == pytest.approx(heights.max())
    assert fitted.peak.kl_nats == pytest.approx(fitted.peak.d**2)
    assert fitted.peak_reason is None
    assert fitted.zero_crossing is not None
    crossing = written_out(form, np.array([fitted.zero_crossing]))
    np.testing.assert_allclose(crossing, 0.0, atol=1e-7)
    np.testing.assert_allclose(fitted.predict(fine), heights, atol=1e-8)


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


def test_peak_outside_the_points_is_no_peak() -> None:
    low = D[D < 2.0]  # the planted best-of-n peak lies at 3.25
    fitted = forms.fit(low, written_out(Form.BON, low), Form.BON)
    assert fitted.peak is None
    assert fitted.peak_reason == "no peak in range"
    rising = forms.fit(D, D + 0.1 * D**2, Form.BON)
    assert rising.b < 0
    assert rising.peak is None
    assert rising.zero_crossing is None


def test_the_origin_extends_the_range_but_is_not_fitted() -> None:
    r = written_out(Form.RL, D)
    without = forms.fit(D, r, Form.RL)
    with_origin = forms.fit(np.append(0.0, D), np.append(0.0, r), Form.RL)
    assert with_origin.a == without.a
    assert with_origin.n_points == without.n_points == 15
    assert (with_origin.d_low, without.d_low) == (0.0, 0.2)
    assert with_origin.predict([0.0])[0] == 0.0


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 3 points"):
        forms.fit([0.0, 1.0, 2.0], [0.0, 1.0, 1.0], Form.BON)
    with pytest.raises(ValueError, match="needs 4 points"):
        forms.fit([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], Form.POWER)
    with pytest.raises(ValueError, match="do not determine"):
        forms.fit([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], Form.BON)
    with pytest.raises(ValueError, match="do not determine"):
        forms.fit([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], Form.RL)
    with pytest.raises(ValueError, match="NaN"):
        forms.fit([1.0, 2.0, 3.0], [1.0, np.nan, 1.0], Form.BON)
    with pytest.raises(ValueError, match="at least 0"):
        forms.fit([-1.0, 2.0, 3.0], [1.0, 1.0, 1.0], Form.BON)
    with pytest.raises(ValueError, match="negative"):
        forms.distance_from_kl([-0.01])
    np.testing.assert_allclose(forms.distance_from_kl([0.0, 4.0]), [0.0, 2.0])


def test_weighted_fit_on_literals() -> None:
    # a d - b d^2 through (1, 1), (2, 0) exactly is a = 2, b = 1; the third point weighs nothing
    fitted = forms.fit([1.0, 2.0, 3.0], [1.0, 0.0, 5.0], Form.BON, [1.0, 1.0, 1e-12])
    np.testing.assert_allclose([fitted.a, fitted.b], [2.0, 1.0], rtol=1e-9)


def test_aicc_and_rmse_on_literals() -> None:
    d, r = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1.0, 1.5, 2.0, 1.0, 0.5])
    fitted = forms.fit(d, r, Form.BON)
    rss = float(((r - fitted.predict(d)) ** 2).sum())
    assert fitted.rmse == pytest.approx(np.sqrt(rss / 5))
    # m = 5 points, k = 3 (a, b, variance): 5 log(RSS/5) + 6 + 24
    assert fitted.aicc == pytest.approx(5 * np.log(rss / 5) + 30.0)
    assert fitted.r2 == pytest.approx(1 - rss / float(((r - 1.2) ** 2).sum()))
    assert forms.fit(d[:4], r[:4], Form.BON).aicc is None


@pytest.mark.parametrize("form", [Form.BON, Form.RL])
def test_bias_of_noisy_fits_is_under_two_percent(form: Form) -> None:
    a, b, _, _ = PLANTED[form]
    generator = np.random.default_rng(11)
    r_KJ = written_out(form, D)[:, None] + 0.1 * generator.normal(size=(D.size, 4000))
    estimates = forms.solve_least_squares(form, D, r_KJ, np.ones(D.size), None)
    np.testing.assert_allclose(estimates.mean(axis=1), [a, b], rtol=0.02)
    peaks = [forms.peak_of(form, x, y, None, 0.0) for x, y in estimates.T]
    true = forms.peak_of(form, a, b, None, 0.0)
    assert true is not None
    assert np.mean([p.d for p in peaks if p]) == pytest.approx(true.d, rel=0.02)
    assert np.mean([p.height for p in peaks if p]) == pytest.approx(true.height, rel=0.02)


def test_the_right_form_wins_by_aicc() -> None:
    generator = np.random.default_rng(2)
    d = np.linspace(0.3, 9.0, 25)
    r = d * (0.9 - 0.35 * np.log(d)) + 0.03 * generator.normal(size=d.size)
    fits = {form: forms.fit(d, r, form) for form in (Form.RL, Form.BON, Form.QUADRATIC_KL)}
    aicc = {form: fitted.aicc for form, fitted in fits.items()}
    assert min(aicc, key=lambda form: aicc[form] or 0.0) is Form.RL


def test_gamma_at_the_edge_of_its_grid_is_said() -> None:
    fitted = forms.fit(D, D - 0.01 * D**6, Form.POWER)
    assert fitted.gamma == 3.0
    assert fitted.gamma_at_edge


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


@pytest.mark.parametrize("weighted", [False, True])
def test_gamma_is_the_one_of_an_exhaustive_search(weighted: bool) -> None:
    """All exponents at once find what one least-squares solution for each would."""
    generator = np.random.default_rng(5)
    for _ in range(20):
        n_points = int(generator.integers(5, 12))
        d_K = np.sort(generator.uniform(0.1, 5.0, n_points))
        r_K = d_K * (1.0 - 0.2 * d_K) + 0.1 * generator.standard_normal(n_points)
        weight_K = generator.uniform(0.2, 3.0, n_points) if weighted else np.ones(n_points)
        rss = []
        for gamma in forms.GAMMA_GRID:
            design = np.stack([d_K, -(d_K ** (1.0 + gamma))], axis=1)
            root = np.sqrt(weight_K)[:, None]
            solution = np.linalg.lstsq(design * root, r_K * root[:, 0], rcond=None)[0]
            rss.append(float(weight_K @ (r_K - design @ solution) ** 2))
        fitted = forms.fit(d_K, r_K, Form.POWER, weight_K if weighted else None)
        assert fitted.gamma == pytest.approx(float(forms.GAMMA_GRID[int(np.argmin(rss))]))
