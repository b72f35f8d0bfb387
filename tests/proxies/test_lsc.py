import numpy as np
import pytest

from overopt.proxies.lsc import Config, transform


def test_transform_by_hand() -> None:
    # the median of 0, 1 and 5 is 1: log sigmoid(1) = -.313262, log sigmoid(0) = -.693147
    reference_NJ = np.array([[5.0, 0.0, 1.0]] * 3)
    found = transform(Config(quantile=0.5), np.array([2.0, 1.0, 0.0]), reference_NJ)
    assert found == pytest.approx([-0.313262, -0.693147, -1.313262], abs=1e-6)
    best = transform(Config(quantile=1.0), np.array([5.0, 5.0, 5.0]), reference_NJ)
    assert best == pytest.approx([-0.693147] * 3, abs=1e-6)


def test_the_sum_over_models_is_the_log_probability_of_being_good_by_all() -> None:
    reference_NJ = np.zeros((1, 4))
    u = [transform(Config(), np.array([r]), reference_NJ)[0] for r in (1.0, -0.5, 3.0)]
    product = np.prod([1 / (1 + np.exp(-r)) for r in (1.0, -0.5, 3.0)])
    assert np.exp(sum(u)) == pytest.approx(product)


def test_it_keeps_the_order_and_flattens_at_the_top() -> None:
    score_N = np.linspace(-30.0, 30.0, 31)
    found = transform(Config(), score_N, np.zeros((31, 1)))
    gains = np.diff(found)
    assert (gains > 0).all() and (np.diff(gains) <= 1e-12).all()
    assert gains[0] == pytest.approx(2.0) and gains[-1] < 1e-11


def test_what_shifts_all_scores_of_a_prompt_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    score_N, reference_NJ = rng.normal(size=5), rng.normal(size=(5, 4))
    shifted = transform(Config(), score_N + 9.0, reference_NJ + 9.0)
    assert shifted == pytest.approx(transform(Config(), score_N, reference_NJ))
