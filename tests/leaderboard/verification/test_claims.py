"""Claims against fresh worlds: by hand, level, power, and what is read of a table."""

from __future__ import annotations

import math
import os
from typing import cast

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from overopt.leaderboard.tiers.t3 import LEVEL
from overopt.leaderboard.verification.claims import (
    GROUP,
    PEAK,
    Claim,
    first_seeds,
    least_effect,
    read_claims,
    verify_claims,
)

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))


def claim(values: list[float] | np.ndarray, name: str = "gold at 2 nats") -> Claim:
    return Claim("proxy single", name, {world: float(v) for world, v in enumerate(values)})


def test_by_hand() -> None:
    """x = 2, y = 1, s = 1, m = 2, k = 3: t = 1 / sqrt(5 / 6), 2 degrees of freedom."""
    (done,) = verify_claims([claim([1.9, 2.1])], [claim([0.0, 1.0, 2.0])], 0.01)
    assert (done.claimed, done.found, done.sd) == pytest.approx((2.0, 1.0, 1.0))
    assert done.p == pytest.approx(t.sf(1 / math.sqrt(5 / 6), 2))


def test_holm() -> None:
    """Two claims with p1 < p2: 2 p1, and p2 but not below it."""
    fresh = [claim([0.0, 1.0, 2.0], name) for name in ("a", "b")]
    one, other = verify_claims([claim([3.0] * 3, "a"), claim([5.0] * 3, "b")], fresh, 0.01)
    raw = [float(t.sf(d / math.sqrt(2 / 3), 2)) for d in (2.0, 4.0)]
    assert other.p == pytest.approx(2 * raw[1])
    assert one.p == pytest.approx(max(raw[0], 2 * raw[1]))


def test_a_large_claimed_spread_buys_nothing() -> None:
    fresh = [claim([0.0, 0.1, -0.1, 0.05, -0.05])]
    (narrow,) = verify_claims([claim([1.0, 1.0, 1.0])], fresh, 0.01)
    (wide,) = verify_claims([claim([-9.0, 1.0, 11.0])], fresh, 0.01)
    assert narrow.p == pytest.approx(wide.p)
    assert narrow.p < 0.001


def test_too_few_fresh_worlds_test_nothing() -> None:
    assert verify_claims([claim([1.0, 2.0])], [claim([0.0, 0.1])], 0.01) == []


def _alarms(
    times: int, excess: float, fresh_worlds: int = 8, level: float = 0.01, of: int = 3
) -> int:
    """Of three claims that hang together, in 3 claimed and some fresh worlds, SD 0.99 each.

    of: the best 3 of so many worlds, by the first claim, were claimed.
    """
    rng = np.random.default_rng(5)
    names, found = ("a", "b", "c"), 0
    for _ in range(times):
        common_W = rng.normal(size=of + fresh_worlds)
        value_NW = 0.7 * common_W + 0.7 * rng.normal(size=(3, of + fresh_worlds))
        best = np.argsort(-value_NW[0, :of])[:3]
        claimed = [claim(v[best] + excess, n) for n, v in zip(names, value_NW, strict=True)]
        fresh = [claim(v[of:], n) for n, v in zip(names, value_NW, strict=True)]
        found += any(done.p <= level for done in verify_claims(claimed, fresh, level))
    return found


def test_false_alarms_keep_the_level() -> None:
    times = 200 * TIMES
    assert _alarms(times, 0.0) <= times * 0.01 + 3.5 * (times * 0.01 * 0.99) ** 0.5


def test_the_told_difference_is_found() -> None:
    noticed = least_effect(7, 0.01 / 3) * math.sqrt(1 / 3 + 1 / 8)
    times = 200 * TIMES
    found = _alarms(times, noticed * math.sqrt(0.98))  # SD of a world's number
    assert found >= times * 0.95 - 3.5 * (times * 0.95 * 0.05) ** 0.5


