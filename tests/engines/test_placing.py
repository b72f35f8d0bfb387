"""Places of a knob on KL budgets, by root finding."""

from __future__ import annotations

import math

import pytest

from overopt.engines.walk.placing import (
    Place,
    midpoints,
    or_furthest,
    place,
    place_whole,
    rising_part,
    with_the_end,
)
from overopt.spec.declare import Knob

RISING = Knob(name="eta", low=0.01, high=1.0, raises_kl=True)
FALLING = Knob(name="beta", low=0.1, high=100.0, raises_kl=False)


def test_midpoints_are_halfway_in_the_root() -> None:
    assert midpoints([1.0, 9.0, 25.0]) == [4.0, 16.0]


def test_roots_of_a_rising_knob() -> None:
    found = place(lambda eta: 4 * eta**2, RISING, [0.01, 1.0, 9.0], [0.25], 1e-9)
    assert [one.kl_target_nats for one in found] == [0.01, None, 1.0, 9.0]
    values = [one.knob_value for one in found]
    assert values[:3] == pytest.approx([0.05, 0.25, 0.5])
    assert values[3] is None  # 4 nats at eta = 1


def test_roots_of_a_falling_knob() -> None:
    (one,) = place(lambda beta: 1 / beta, FALLING, [0.5], [], 1e-9)
    assert one.knob_value == pytest.approx(2.0)


def test_finer_places_out_of_reach_are_left_out() -> None:
    found = place(lambda eta: 4 * eta**2, RISING, [1.0], [5.0], 1e-9)
    assert [one.kl_target_nats for one in found] == [1.0]


def test_what_is_not_trusted_is_unreached() -> None:
    found = place(lambda eta: 4 * eta**2, RISING, [0.04, 1.0], [], 1e-9, lambda eta: eta < 0.3)
    assert found[0].knob_value == pytest.approx(0.1)
    assert found[1].knob_value is None


def test_no_knob_value_is_measured_twice_and_few_suffice() -> None:
    asked: list[float] = []

    def kl_of(eta: float) -> float:
        asked.append(eta)
        return 4 * eta**2

    place(kl_of, RISING, [0.1, 0.5, 1.0], [], 0.01)
    assert len(set(asked)) == len(asked) <= 2 + 3 * 12
    assert min(asked) == pytest.approx(0.01) and max(asked) == pytest.approx(1.0)


def test_a_kl_below_zero_counts_as_none() -> None:
    (one,) = place(lambda eta: math.log(eta) + 1, RISING, [0.5], [], 1e-9)
    assert one.knob_value == pytest.approx(math.exp(-0.5))


def tent(eta: float) -> float:
    """Rises up to .1, and falls again as it has risen: 1 nat at most."""
    return min(eta / 0.1, 0.1 / eta)


def test_a_knob_ends_where_its_kl_falls_again() -> None:
    assert rising_part(tent, RISING) == RISING.model_copy(update={"high": pytest.approx(0.1)})
    falling = RISING.model_copy(update={"raises_kl": False})
    assert rising_part(tent, falling) == falling.model_copy(update={"low": pytest.approx(0.1)})


def test_a_knob_whose_kl_rises_all_the_way_stays_as_it_is_for_a_few_looks() -> None:
    asked: list[float] = []

    def resting(eta: float) -> float:
        """At rest from .3 on, but for what rounding and integrals leave."""
        asked.append(eta)
        return min(eta, 0.3) - 1e-9 * eta

    assert rising_part(resting, RISING) is RISING
    assert len(set(asked)) == len(asked) <= 8
    assert rising_part(lambda eta: 0.0, RISING) is RISING


def test_a_fall_in_the_last_step_is_seen() -> None:
    """The value before the last one is 1 / 100^(1/48) = .909."""
    found = rising_part(lambda eta: eta if eta < 0.95 else 0.9, RISING)
    assert found.high == pytest.approx(100 ** (-1 / 48))


COUNT = Knob(name="n", low=2.0, high=64.0, raises_kl=True, whole=True)


def squared(n: float) -> float:
    return (n / 4) ** 2


