"""Ranges of axes that one bad curve cannot fix."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.report.limits import robust_limits


def test_all_values_are_held_where_none_is_far_off() -> None:
    # 0 to 10: inner range 1 to 9, so that anything down to -17 and up to 27 would be held
    assert robust_limits(range(11)) == pytest.approx((-0.6, 10.6))


def test_what_is_far_off_is_cut_at_two_inner_ranges_beyond_it() -> None:
    values = [*np.linspace(0.0, 1.0, 99), -1000.0]
    inner_low, inner_high = np.percentile(values, (10, 90))
    low = inner_low - 2.0 * (inner_high - min(inner_low, 0.0))
    low, high = min(low, 0.0), 1.0
    room = 0.06 * (high - low)
    assert robust_limits(values) == pytest.approx((low - room, high + room))


def test_what_must_be_there_is_there_and_missing_values_do_not_count() -> None:
    low, high = robust_limits([1.0, 2.0, float("nan")], least=(0.0, 5.0))
    assert (low, high) == pytest.approx((-0.3, 5.3))
    assert robust_limits([], least=(0.0,)) == (-1.0, 1.0)
