"""The rule by which a learning rate is chosen."""

from __future__ import annotations

import pandas as pd

from overopt.commands.tuning.choosing import choose


def points(*seeds: dict[float, float | None]) -> pd.DataFrame:
    """Proxy at each budget of each seed; None where the budget was not reached."""
    rows = [
        {
            "seed": seed,
            "status": "unreached" if value is None else "ok",
            "kl_target_nats": target,
            "proxy_mean": float("nan") if value is None else value,
            "gold_mean": 0.0 if value is None else -value,
        }
        for seed, budgets in enumerate(seeds)
        for target, value in {**budgets, float("nan"): 0.0}.items()
    ]
    return pd.DataFrame(rows)


def test_a_rate_that_reaches_more_budgets_wins_whatever_its_proxy() -> None:
    slow = points({1: 9.0, 2: None}, {1: 9.0, 2: 9.0})
    fast = points({1: 0.1, 2: 0.2}, {1: 0.1, 2: 0.2})
    choice = choose({0.5: slow, 1.0: fast}, "proxy")
    assert choice is not None and choice.factor == 1.0
    assert [one.budgets for one in choice.tried] == [1, 2]
    assert [one.mean for one in choice.tried] == [9.0, 0.1]  # over the budget that both reached


def test_of_rates_that_reach_as_many_the_one_with_more_proxy_wins() -> None:
    """Means over seeds and budgets: (1 + 2 + 3 + 4) / 4 = 2.5 against 2.6."""
    one = points({1: 1.0, 2: 2.0}, {1: 3.0, 2: 4.0})
    other = points({1: 2.6, 2: 2.6}, {1: 2.6, 2: 2.6})
    by_proxy, by_gold = (choose({1.0: one, 2.0: other}, by) for by in ("proxy", "gold"))
    assert by_proxy is not None and by_proxy.factor == 2.0 and by_proxy.by == "proxy"
    assert [tried.mean for tried in by_proxy.tried] == [2.5, 2.6]
    assert by_gold is not None and by_gold.factor == 1.0


def test_of_equals_the_tasks_own_rate_wins_and_then_the_smaller() -> None:
    same = points({1: 1.0})
    choice = choose({0.5: same, 1.0: same, 2.0: same}, "proxy")
    assert choice is not None and choice.factor == 1.0
    choice = choose({0.5: same, 2.0: same}, "proxy")
    assert choice is not None and choice.factor == 0.5


def test_rates_that_failed_or_got_nowhere_are_told_and_never_chosen() -> None:
    nowhere, failed = points({1: None}), points({1: 1.0}).iloc[:0]
    choice = choose({0.5: failed, 1.0: nowhere, 2.0: points({1: 0.3})}, "proxy")
    assert choice is not None and choice.factor == 2.0
    assert [(one.budgets, one.mean) for one in choice.tried] == [(0, None), (0, None), (1, 0.3)]
    assert choose({1.0: nowhere, 2.0: failed}, "proxy") is None
