import numpy as np
import pytest

from overopt.stats import scores
from overopt.stats.fits.forms import Form
from overopt.stats.fits.least_squares import fit
from overopt.stats.pools.fronts import Front

D = np.linspace(0.5, 4.0, 12)


def test_overoptimization_degree_on_literals() -> None:
    proxy = fit(D, 2.0 * D, Form.BON)
    half, nothing = fit(D, 1.0 * D, Form.BON), fit(D, 0.0 * D, Form.BON)
    worse = fit(D, -2.0 * D, Form.BON)
    assert scores.overoptimization_degree(half, proxy, 16.0) == pytest.approx(1.0)
    assert scores.overoptimization_degree(proxy, half, 16.0) == pytest.approx(0.5)
    assert scores.overoptimization_degree(proxy, proxy, 9.0) == pytest.approx(0.0)
    assert scores.overoptimization_degree(nothing, proxy, 9.0) is None
    assert scores.overoptimization_degree(worse, proxy, 9.0) is None
    with pytest.raises(ValueError, match="KL_max"):
        scores.overoptimization_degree(half, proxy, 17.0)


def test_the_order_of_degrees_goes_on_where_gold_has_no_area() -> None:
    proxy = fit(D, 2.0 * D, Form.BON)
    golds = [fit(D, slope * D, Form.BON) for slope in (1.0, 0.5, 0.0, -2.0)]
    found = [scores.overoptimization_order(gold, proxy, 9.0) for gold in golds]
    # areas are as the slopes: gammas 1 / 1 and 1.5 / .5, then none: 0 and 2 / 4
    assert found == pytest.approx([-1.0, -1.0 / 3.0, 0.0, 0.5])
    with pytest.raises(ValueError, match="KL_max"):
        scores.overoptimization_order(golds[0], proxy, 17.0)
    nothing = fit(D, 0.0 * D, Form.BON)
    with pytest.raises(ValueError, match="gold is the proxy"):
        scores.overoptimization_order(nothing, nothing, 9.0)


def test_overoptimization_degree_of_a_falling_gold_by_hand() -> None:
    # over k = d^2 in 0..4: gap d^2 / 4 gives int d^3 / 2 = 2; gold 16/3 - 2
    proxy, gold = fit(D, D, Form.BON), fit(D, D - 0.25 * D**2, Form.BON)
    assert scores.overoptimization_degree(gold, proxy, 4.0) == pytest.approx(2.0 / (10.0 / 3.0))


def test_the_axis_of_the_areas_changes_which_degree_is_larger() -> None:
    proxy, half = fit(D, D, Form.BON), fit(D, 0.5 * D, Form.BON)
    falling = fit(D, D - 0.35 * D**2, Form.BON)
    # to d = 2. Over d: gap .35 8/3 = 14/15, gold 2 - 14/15; over KL: 2.8, and 16/3 - 2.8
    over_d, over_kl = 7 / 8, 21 / 19
    assert scores.overoptimization_degree(half, proxy, 4.0) == pytest.approx(1.0)
    assert scores.overoptimization_degree(half, proxy, 4.0, "sqrt_kl") == pytest.approx(1.0)
    assert scores.overoptimization_degree(falling, proxy, 4.0) == pytest.approx(over_kl)
    assert scores.overoptimization_degree(falling, proxy, 4.0, "sqrt_kl") == pytest.approx(over_d)
    assert scores.overoptimization_order(falling, proxy, 4.0) == pytest.approx(-1 / over_kl)
    found = scores.overoptimization_order(falling, proxy, 4.0, "sqrt_kl")
    assert found == pytest.approx(-1 / over_d)


def test_degree_by_trapezoid_by_hand() -> None:
    # gold 0, 2, 1 and proxy 0, 1, 3 at KL 0, 1, 3: gold 1 + 3; gap 1/2, then crossing: 1 -> -2
    found = scores.degree_by_trapezoid([1.0, 3.0], [2.0, 1.0], [1.0, 3.0])
    assert found == pytest.approx((0.5 + 2 * 0.5 * (1 + 4) / 3) / 4)
    unordered = scores.degree_by_trapezoid([3.0, 0.0, 1.0], [1.0, 0.0, 2.0], [3.0, 0.0, 1.0])
    assert unordered == pytest.approx(found)
    assert scores.degree_by_trapezoid([1.0, 3.0], [0.0, -1.0], [1.0, 3.0]) is None
    assert scores.degree_by_trapezoid([1.0, 2.0], [1.0, 1.5], [1.0, 1.5]) == 0.0


def test_both_degrees_agree_on_dense_points() -> None:
    kl = np.linspace(0.0, 16.0, 400)
    d = np.sqrt(kl)
    result = scores.score_method(kl, d * (1.0 - 0.15 * d), d, 16.0, form=Form.BON)
    assert result.gamma_trapezoid == pytest.approx(result.gamma, rel=1e-3)


