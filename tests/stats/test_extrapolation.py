"""What is fitted on small n and foretold of large n, on planted curves."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.fits.forms import Form
from overopt.stats.pools.best_of_n import kl_bound
from overopt.stats.pools.extrapolation import (
    BestOfN,
    Extrapolation,
    best_of_n,
    extrapolate,
    proxy_points,
)
from overopt.stats.pools.n_grids import fit_grid


def _planted(form: Form, seeds: int = 3, noise: float = 0.0) -> Extrapolation:
    """d (1 - .25 d) or d (.6 - .5 log d), fitted up to n = 1,000 and foretold to 65,536."""
    n_K = fit_grid(65_536)
    kl_K = kl_bound(n_K)
    d_K = np.sqrt(kl_K)
    rng = np.random.default_rng(0)
    curves = []
    for seed in range(seeds):
        fall_K = 0.25 * d_K if form is Form.BON else 0.5 * np.log(np.where(d_K > 0, d_K, 1.0))
        a = (1.0 if form is Form.BON else 0.6) + 0.1 * seed
        gold_K = d_K * (a - fall_K) + noise * rng.normal(size=d_K.size) * (d_K > 0)
        curves.append(BestOfN(n_K, kl_K, kl_K, gold_K, np.full(d_K.size, np.nan), d_K))
    return extrapolate(curves, 1000)


@pytest.mark.parametrize("form", [Form.BON, Form.RL])
def test_the_planted_form_foretells_exactly_and_the_others_do_not(form: Form) -> None:
    found = {test.form: test for test in _planted(form).tests}
    assert found[form].holdouts.rmse.mean == pytest.approx(0.0, abs=1e-9)
    other = Form.RL if form is Form.BON else Form.BON
    assert (found[other].holdouts.rmse.mean or 0.0) > 0.05
    assert found[form].a.mean == pytest.approx(1.1 if form is Form.BON else 0.7)
    assert found[form].b.mean == pytest.approx(0.25 if form is Form.BON else 0.5)


def test_the_line_and_the_constant_are_wrong_where_gold_falls() -> None:
    found = _planted(Form.BON, seeds=8, noise=0.01)
    best = found.tests[0].holdouts
    assert found.line_rmse.mean is not None and best.rmse.mean is not None
    assert found.line_rmse.mean > 5 * best.rmse.mean
    assert best.gain.above_zero


def test_a_line_by_hand() -> None:
    """d = 1, 2 and r = 1, 2 fitted; at d = 3, r = 2 the line says 3."""
    n_K = np.array([1, 2, 3, 4, 5], np.int64)
    d_K = np.array([0.0, 1.0, 2.0, 3.0, 3.0])
    gold_K = np.array([0.0, 1.0, 2.0, 2.0, 2.0])
    one = BestOfN(n_K, d_K**2, d_K**2, gold_K, np.zeros(5), d_K)
    assert extrapolate([one], 3).line_rmse.mean == pytest.approx(1.0)


@pytest.mark.parametrize("fitted_up_to", [1, 65_536])
def test_nothing_to_fit_or_to_foretell_is_refused(fitted_up_to: int) -> None:
    n_K = fit_grid(65_536)
    one = BestOfN(n_K, *[kl_bound(n_K)] * 5)
    with pytest.raises(ValueError, match="leaves nothing"):
        extrapolate([one], fitted_up_to)


def test_pools_of_fewer_than_n_are_refused() -> None:
    with pytest.raises(ValueError, match="say nothing of n = 9"):
        best_of_n(np.zeros(8, np.int64), np.arange(8.0), np.arange(8.0), 9)


def test_best_of_n_of_gold_itself_is_the_mean_largest() -> None:
    """Mean largest of 2 of 0..7 drawn without replacement: 5; of one: 3.5."""
    found = best_of_n(np.zeros(8, np.int64), np.arange(8.0), np.arange(8.0), 2)
    assert found.gold_K == pytest.approx([0.0, 1.5]) and found.proxy_K == pytest.approx([0.0, 1.5])


def test_members_are_read_where_the_sum_selects() -> None:
    """Rows 0..3, proxy their number: the best of 2 is row i with chance (i)/6: 1/6, 2/6, 3/6."""
    number_R = np.arange(4.0)
    members = [number_R**2, -number_R]
    found = best_of_n(np.zeros(4, np.int64), number_R, number_R, 2, members)
    expected = [(1 + 8 + 27) / 6 - 14 / 4, -(1 + 4 + 9) / 6 + 1.5]
    assert found.member_MK[:, 1] == pytest.approx(expected)


def test_a_proxy_point_is_chosen_on_other_seeds() -> None:
    """Gold of seed 0 peaks at the second n, that of seed 1 at the third: each reads the other's."""
    n_K = np.array([1, 2, 3, 4], np.int64)
    d_K = np.arange(4.0)
    member_MK = np.array([[0.0, 10.0, 20.0, 30.0]])
    gold_SK = np.array([[0.0, 2.0, 1.0, 0.0], [0.0, 1.0, 3.0, 0.0]])
    curves = [BestOfN(n_K, d_K, d_K, gold_K, d_K, d_K, member_MK) for gold_K in gold_SK]
    found = proxy_points(curves)
    assert found.n_S == (3, 2)
    assert found.gold.mean == pytest.approx((1.0 + 1.0) / 2)
    assert found.members[0].mean == pytest.approx(15.0)
    assert proxy_points(curves[:1]).n_S == (2,)
