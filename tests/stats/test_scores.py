import numpy as np
import pytest

from overopt.stats import scores
from overopt.stats.fits.forms import Form, fit
from overopt.stats.pools.fronts import Front

D = np.linspace(0.5, 4.0, 12)


def test_overoptimization_degree_on_literals() -> None:
    proxy = fit(D, 2.0 * D, Form.BON)
    half, nothing = fit(D, 1.0 * D, Form.BON), fit(D, 0.0 * D, Form.BON)
    worse = fit(D, -2.0 * D, Form.BON)
    assert scores.overoptimization_degree(half, proxy, 16.0) == pytest.approx(0.5)
    assert scores.overoptimization_degree(proxy, proxy, 9.0) == pytest.approx(0.0)
    assert scores.overoptimization_degree(nothing, proxy, 9.0) == pytest.approx(1.0)
    assert scores.overoptimization_degree(worse, proxy, 9.0) == pytest.approx(2.0)
    assert scores.overoptimization_degree(proxy, worse, 9.0) is None
    with pytest.raises(ValueError, match="KL_max"):
        scores.overoptimization_degree(half, proxy, 17.0)


def test_overoptimization_degree_of_a_falling_gold_by_hand() -> None:
    # over k = d^2 in 0..4: proxy d gives int 2 d^2 dd = 16/3; gap d^2 / 4 gives int d^3/2 = 2
    proxy, gold = fit(D, D, Form.BON), fit(D, D - 0.25 * D**2, Form.BON)
    assert scores.overoptimization_degree(gold, proxy, 4.0) == pytest.approx(2.0 / (16.0 / 3.0))


def test_score_method_on_literals() -> None:
    kl = np.array([0.0, 1.0, 4.0, 9.0, 16.0, 25.0])
    d = np.sqrt(kl)
    gold, proxy = d * (1.0 - 0.2 * d), 1.0 * d
    oracle = Front(np.array([0.0, 4.0, 16.0]), np.array([0.0, 2.0, 4.0]))
    result = scores.score_method(kl, gold, proxy, 20.0, oracle, Form.BON)
    # gap 0.2 d^2: int 0.4 d^3 = 0.1 * 625; proxy: int 2 d^2 = 250/3
    assert result.gamma == pytest.approx(62.5 / (250.0 / 3.0))
    # regrets at KL 0, 1, 4, 9, 16: 0, 0.5 - 0.8, 0.8, 2 + 5/6 - 1.2, 4 - 0.8
    assert result.mean_regret == pytest.approx((0 - 0.3 + 0.8 + (17 / 6 - 1.2) + 3.2) / 5)
    assert result.n_regret == 5
    # staircase of the method: 0.8 (20 - 1) + 0.4 (20 - 4); of the oracle: 2 (16) + 2 (4)
    assert result.hypervolume == pytest.approx((15.2 + 6.4) / 40.0)


def test_what_cannot_be_scored_is_missing_with_its_reason() -> None:
    result = scores.score_method([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], 2.0)
    assert result.gamma is None
    assert result.gamma_reason is not None
    assert "needs 3 points" in result.gamma_reason
    assert result.hypervolume is None
    assert result.mean_regret is None
    with pytest.raises(ValueError, match="negative"):
        scores.score_method([-0.1, 1.0], [0.0, 1.0], [0.0, 1.0], 2.0)
