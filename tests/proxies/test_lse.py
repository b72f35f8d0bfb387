import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from overopt.proxies.lse import Config, combine

SCORES_MN = np.array([[1.0], [2.0], [6.0]])


@pytest.mark.parametrize(
    ("b", "expected"), [(1.0, 1.780437), (2.0, 2.149406), (4.0, 2.493336), (100.0, 2.976768)]
)
def test_soft_minimum_by_hand(b: float, expected: float) -> None:
    found = combine(Config(members=3, temperature=b), SCORES_MN)
    assert found == pytest.approx([expected], abs=1e-6)


def test_gaussian_form_by_hand() -> None:
    # mean 3, variance 7 with M - 1: 3 - 7 / 8 and 3 - 7 / 2
    for b, expected in ((4.0, 2.125), (1.0, -0.5)):
        found = combine(Config(members=3, temperature=b, gaussian=True), SCORES_MN)
        assert found == pytest.approx([expected])
    one = combine(Config(members=1, gaussian=True), SCORES_MN[:1])
    assert one == pytest.approx([1.0])


def test_limits_are_minimum_and_mean() -> None:
    score_MN = np.random.default_rng(0).normal(size=(5, 40))
    low = combine(Config(temperature=1e-3), score_MN)
    assert low == pytest.approx(score_MN.min(axis=0), abs=2e-3)
    assert combine(Config(temperature=1e5), score_MN) == pytest.approx(
        score_MN.mean(axis=0), abs=1e-4
    )


@given(
    arrays(
        np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-50, 50)
    ),
    st.floats(0.05, 50.0),
)
def test_it_lies_between_minimum_and_mean(score_MN: np.ndarray, b: float) -> None:
    found = combine(Config(members=len(score_MN), temperature=b), score_MN)
    assert (found >= score_MN.min(axis=0) - 1e-9).all()
    assert (found <= score_MN.mean(axis=0) + 1e-9).all()
