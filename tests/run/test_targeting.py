"""The search for knob values, on methods whose KL is a known function of the knob."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overopt.run.targeting import LARGEST_RUNS_PER_BUDGET, START_RUNS, Search
from overopt.spec.declare import Knob
from overopt.stats.budgets import MET_WITHIN

BETA = Knob(name="beta", low=0.001, high=10.0, raises_kl=False)


def _drive(search: Search, kl_of: Callable[[float], float]) -> int:
    """Run the search to its end; the number of rounds."""
    values, rounds = search.first_values(), 0
    while values:
        rounds += 1
        search.observe({value: kl_of(value) for value in values})
        values = search.next_values()
    return rounds


def _falling(beta: float) -> float:
    """KL of 9 nats at beta 0.001 and 0.04 at 10, smooth in log beta."""
    return (3 - 2.8 * (math.log10(beta) + 3) / 4) ** 2


def _gap(kl_nats: float, budget_nats: float) -> float:
    return abs(math.sqrt(kl_nats / budget_nats) - 1)


def test_the_first_values_are_even_in_the_logarithm_and_typable() -> None:
    assert Search(BETA, (1.0,)).first_values() == [0.001, 0.01, 0.1, 1.0, 10.0]
    odd = Knob(name="n", low=1, high=3, raises_kl=True)
    assert Search(odd, (1.0,)).first_values() == [1.0, 1.316, 1.732, 2.28, 3.0]


def test_every_budget_inside_the_range_is_met() -> None:
    budgets = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    search = Search(BETA, budgets)
    _drive(search, _falling)
    met, unreached = search.settle()
    assert unreached == [] and list(met) == list(budgets)
    assert len(set(met.values())) == len(budgets)
    for budget, value in met.items():
        assert _gap(_falling(value), budget) <= MET_WITHIN
    assert len(search.kl_of) <= START_RUNS + 2 * len(budgets)


def test_budgets_outside_the_range_are_unreached_and_cost_no_run() -> None:
    search = Search(BETA, (0.001, 50.0))
    assert _drive(search, _falling) == 1
    assert search.settle() == ({}, [0.001, 50.0])
    assert len(search.kl_of) == START_RUNS


def test_a_jump_ends_after_a_few_runs_with_the_nearest() -> None:
    search = Search(BETA, (1.0,))
    _drive(search, lambda beta: 4.0 if beta < 0.03 else 0.09)
    assert len(search.kl_of) == START_RUNS + LARGEST_RUNS_PER_BUDGET
    met, unreached = search.settle()
    assert unreached == []
    # sqrt(0.09) = 0.3 is nearer to 1 than sqrt(4) = 2.
    assert search.kl_of[met[1.0]] == 0.09


def test_a_run_serves_the_budget_it_is_nearest_to() -> None:
    search = Search(BETA, (1.0, 1.1))
    search.observe({0.001: 20.0, 0.1: 1.1, 10.0: 0.0})
    assert search.next_values() == []  # within tolerance of both
    assert search.settle() == ({1.1: 0.1}, [1.0])


def test_two_runs_serve_two_close_budgets() -> None:
    search = Search(BETA, (1.0, 1.1))
    search.observe({0.1: 1.09, 0.11: 1.06})
    assert search.settle() == ({1.0: 0.11, 1.1: 0.1}, [])


def test_where_kl_is_not_monotone_the_tightest_bracket_is_used() -> None:
    search = Search(BETA, (1.0,))
    search.observe({0.001: 0.0, 0.01: 9.0, 0.1: 0.0, 10.0: 9.0})
    (value,) = search.next_values()
    assert 0.001 < value < 0.01


def test_of_several_brackets_the_tightest_in_log_knob_is_used() -> None:
    """From .001 to .04 is less than from 1 to 1.05, and 75 times as far in the logarithm."""
    search = Search(BETA, (4.0,))
    search.observe({0.001: 2.5, 0.04: 5.5, 1.0: 5.5, 1.05: 2.5, 10.0: 0.1})
    (value,) = search.next_values()
    assert 1.0 < value < 1.05


def test_interpolation_is_linear_in_log_knob_and_sqrt_kl() -> None:
    search = Search(BETA, (1.0,))
    search.observe({0.01: 4.0, 1.0: 0.25})
    # sqrt: 2 at 0.01, 0.5 at 1; 1 is two thirds of the way: 10^(-2 + 4/3) = 0.2154.
    assert search.next_values() == [0.2154]


def test_a_kl_that_is_no_number_is_refused() -> None:
    with pytest.raises(FloatingPointError, match=r"beta = 0\.1: KL is nan"):
        Search(BETA, (1.0,)).observe({0.1: math.nan})


def test_a_slightly_negative_estimate_counts_as_zero() -> None:
    search = Search(BETA, (0.5,))
    search.observe({10.0: -1e-6, 0.001: 4.0})
    assert len(search.next_values()) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0.01, 30.0), min_size=1, max_size=6, unique=True),
    st.floats(0.1, 6.0),
    st.floats(0.3, 4.0),
    st.booleans(),
)
def test_any_monotone_method_is_settled(
    budgets: list[float], top: float, shape: float, rises: bool
) -> None:
    knob = Knob(name="k", low=0.001, high=10.0, raises_kl=rises)
    search = Search(knob, tuple(sorted(budgets)))

    def kl_of(value: float) -> float:
        share = (math.log10(value) + 3) / 4
        return float((top * (share if rises else 1 - share) ** shape) ** 2)

    _drive(search, kl_of)
    met, unreached = search.settle()
    assert sorted([*met, *unreached]) == sorted(budgets)
    assert len(set(met.values())) == len(met)
    for budget in unreached:  # out of range, or its run serves a nearer budget
        inside = kl_of(10.0 if rises else 0.001) >= budget
        serving = search.serving(budget)
        assert not inside or serving is None or serving in met.values()
