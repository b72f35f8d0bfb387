"""The search over components on pools that can be enumerated by hand."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.arrays import Floats
from overopt.stats.pools.component_points import component_points, search_gains, simplex

N_K = np.array([1, 2, 4])


def test_the_simplex_holds_its_corners_and_sums_to_one() -> None:
    assert simplex(2, 2).tolist() == [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    weight_DM = simplex(3)
    assert len(weight_DM) == 15  # 6 choose 2
    assert np.allclose(weight_DM.sum(axis=1), 1.0)
    assert len(np.unique(weight_DM, axis=0)) == 15
    assert (weight_DM.max(axis=1) == 1.0).sum() == 3


def test_best_of_n_by_a_weighted_sum_by_hand() -> None:
    """One prompt of four samples: of two, ranks 1 to 4 win with chances 0, 1/6, 2/6 and 3/6."""
    first_N, second_N = np.array([0.0, 1.0, 2.0, 3.0]), np.array([3.0, 0.0, 1.0, 2.0])
    gold_BN = np.array([[10.0, 20.0, 30.0, 40.0]])
    member_MBN = np.stack([first_N, second_N])[:, None]
    gain_CDKB = search_gains(gold_BN, member_MBN, np.array([[1.0, 0.0], [0.5, 0.5]]), N_K)
    assert gain_CDKB.shape == (3, 2, 3, 1)
    assert np.allclose(gain_CDKB[:, :, 0], 0.0)  # n = 1 is the pool itself
    # gold (20 + 60 + 120)/6 - 25; first (1 + 4 + 9)/6 - 1.5; second (0 + 2 + 6)/6 - 1.5
    assert gain_CDKB[:, 0, 1, 0] == pytest.approx([200 / 6 - 25, 14 / 6 - 1.5, 8 / 6 - 1.5])
    # half the sums 3, 1, 3, 5: of all four the last wins
    assert gain_CDKB[:, 1, 2, 0] == pytest.approx([15.0, 1.5, 0.5])


def test_equal_sums_share_what_they_win() -> None:
    gold_BN = np.array([[0.0, 4.0, 8.0, 0.0]])
    member_MBN = np.array([[[0.0, 1.0, 1.0, 0.0]]])
    gain_CDKB = search_gains(gold_BN, member_MBN, np.array([[1.0]]), np.array([1, 4]))
    assert gain_CDKB[0, 0, 1, 0] == pytest.approx(6.0 - 3.0)


def planted(joint: tuple[int, float], alone: tuple[int, int]) -> Floats:
    """Gains over three weights (second, both, first) and four n, gold highest where it is told."""
    gain_CDKB = np.zeros((3, 3, 4, 1))
    gain_CDKB[1] = np.arange(12.0).reshape(3, 4, 1)
    gain_CDKB[2] = 100.0 + gain_CDKB[1]
    gain_CDKB[0, 1, joint[0]] = joint[1]
    gain_CDKB[0, 2, alone[0]] = 1.0
    gain_CDKB[0, 0, alone[1]] = 1.0
    return gain_CDKB


def test_the_joint_point_is_where_gold_is_highest_over_all_weights() -> None:
    weight_DM, n_K = simplex(2, 2), np.array([1, 2, 3, 4])
    found = component_points(planted((2, 5.0), (1, 3)), weight_DM, n_K)
    assert found.joint.weight_M.tolist() == [0.5, 0.5]
    assert (found.joint.n, found.joint.gold) == (3, 5.0)
    assert found.joint.score_M.tolist() == [6.0, 106.0]
    assert [one.n for one in found.alone] == [2, 4]
    # the first component of its own search, the second of its own: rows 2 and 0 of the table
    assert found.alone_M.tolist() == [9.0, 103.0]


def test_where_a_corner_is_best_the_joint_point_is_the_corner() -> None:
    weight_DM, n_K = simplex(2, 2), np.array([1, 2, 3, 4])
    found = component_points(planted((2, 0.0), (1, 1)), weight_DM, n_K)
    assert found.joint.weight_M.max() == 1.0
    assert found.joint.n == 2
