import itertools

import numpy as np
import pytest

from overopt.proxies.contract.labels import PairTags
from overopt.proxies.hybrid import Config, route, weigh

# A, B and C have the tags (1, 0, 1), (0, 1, 0) and (1, 1, 0)
TAGS = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0]], dtype=bool)
WEIGHTS = np.array([0.2, -0.1, 0.3])


def trials(weights: np.ndarray, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 40 trials, and scores that are linear in them."""
    rng = np.random.default_rng(0)
    count_KF = rng.integers(0, 30, size=(40, 3)).astype(float)
    return count_KF, 0.4 + count_KF @ weights + noise * rng.normal(size=40)


def test_the_performance_model_is_found() -> None:
    assert weigh(*trials(WEIGHTS)) == pytest.approx(WEIGHTS)


def test_gains_by_hand() -> None:
    # gains .2 + .3, -.1 and .2 - .1
    assert TAGS @ weigh(*trials(WEIGHTS)) == pytest.approx(np.array([0.5, -0.1, 0.1]))
    for budget, chosen in ((0, []), (1, [0]), (2, [0, 2]), (3, [0, 1, 2])):
        mask_P = route(Config(), PairTags(TAGS, *trials(WEIGHTS)), budget)
        assert np.flatnonzero(mask_P).tolist() == chosen


def test_no_other_choice_is_predicted_to_score_higher() -> None:
    rng = np.random.default_rng(1)
    tag_PF = rng.random((9, 3)) < 0.5
    features = PairTags(tag_PF, *trials(WEIGHTS, noise=0.5))
    gain_F = weigh(features.trial_count_KF, features.trial_score_K)
    chosen = float((tag_PF[route(Config(), features, 4)] @ gain_F).sum())
    best = max(
        float((tag_PF[list(some)] @ gain_F).sum()) for some in itertools.combinations(range(9), 4)
    )
    assert chosen == pytest.approx(best)


def test_tags_that_are_worth_nothing_leave_the_order() -> None:
    count_KF, _ = trials(WEIGHTS)
    mask_P = route(Config(), PairTags(TAGS, count_KF, np.full(40, 0.7)), 2)
    assert mask_P.tolist() == [True, True, False]


def test_tags_that_stand_together_share_their_gain() -> None:
    count_KF, score_K = trials(WEIGHTS)
    twice_KF = np.concatenate([count_KF, count_KF[:, :1]], axis=1)
    assert weigh(twice_KF, score_K) == pytest.approx([0.1, -0.1, 0.3, 0.1])