@pytest.mark.slow
def test_power_of_the_tier(capsys: pytest.CaptureFixture[str]) -> None:
    """Excesses in SDs between worlds, and worlds that were chosen, as ``verification.md`` tells."""
    sd, times = math.sqrt(0.98), 1000
    for excess, of in ((0, 3), (2, 3), (4, 3), (6, 3), (8, 3), (0, 6), (0, 12), (0, 30)):
        found = [_alarms(times, excess * sd, worlds, LEVEL, of) / times for worlds in (5, 8, 12)]
        with capsys.disabled():
            print(f"\n{excess} SD too high, the best 3 of {of}: {found} with 5, 8, 12 worlds")
        if excess == 0 and of == 3:
            assert max(found) <= LEVEL + 3.5 * (LEVEL / times) ** 0.5


def _drawn(rng: np.random.Generator, worlds: range, seeds: int) -> pd.DataFrame:
    """A table whose gold at 2 nats is a world's number with the noise of each seed."""
    of_world = 0.2 * rng.normal(size=len(worlds))
    return pd.DataFrame(
        {
            **{name: "single" if name == "proxy" else "0" for name in GROUP},
            "world": world,
            "seed": seed,
            "status": "ok",
            "kl_nats": 2.0,
            "kl_target_nats": np.nan,
            "step": 1,
            "gold_mean": of_world[w] + rng.normal(),
        }
        for w, world in enumerate(worlds)
        for seed in range(seeds)
    )


@pytest.mark.parametrize(("claimed_seeds", "fresh_seeds"), [(2, 10), (10, 2)])
def test_the_level_holds_where_a_round_has_other_numbers_of_seeds(
    claimed_seeds: int, fresh_seeds: int
) -> None:
    """Means over fewer seeds vary more; both sides are read from equally many."""
    rng = np.random.default_rng(6)
    times, level, failed = 100 * TIMES, 0.05, 0
    count = min(claimed_seeds, fresh_seeds)
    for _ in range(times):
        claimed = _drawn(rng, range(3), claimed_seeds)
        fresh = _drawn(rng, range(10, 18), fresh_seeds)
        sides = [read_claims(first_seeds(one, count), {}) for one in (claimed, fresh)]
        (done,) = verify_claims(sides[0], sides[1], level)
        failed += done.p <= level
    assert failed <= times * level + 3.5 * (times * level) ** 0.5


def _table(worlds: int = 2, seeds: int = 2, end: float = 4.0) -> pd.DataFrame:
    rows = []
    for world in range(worlds):
        for seed in range(seeds):
            for target, kl, gold in ((np.nan, 0.0, 0.0), (1.0, 1.0, 0.5), (4.0, end, 1.0 + seed)):
                rows.append(
                    {
                        "world": world,
                        "seed": seed,
                        "proxy": "single",
                        "noise": "0",
                        "proxy_start": "scratch",
                        "proxy_width": 16,
                        "comparisons": 512,
                        "kl_target_nats": target,
                        "kl_nats": kl,
                        "gold_mean": gold,
                        "step": 0 if kl == 0 else 5,
                        "status": "ok",
                    }
                )
    return pd.DataFrame(rows)


def _gold(table: pd.DataFrame) -> dict[int, np.ndarray]:
    return {cast(int, n): np.full(6, row["gold_mean"]) for n, row in table.iterrows()}


def test_claims_are_read_between_points() -> None:
    """At 2 nats, between 1 and 4: share sqrt(2) - 1 of the way; the mean of both seeds is 1.5."""
    table = _table()
    told = {one.name: one.of_world for one in read_claims(table, _gold(table))}
    share = (math.sqrt(2) - 1) / (2 - 1)
    assert told["gold at 2 nats"][0] == pytest.approx(0.5 + share * (1.5 - 0.5))
    assert told["gold at 4 nats"][1] == pytest.approx(1.5)
    assert told[PEAK] == {0: pytest.approx(1.5), 1: pytest.approx(1.5)}
    assert "gold at 8 nats" not in told


def test_a_world_in_which_a_seed_falls_short_bears_no_claim() -> None:
    table = _table()
    table.loc[
        (table["world"] == 1) & (table["seed"] == 0) & (table["kl_nats"] == 4.0), "status"
    ] = "unreached"
    told = {one.name: one.of_world for one in read_claims(table, _gold(table))}
    assert set(told["gold at 4 nats"]) == {0}
    assert set(told["gold at 2 nats"]) == {0}
    assert set(told[PEAK]) == {0, 1}  # at the budget that both reached
