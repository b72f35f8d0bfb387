"""Elections by hand, and by every order of the voters."""

import numpy as np
import pytest

from overopt.stats.pools.votes import elect


@pytest.mark.parametrize(
    ("answers", "weights", "chances"),
    [
        ([3, 3, 1], [1.0, 1.0, 1.0], [1 / 2, 1 / 2, 0]),
        ([3, 3, 1], [0.2, 0.3, 0.6], [0, 0, 1]),
        ([3, 2, 1], [1.0, 1.0, 1.0], [1 / 3, 1 / 3, 1 / 3]),
        ([3, 3, 1, 1], [1.0, 1.0, 1.0, 1.0], [1 / 4, 1 / 4, 1 / 4, 1 / 4]),
        ([0, 0, 1], [0.1, 0.2, 0.3], [1 / 4, 1 / 4, 1 / 2]),  # a tie that rounding hides
        ([-1, -1, 5], [9.0, 9.0, 0.1], [0, 0, 1]),  # no answer, no vote
        ([-1, -1, -1], [1.0, 2.0, 3.0], [1 / 3, 1 / 3, 1 / 3]),
        ([7], [1.0], [1]),
    ],
)
def test_by_hand(answers: list[int], weights: list[float], chances: list[float]) -> None:
    found = elect(np.array([answers]), np.array([weights]))
    assert found[0] == pytest.approx(np.array(chances))


def test_draws_do_not_meet_and_order_does_not_matter() -> None:
    generator = np.random.default_rng(0)
    answer_Dn = generator.integers(-1, 4, size=(200, 7))
    weight_Dn = generator.uniform(0.1, 1.0, size=answer_Dn.shape)
    together = elect(answer_Dn, weight_Dn)
    assert together.sum(axis=1) == pytest.approx(np.ones(200))
    alone = [elect(answer_Dn[d : d + 1], weight_Dn[d : d + 1])[0] for d in range(200)]
    assert together == pytest.approx(np.array(alone))
    order = generator.permutation(7)
    assert elect(answer_Dn[:, order], weight_Dn[:, order]) == pytest.approx(together[:, order])


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        elect(np.array([[1, 2]]), np.array([[1.0, 0.0]]))
    with pytest.raises(ValueError, match="answers"):
        elect(np.array([[1, 2]]), np.ones((1, 3)))


def test_draws_in_which_nobody_answers() -> None:
    assert elect(np.full((3, 2), -1), np.ones((3, 2))).tolist() == [[0.5, 0.5]] * 3