def test_area_from_the_peak_tells_what_a_fall_costs() -> None:
    oracle = Front(np.array([0.0, 4.0, 8.0]), np.array([0.0, 2.0, 2.0]))
    kl = [0.0, 2.0, 4.0, 8.0]
    fall = scores.Range(2.0, 8.0)
    # oracle from 2 to 8: 1.5 * 2 + 2 * 4 = 11; gold 1 -> 1 -> -1: 2 + 0
    assert scores.area_beside_oracle(kl, [0.0, 1.0, 1.0, -1.0], oracle, fall) == pytest.approx(
        2 / 11
    )
    assert scores.area_beside_oracle(kl, [0.0, 1.0, -1.0, -1.0], oracle, fall) == pytest.approx(
        -4 / 11
    )
    assert scores.area_beside_oracle(oracle.kl_K, oracle.gold_K, oracle, fall) == 1.0
    # an end that meets the oracle's last budget from beyond, where it keeps 2: 3 + 2 * 4.5
    past = scores.Range(2.0, 8.5)
    beyond = scores.area_beside_oracle([0.0, 2.0, 8.5], [0.0, 1.0, 1.0], oracle, past)
    assert beyond == pytest.approx(6.5 / 12.0)
    for out_of_reach in (scores.Range(2.0, 10.0), scores.Range(8.0, 8.0)):
        assert scores.area_beside_oracle(kl, [0.0, 1.0, 1.0, 1.0], oracle, out_of_reach) is None


def test_score_method_on_literals() -> None:
    kl = np.array([0.0, 1.0, 4.0, 9.0, 16.0, 25.0])
    d = np.sqrt(kl)
    gold, proxy = d * (1.0 - 0.2 * d), 1.0 * d
    oracle = Front(np.array([0.0, 4.0, 16.0]), np.array([0.0, 2.0, 4.0]))
    result = scores.score_method(kl, gold, proxy, 20.0, oracle, Form.BON)
    # gap 0.2 d^2: int 0.4 d^3 = 0.1 * 625; gold: int 2 d^2 - 0.4 d^3 = 250/3 - 62.5
    assert result.gamma == pytest.approx(62.5 / (250.0 / 3.0 - 62.5))
    # regrets at KL 0, 1, 4, 9, 16: 0, 0.5 - 0.8, 0.8, 2 + 5/6 - 1.2, 4 - 0.8
    assert result.mean_regret == pytest.approx((0 - 0.3 + 0.8 + (17 / 6 - 1.2) + 3.2) / 5)
    assert result.n_regret == 5
    # staircase of the method: 0.8 (20 - 1) + 0.4 (20 - 4); of the oracle: 2 (16) + 2 (4)
    assert result.hypervolume == pytest.approx((15.2 + 6.4) / 40.0)
    assert result.area_from_peak is None


def test_regret_and_hypervolume_read_budgets_only() -> None:
    kl = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
    gold, proxy = np.array([0.0, 0.9, 0.5, 1.4, 1.0]), np.ones(5)
    oracle = Front(np.array([0.0, 1.0, 4.0]), np.array([0.0, 1.0, 2.0]))
    at_budget = np.array([False, False, True, False, True])
    few = scores.score_method(kl, gold, proxy, 4.0, oracle, at_budget=at_budget)
    alone = scores.score_method(kl[at_budget], gold[at_budget], proxy[:2], 4.0, oracle)
    dense = scores.score_method(kl, gold, proxy, 4.0, oracle)
    assert few.hypervolume == alone.hypervolume == pytest.approx(0.5 * 3 / 3)
    assert dense.hypervolume is not None and dense.hypervolume > 0.5
    assert few.mean_regret == alone.mean_regret == pytest.approx((0.5 + 1.0) / 2)
    assert few.n_regret == 2
    shared = np.array([False, False, True, False, False])
    by_all = scores.score_method(
        kl, gold, proxy, 4.0, oracle, at_budget=at_budget, at_shared=shared
    )
    assert by_all.mean_regret == pytest.approx(0.5) and by_all.n_regret == 1
    assert by_all.hypervolume == few.hypervolume


def test_no_line_is_drawn_to_where_a_run_leapt() -> None:
    kl, gold = np.array([0.0, 3.0, 6.0]), np.array([0.0, 1.0, 0.5])
    oracle = Front(np.array([0.0, 8.0]), np.array([0.0, 2.0]))
    for fall, area in ((scores.Range(0.0, 6.0), False), (scores.Range(3.0, 6.0), True)):
        leapt = scores.score_method(kl, gold, 2 * gold, 8.0, oracle, between=fall, from_nats=3.0)
        assert leapt.gamma_trapezoid is None
        assert (leapt.area_from_peak is not None) == area
        whole = scores.score_method(kl, gold, 2 * gold, 8.0, oracle, between=fall)
        assert whole.gamma_trapezoid == pytest.approx(1.0)
        assert whole.area_from_peak is not None
        assert leapt.hypervolume == whole.hypervolume


def test_an_oracle_without_an_area_costs_the_hypervolume_alone() -> None:
    kl, gold = np.array([0.0, 1.0, 4.0]), np.array([0.0, 1.0, 1.5])
    found = scores.score_method(kl, gold, gold, 4.0, Front(np.array([0, 4.0]), np.array([0, 2.0])))
    assert found.hypervolume is None
    assert found.mean_regret == pytest.approx((0.0 - 0.5 + 0.5) / 3)
    assert found.gamma_trapezoid == pytest.approx(0.0)


def test_what_cannot_be_scored_is_missing_with_its_reason() -> None:
    result = scores.score_method([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], 2.0)
    assert result.gamma is None
    assert result.gamma_reason is not None
    assert "needs 3 points" in result.gamma_reason
    assert result.gamma_trapezoid == 0.0
    assert result.hypervolume is None
    assert result.mean_regret is None
    below = scores.score_method(D**2, -D, D, 16.0, form=Form.BON)
    assert (below.gamma, below.gamma_reason) == (None, scores.NO_GOLD)
    with pytest.raises(ValueError, match="negative"):
        scores.score_method([-0.1, 1.0], [0.0, 1.0], [0.0, 1.0], 2.0)
