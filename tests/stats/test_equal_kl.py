"""Seeds read at the same KL: weights by hand, the end, and what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.equal_kl import (
    SeedPoints,
    end_of,
    first_readable,
    read_together,
    weights_at,
)

NONE = float("nan")


def seed(*points: tuple[float, float]) -> SeedPoints:
    """Points as (budget, KL); the initial policy comes first."""
    target_K, kl_K = zip((NONE, 0.0), *points, strict=True)
    return SeedPoints(np.array(kl_K), np.array(target_K))


def test_weights_are_linear_in_the_root_of_kl() -> None:
    # d = 0, 1, 3; KL 4 is d = 2, half way between the last two
    weight_K = weights_at([0.0, 1.0, 9.0], 4.0)
    assert weight_K is not None
    np.testing.assert_allclose(weight_K, [0.0, 0.5, 0.5])


def test_order_does_not_matter_and_equal_kls_share() -> None:
    weight_K = weights_at([9.0, 1.0, 0.0, 9.0], 4.0)
    assert weight_K is not None
    np.testing.assert_allclose(weight_K, [0.25, 0.5, 0.0, 0.25])
    at_a_point = weights_at([9.0, 1.0, 0.0, 9.0], 9.0)
    assert at_a_point is not None
    np.testing.assert_allclose(at_a_point, [0.5, 0.0, 0.0, 0.5])


def test_nothing_is_read_beyond_the_range() -> None:
    assert weights_at([0.0, 1.0], 1.1) is None
    assert weights_at([0.5, 1.0], 0.1) is None
    with pytest.raises(ValueError, match="at least 0"):
        weights_at([-0.1, 1.0], 0.5)


def test_nothing_is_read_where_a_seed_leapt_over_a_budget_at_first() -> None:
    kl_K = np.array([6.0, 0.0, 9.0, -0.1])
    assert first_readable(kl_K, [1.0, 2.0]) == 6.0
    assert first_readable(kl_K, [7.0, 18.0]) == first_readable(kl_K, []) == 0.0
    assert first_readable(np.array([0.0]), [1.0]) == 0.0
    assert weights_at([0.0, 6.0, 9.0], 4.0, from_nats=6.0) is None
    for kl, own in ((0.0, 0), (6.0, 1), (9.0, 2)):
        weight_K = weights_at([0.0, 6.0, 9.0], kl, from_nats=6.0)
        assert weight_K is not None and weight_K.tolist() == np.eye(3)[own].tolist()


def test_a_seed_that_leapt_is_read_at_its_own_policy_or_not_at_all() -> None:
    """It met the budget of 5.5 nats a little above it, and none of 4; the other met both."""
    leapt = seed((5.5, 6.0), (9.0, 9.0))._replace(from_nats=6.0)
    plain = seed((4.0, 4.0), (5.5, 5.5), (9.0, 9.0))
    at_4, at_55, _ = read_together([leapt, plain])
    assert at_4.weight_SK[0] is None and at_4.weight_SK[1] is not None
    assert at_55.weight_SK[0] is not None
    assert at_55.weight_SK[0].tolist() == [0.0, 1.0, 0.0]
    assert at_55.kl_nats == (6.0 + 5.5) / 2


def test_the_end_is_the_largest_budget_that_all_reached() -> None:
    far, near = seed((1.0, 1.1), (2.0, 2.0), (4.0, 4.1)), seed((1.0, 0.9), (2.0, 2.1))
    assert end_of([far, near]) == 2.0
    assert end_of([far]) == 4.0
    assert end_of([far, seed((3.0, 3.0))]) is None
    assert end_of([]) is None


def test_seeds_are_read_at_the_budget_and_at_the_end_at_their_own_policies() -> None:
    first, second = seed((1.0, 1.0), (4.0, 4.0)), seed((1.0, 2.25), (4.0, 6.25))
    one, end = read_together([first, second])
    assert (one.kl_target_nats, one.kl_nats) == (1.0, 1.0)
    # the second seed overshot: d = 1 lies 2/3 of the way from 0 to 1.5
    np.testing.assert_allclose(np.stack([w for w in one.weight_SK if w is not None]),
                               [[0.0, 1.0, 0.0], [1 / 3, 2 / 3, 0.0]])  # fmt: skip
    assert (end.kl_target_nats, end.kl_nats) == (4.0, (4.0 + 6.25) / 2)
    np.testing.assert_allclose(np.stack([w for w in end.weight_SK if w is not None]),
                               [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])  # fmt: skip


def test_a_seed_that_stops_is_missing_beyond_its_last_budget() -> None:
    far, near = seed((1.0, 1.0), (4.0, 3.9), (9.0, 8.8)), seed((1.0, 0.9))
    one, two, three = read_together([far, near])
    assert one.kl_nats == pytest.approx((1.0 + 0.9) / 2)  # the end
    assert two.weight_SK[1] is None
    assert two.kl_nats == 4.0  # between two points of the other seed
    assert three.weight_SK[1] is None
    assert three.kl_nats == 8.8  # its own policy, a little below the budget


def test_points_without_budgets_are_read_where_they_are() -> None:
    first = seed((NONE, 1.0), (NONE, 4.0), (NONE, 9.0))
    second = seed((NONE, 2.0), (NONE, 5.0))
    places = read_together([first, second])
    assert {place.kl_target_nats for place in places} == {None}
    kl = [place.kl_nats for place in places]
    assert kl == sorted(kl)
    assert 5.0 in kl  # where the first seed ends
    for place in places:
        assert (place.weight_SK[1] is None) == (place.kl_nats > 5.0 or place.kl_nats < 0.0)
    assert read_together([seed()]) == []
    assert read_together([]) == []


def test_policies_that_leapt_over_all_budgets_are_not_read_between() -> None:
    leapt = [seed((NONE, 0.0), (NONE, kl)) for kl in (215.0, 59.0)]
    assert read_together(leapt, budgets_set=True) == []
    assert [place.kl_nats for place in read_together(leapt)] != []


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        read_together([SeedPoints(np.zeros(2), np.zeros(3))])
