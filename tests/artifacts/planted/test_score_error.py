"""A planted error: seeded by response, of a known distribution, and what best-of-n makes of it."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from scipy import integrate, stats

from overopt.artifacts.planted.score_error import draws, errors, uniforms
from overopt.spec.score_error import ErrorDistribution, ScoreErrorSpec
from overopt.stats.pools.best_of_n import curve
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
N = 50_000
DISTRIBUTION = {
    "normal": stats.norm(),
    "student": stats.t(3),
    "lognormal": stats.lognorm(1.0),
    "levy": stats.levy(),
}


def _numbered(first: int, rows: int) -> Tokens:
    """Responses that spell their own number."""
    number_N = np.arange(first, first + rows)
    digits_NT = np.stack([(number_N // 100**k) % 100 + 1 for k in range(4)], axis=1)
    return Tokens.from_flat(digits_NT.ravel().astype(np.int32), np.full(rows, 4))


def _prompts(rows: int) -> Tokens:
    return Tokens.from_flat(np.full(rows, 7, dtype=np.int32), np.full(rows, 1))


PROMPTS, RESPONSES = _prompts(N), _numbered(0, N)


@pytest.mark.parametrize("name", list(DISTRIBUTION))
def test_draws_have_the_distribution(name: ErrorDistribution) -> None:
    spec = ScoreErrorSpec(distribution=name)
    found_N = errors(spec, 5, PROMPTS, RESPONSES)
    assert np.isfinite(found_N).all()
    assert stats.kstest(found_N, DISTRIBUTION[name].cdf).pvalue > 0.01


def test_an_error_belongs_to_seed_prompt_and_response() -> None:
    spec = ScoreErrorSpec(dose=2.0)
    whole_N = errors(spec, 5, PROMPTS, RESPONSES)
    part_N = errors(spec, 5, _prompts(10), _numbered(500, 10))
    assert (part_N == whole_N[500:510]).all()
    assert (whole_N == 2.0 * errors(ScoreErrorSpec(dose=1.0), 5, PROMPTS, RESPONSES)).all()
    other_N = uniforms(6, PROMPTS, RESPONSES)
    elsewhere = Tokens.from_flat(np.full(N, 8, dtype=np.int32), np.full(N, 1))
    for changed_N in (other_N, uniforms(5, elsewhere, RESPONSES)):
        assert abs(np.corrcoef(uniforms(5, PROMPTS, RESPONSES), changed_N)[0, 1]) < 0.01


def test_shapes_by_hand() -> None:
    """Quantile .975: t with 1 degree of freedom 12.7062; lognormal of sigma 2 exp(3.9199)."""
    at = np.array([0.975])
    student = ScoreErrorSpec(distribution="student", shape=1.0)
    assert draws(student, at)[0] == pytest.approx(12.7062, abs=1e-4)
    wide = ScoreErrorSpec(distribution="lognormal", shape=2.0)
    assert draws(wide, at)[0] == pytest.approx(50.3963, abs=1e-3)


@cache
def _laws(name: str) -> tuple[Floats, Floats, Floats]:
    """Of U = V + X, V standard normal: a grid, E[V; U = u], and the distribution function."""
    error = DISTRIBUTION[name]
    v_G, step = np.linspace(-8, 8, 401, retstep=True)
    u_G = np.concatenate([np.linspace(-12, 12, 601), 12 * 1.02 ** np.arange(1, 900)])
    weight_G = stats.norm.pdf(v_G) * step
    joint_G = error.pdf(u_G[:, None] - v_G) @ (weight_G * v_G)
    return u_G, joint_G, error.cdf(u_G[:, None] - v_G) @ weight_G


def _expected(name: str, n: int) -> float:
    """E[V] of the best of n by U: n times the integral over u of E[V; U = u] G(u)^(n-1)."""
    u_G, joint_G, below_G = _laws(name)
    return float(integrate.trapezoid(n * joint_G * below_G ** (n - 1), u_G))


def _found(name: ErrorDistribution, grid: list[int]) -> Floats:
    gold_N = stats.norm.ppf(uniforms(77, PROMPTS, RESPONSES))
    proxy_N = gold_N + errors(ScoreErrorSpec(distribution=name), 5, PROMPTS, RESPONSES)
    return np.asarray(curve(np.zeros(N, np.int64), gold_N, proxy_N, grid).gold_BK[0])


def test_a_normal_error_halves_what_selection_gains() -> None:
    """E[V] = m_n / sqrt 2, m_n the mean largest of n normals: .5642, 1.5388, 2.5076."""
    found = _found("normal", [2, 10, 100])
    assert found == pytest.approx(np.array([0.5642, 1.5388, 2.5076]) / np.sqrt(2), abs=0.04)


@pytest.mark.parametrize("name", ["student", "lognormal", "levy"])
def test_heavy_tails_match_the_integral(name: ErrorDistribution) -> None:
    grid = [2, 10, 100]
    expected = [_expected(name, n) for n in grid]
    assert _found(name, grid) == pytest.approx(expected, abs=0.05)


def test_heavy_tails_undo_the_gain_and_light_ones_do_not() -> None:
    """The claim in numbers: from n = 10 to 1,000."""
    assert _expected("normal", 1000) > _expected("normal", 10) + 0.5
    assert _expected("student", 1000) < _expected("student", 10)
    assert _expected("levy", 1000) < 0.02
