import math

import numpy as np
import pytest

from overopt.proxies.par import Config, transform


def test_transform_by_hand() -> None:
    # sigmoid(1) = .731059, sigmoid(-1) = .268941, sigmoid(2) = .880797
    reference_NJ = np.array([[0.0, 2.0], [0.0, 0.0]])
    found = transform(Config(references=2), np.array([1.0, 2.0]), reference_NJ)
    assert found == pytest.approx([0.5, 0.880797], abs=1e-6)
    steep = transform(Config(references=2, slope=3.0), np.array([1.0, 2.0]), reference_NJ)
    assert steep == pytest.approx([0.5, 1 / (1 + math.exp(-6.0))])


def test_against_one_reference_it_keeps_the_order_within_a_prompt() -> None:
    score_N = np.random.default_rng(0).normal(scale=3.0, size=50)
    found = transform(Config(references=1), score_N, np.full((50, 1), 0.7))
    assert np.array_equal(np.argsort(found), np.argsort(score_N))


def test_it_levels_off_where_the_score_goes_on() -> None:
    gains = np.diff(transform(Config(references=1), np.arange(0.0, 9.0), np.zeros((9, 1))))
    assert (gains > 0).all() and (np.diff(gains) < 0).all()
    far = transform(Config(), np.array([500.0, -500.0]), np.zeros((2, 10)))
    assert far == pytest.approx([1.0, 0.0])


def test_what_shifts_all_scores_of_a_prompt_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    score_N, reference_NJ = rng.normal(size=5), rng.normal(size=(5, 4))
    shifted = transform(Config(), score_N + 9.0, reference_NJ + 9.0)
    assert shifted == pytest.approx(transform(Config(), score_N, reference_NJ))
