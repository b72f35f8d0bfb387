"""What length explains, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.diagnostics.lengths import length_r2


def test_length_explains_all_half_or_nothing() -> None:
    length = np.array([1.0, 2.0, 3.0, 4.0])
    assert length_r2(7 - 2 * length, length) == pytest.approx(1.0)
    assert length_r2([1.0, -1.0, -1.0, 1.0], length) == pytest.approx(0.0)
    # products 4 of squares 5 and 5: r = .8
    assert length_r2([1.0, 3.0, 2.0, 4.0], length) == pytest.approx(0.64)
    assert length_r2([2.0, 2.0], [1.0, 2.0]) is None
