import numpy as np
import pytest

from overopt.stats.diagnostics.angles import angle_degrees


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ([0.0, 3.0], 90.0),
        ([2.0, 0.0], 0.0),
        ([-0.1, 0.0], 180.0),
        ([1.0, 1.0], 45.0),
        ([0.5, np.sqrt(0.75)], 60.0),
    ],
)
def test_by_hand(second: list[float], expected: float) -> None:
    assert angle_degrees([1.0, 0.0], second) == pytest.approx(expected, abs=1e-5)


def test_matrices_are_read_as_vectors() -> None:
    assert angle_degrees([[1.0, 2.0], [0.0, 2.0]], [[2.0, 1.0], [5.0, -2.0]]) == pytest.approx(90.0)


def test_what_has_not_moved_has_no_angle() -> None:
    assert angle_degrees([0.0, 0.0], [1.0, 0.0]) is None