def test_whole_values_are_the_nearest_in_the_root_of_kl() -> None:
    # n = 2, 3, 4, ...: .25, .5625, 1, 1.5625, 2.25
    found = place_whole(squared, COUNT, [0.01, 0.4, 0.5, 2.0, 1e4], [1.1])
    # roots .5, .75, 1, 1.25, 1.5: that of .4, .63, is nearest to n = 3 as that of .5, .71, is; the
    # root of 2 to n = 6
    assert found == [(0.01, 2.0), (0.5, 3.0), (None, 4.0), (2.0, 6.0), (0.4, None), (1e4, None)]


def test_the_nearest_whole_value_is_that_of_the_root() -> None:
    """At 1 nat .8 is nearer in KL and 10.6 % off in its root; 1.205 is 9.8 % off, and meets it."""
    kl_of = {1.0: 0.1, 2.0: 0.8, 3.0: 1.205}.__getitem__
    few = Knob(name="n", low=1.0, high=3.0, raises_kl=True, whole=True)
    assert place_whole(kl_of, few, [1.0], []) == [(1.0, 3.0)]


def test_whole_values_of_a_falling_knob() -> None:
    falling = Knob(name="n", low=1.0, high=8.0, raises_kl=False, whole=True)
    assert place_whole(lambda n: 8 / n, falling, [2.1, 9.0], []) == [(2.1, 4.0), (9.0, None)]


def test_whole_values_beyond_trust_are_neither_given_nor_asked_for() -> None:
    asked: list[float] = []

    def kl_of(n: float) -> float:
        asked.append(n)
        return squared(n)

    found = place_whole(kl_of, COUNT, [1.0, 6.0], [4.0], lambda n: n <= 8)
    assert found == [(1.0, 4.0), (None, 8.0), (6.0, None)]
    assert len(set(asked)) == len(asked) <= 8
    assert max(asked) <= 8


def overshooting(n: float) -> float:
    """Rises to 1 nat at 16, and falls to .5 at 64."""
    return n / 16 if n <= 16 else 1 - (n - 16) / 96


def test_whole_values_behind_the_peak_of_named_ones_are_left_out() -> None:
    # .9 lies between 14 (.875) and 15 (.9375); a bisection of 1 .. 64 looks at 33 (.82) first
    known = Knob(name="n", low=1, high=64, raises_kl=True, whole=True, also=(1, 4, 16, 64))
    assert place_whole(overshooting, known, [0.9, 1.1], []) == [(0.9, 14.0), (1.1, None)]
    blind = known.model_copy(update={"also": ()})
    assert place_whole(overshooting, blind, [0.9], []) == [(0.9, None)]
    # what is not trusted has no part in it
    found = place_whole(overshooting, known, [0.2, 0.9], [], lambda n: n <= 10)
    assert found == [(0.2, 3.0), (0.9, None)]
    # the same from 64 down: .656 at 16 is the most of those named, .5 at 1 the last
    falling = known.model_copy(update={"raises_kl": False})
    assert place_whole(lambda n: overshooting(65 - n), falling, [0.9], []) == [(0.9, 51.0)]


def test_a_kl_that_rises_all_the_way_has_the_places_that_it_had() -> None:
    known = COUNT.model_copy(update={"also": (2.0, 16.0, 64.0)})
    budgets = [0.01, 0.4, 0.5, 2.0, 1e4]
    assert place_whole(squared, known, budgets, [1.1]) == place_whole(
        squared, COUNT, budgets, [1.1]
    )


def test_a_kl_that_ties_stop_is_not_passed() -> None:
    found = place_whole(lambda n: 1.2 - 1 / n, COUNT, [1.0, 1.3], [])
    assert found == [(1.0, 5.0), (1.3, None)]


def test_where_no_budget_is_within_reach_there_is_the_end() -> None:
    rising = Knob(name="k", low=0.5, high=8.0, raises_kl=True)
    falling = rising.model_copy(update={"raises_kl": False})
    none = [Place(1.0, None), Place(2.0, None)]
    assert or_furthest(none, rising) == [*none, Place(None, 8.0)]
    assert or_furthest(none, falling) == [*none, Place(None, 0.5)]
    some = [Place(1.0, 3.0), Place(2.0, None)]
    assert or_furthest(some, rising) == some


def test_the_end_of_the_knob_comes_once_behind_what_was_met() -> None:
    met, unmet = [Place(1.0, 0.5)], [Place(9.0, None)]
    assert with_the_end([*met, *unmet], 1.0) == [*met, Place(None, 1.0), *unmet]
    assert with_the_end([Place(4.0, 1.0)], 1.0) == [Place(4.0, 1.0)]
