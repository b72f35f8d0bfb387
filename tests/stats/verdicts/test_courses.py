"""Where a column jumps and how it bends, on columns that are written down."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.verdicts.courses import change_point, parabola


def test_the_jump_lies_between_the_two_levels() -> None:
    step_K = [0, 10, 20, 40, 80, 160]
    assert change_point(step_K, [1.0, 1.1, 0.9, 5.0, 5.2, 4.9]) == 30.0
    assert change_point(step_K[::-1], [4.9, 5.2, 5.0, 0.9, 1.1, 1.0]) == 30.0


def test_a_fall_is_no_jump_even_where_it_parts_the_points_best() -> None:
    """The large step is down at the third point; the one step up is at the last."""
    assert change_point([1, 2, 3, 4, 5, 6], [9.0, 9.0, 1.0, 1.0, 1.0, 9.5]) == 5.5
    with pytest.raises(ValueError, match="never rises"):
        change_point([1, 2, 3, 4], [4.0, 3.0, 2.0, 1.0])


def test_too_few_points_have_no_jump_and_no_bend() -> None:
    with pytest.raises(ValueError, match="4 points"):
        change_point([1, 2, 3], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="4 different places"):
        parabola([1, 2, 2, 3], [1.0, 2.0, 2.0, 3.0])


def test_a_parabola_is_found_again() -> None:
    x_K = np.array([0.0, 1.0, 4.0, 9.0, 16.0])
    found = parabola(x_K, 3.0 - 2.0 * x_K + 0.5 * x_K**2)
    assert found == pytest.approx((-2.0, 0.5))
