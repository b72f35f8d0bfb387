"""Numbers of papers that are computed without runs, against numbers worked out another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from overopt.papers.catastrophic_goodhart2024 import N, utility_of_best


def test_best_of_n_of_two_normals_is_half_of_the_largest_sum() -> None:
    """V and X are exchangeable, so that E[V] = E[max of n sums] / 2, sums of SD sqrt(2).

    E[max of 10 standard normals] = 1.5387527 and of 1,000: 3.2414359.
    """
    curve = utility_of_best(stats.norm(), stats.norm(), 40.0)
    for n, largest in ((1, 0.0), (10, 1.5387527), (1000, 3.2414359)):
        (place,) = np.flatnonzero(n == N)
        assert curve[place] == pytest.approx(largest / np.sqrt(2.0), abs=1e-3)
