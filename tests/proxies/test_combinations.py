from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from overopt.proxies import mean, single, uwo, wco

Scores = npt.NDArray[np.float64]
ENSEMBLES = (mean, wco, uwo)
SCORES_MN: Scores = np.array([[1.0, 0.0, -2.0], [3.0, 0.0, -1.0], [2.0, 6.0, 0.0]])

scores = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-50, 50),
)


@pytest.mark.parametrize(
    ("system", "expected_N"),
    [
        # population variances of the columns: 2/3, 8, 2/3
        (mean, [2.0, 2.0, -1.0]),
        (wco, [1.0, 0.0, -2.0]),
        (uwo, [2.0 - 1 / 3, 2.0 - 4.0, -1.0 - 1 / 3]),
    ],
)
def test_ensembles_by_hand(system: ModuleType, expected_N: list[float]) -> None:
    reward_N = system.combine(system.Config(members=3), SCORES_MN)
    assert reward_N == pytest.approx(np.array(expected_N))
    assert reward_N.dtype == np.float64


def test_uncertainty_weight_by_hand() -> None:
    reward_N = uwo.combine(uwo.Config(members=3, uncertainty_weight=0.1), SCORES_MN)
    assert reward_N == pytest.approx(np.array([2 - 1 / 15, 2 - 0.8, -1 - 1 / 15]))


def test_single_is_its_one_member() -> None:
    assert single.combine(single.Config(), SCORES_MN[:1]).tolist() == [1.0, 0.0, -2.0]
    with pytest.raises(ValueError, match="1 member, got 3"):
        single.combine(single.Config(), SCORES_MN)


@given(scores)
def test_worst_case_and_uncertainty_never_exceed_the_mean(score_MN: Scores) -> None:
    mean_N = mean.combine(mean.Config(), score_MN)
    assert np.all(wco.combine(wco.Config(), score_MN) <= mean_N + 1e-9)
    assert np.all(uwo.combine(uwo.Config(), score_MN) <= mean_N + 1e-9)


@given(scores)
def test_members_that_agree_are_taken_at_their_word(score_MN: Scores) -> None:
    agreed_MN = np.repeat(score_MN[:1], 4, axis=0)
    for system in ENSEMBLES:
        assert system.combine(system.Config(), agreed_MN) == pytest.approx(score_MN[0])


@given(scores, st.integers(0, 2**32 - 1))
def test_the_order_of_members_does_not_matter(score_MN: Scores, seed: int) -> None:
    shuffled_MN = np.random.default_rng(seed).permutation(score_MN, axis=0)
    for system in ENSEMBLES:
        before_N = system.combine(system.Config(), score_MN)
        assert system.combine(system.Config(), shuffled_MN) == pytest.approx(before_N, abs=1e-9)


def test_the_input_is_left_alone() -> None:
    score_MN = SCORES_MN[:1].copy()
    single.combine(single.Config(), score_MN)[0] = 99.0
    assert score_MN.tolist() == SCORES_MN[:1].tolist()
