import numpy as np
import pytest

from overopt.stats import arrays
from overopt.stats.fits import forms, least_squares
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
    fitted = least_squares.fit(D, written_out(form, D), form)
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


def test_peak_outside_the_points_is_no_peak() -> None:
    low = D[D < 2.0]  # the planted best-of-n peak lies at 3.25
    fitted = least_squares.fit(low, written_out(Form.BON, low), Form.BON)
    assert fitted.peak is None
    assert fitted.peak_reason == "no peak in range"
    rising = least_squares.fit(D, D + 0.1 * D**2, Form.BON)
    assert rising.b < 0
    assert rising.peak is None
    assert rising.zero_crossing is None


def test_the_origin_extends_the_range_but_is_not_fitted() -> None:
    r = written_out(Form.RL, D)
    without = least_squares.fit(D, r, Form.RL)
    with_origin = least_squares.fit(np.append(0.0, D), np.append(0.0, r), Form.RL)
    assert with_origin.a == pytest.approx(without.a, abs=1e-12)
    assert with_origin.n_points == without.n_points == 15
    assert (with_origin.d_low, without.d_low) == (0.0, 0.2)
    assert with_origin.predict([0.0])[0] == 0.0


def test_too_few_points_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 3 points"):
        least_squares.fit([0.0, 1.0, 2.0], [0.0, 1.0, 1.0], Form.BON)
    with pytest.raises(ValueError, match="needs 4 points"):
        least_squares.fit([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], Form.POWER)
    with pytest.raises(ValueError, match="do not determine"):
        least_squares.fit([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], Form.BON)
    with pytest.raises(ValueError, match="do not determine"):
        least_squares.fit([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], Form.RL)
    with pytest.raises(ValueError, match="NaN"):
        least_squares.fit([1.0, 2.0, 3.0], [1.0, np.nan, 1.0], Form.BON)
    with pytest.raises(ValueError, match="at least 0"):
        least_squares.fit([-1.0, 2.0, 3.0], [1.0, 1.0, 1.0], Form.BON)
    with pytest.raises(ValueError, match="negative"):
        arrays.distance_from_kl([-0.01])
    np.testing.assert_allclose(arrays.distance_from_kl([0.0, 4.0]), [0.0, 2.0])


def test_weighted_fit_on_literals() -> None:
    # a d - b d^2 through (1, 1), (2, 0) exactly is a = 2, b = 1; the third point weighs nothing
    fitted = least_squares.fit([1.0, 2.0, 3.0], [1.0, 0.0, 5.0], Form.BON, [1.0, 1.0, 1e-12])
    np.testing.assert_allclose([fitted.a, fitted.b], [2.0, 1.0], rtol=1e-9)


def test_aicc_and_rmse_on_literals() -> None:
    d, r = np.array([1.0, 2.0, 3.0, 4.0, 5.0]), np.array([1.0, 1.5, 2.0, 1.0, 0.5])
    fitted = least_squares.fit(d, r, Form.BON)
    rss = float(((r - fitted.predict(d)) ** 2).sum())
    assert fitted.rmse == pytest.approx(np.sqrt(rss / 5))
    # m = 5 points, k = 3 (a, b, variance): 5 log(RSS/5) + 6 + 24
    assert fitted.aicc == pytest.approx(5 * np.log(rss / 5) + 30.0)
    assert fitted.r2 == pytest.approx(1 - rss / float(((r - 1.2) ** 2).sum()))
    assert least_squares.fit(d[:4], r[:4], Form.BON).aicc is None


@pytest.mark.parametrize("form", [Form.BON, Form.RL])
def test_bias_of_noisy_fits_is_under_two_percent(form: Form) -> None:
    a, b, _, _ = PLANTED[form]
    generator = np.random.default_rng(11)
    r_KJ = written_out(form, D)[:, None] + 0.1 * generator.normal(size=(D.size, 4000))
    curves = [least_squares.check_curve(D, r_K) for r_K in r_KJ.T]
    solved = [one for one in least_squares.solve(curves, form) if not isinstance(one, ValueError)]
    estimates = np.stack([one.coefficients for one in solved], axis=1)
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
    fits = {form: least_squares.fit(d, r, form) for form in (Form.RL, Form.BON, Form.QUADRATIC_KL)}
    aicc = {form: fitted.aicc for form, fitted in fits.items()}
    assert min(aicc, key=lambda form: aicc[form] or 0.0) is Form.RL


def test_gamma_at_the_edge_of_its_grid_is_said() -> None:
    fitted = least_squares.fit(D, D - 0.01 * D**6, Form.POWER)
    assert fitted.gamma == 3.0
    assert fitted.gamma_at_edge


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
        for gamma in least_squares.GAMMA_GRID:
            design = np.stack([d_K, -(d_K ** (1.0 + gamma))], axis=1)
            root = np.sqrt(weight_K)[:, None]
            solution = np.linalg.lstsq(design * root, r_K * root[:, 0], rcond=None)[0]
            rss.append(float(weight_K @ (r_K - design @ solution) ** 2))
        fitted = least_squares.fit(d_K, r_K, Form.POWER, weight_K if weighted else None)
        assert fitted.gamma == pytest.approx(float(least_squares.GAMMA_GRID[int(np.argmin(rss))]))


@pytest.mark.parametrize("form", list(Form))
def test_many_curves_at_once_are_each_curve_alone(form: Form) -> None:
    """Lengths, weights and points at 0 differ; one curve cannot be fitted, two have no solution."""
    generator = np.random.default_rng(7)
    curves = []
    for count in (4, 9, 15):
        d = np.append(0.0, np.sort(generator.uniform(0.1, 6.0, count)))
        weights = generator.uniform(0.3, 2.0, count + 1)
        curves.append(least_squares.check_curve(d, generator.normal(size=count + 1), weights))
    curves.insert(1, least_squares.check_curve([0.0, 1.0], [0.0, 1.0]))
    curves.insert(2, least_squares.check_curve([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]))
    found = least_squares.solve(curves, form)
    for curve, one in zip(curves, found, strict=True):
        (alone,) = least_squares.solve([curve], form)
        if isinstance(one, ValueError):
            assert str(alone) == str(one)
            continue
        assert not isinstance(alone, ValueError)
        used = curve.d_K > 0
        root_K = np.sqrt(curve.weight_K[used])
        rise_K, fall_K = forms.columns(form, curve.d_K[used], one.gamma)
        parts = [rise_K, -fall_K, np.ones_like(rise_K)][: 3 if form is Form.QUADRATIC_D else 2]
        design = np.stack(parts, axis=1) * root_K[:, None]
        expected = np.linalg.lstsq(design, curve.r_K[used] * root_K, rcond=None)[0]
        np.testing.assert_allclose(one.coefficients, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one.coefficients, alone.coefficients, rtol=1e-12)
        assert one.gamma == alone.gamma
    refused = [i for i, one in enumerate(found) if isinstance(one, ValueError)]
    assert refused == [1, 2]
    assert "needs" in str(found[1])
    assert "do not determine" in str(found[2])
