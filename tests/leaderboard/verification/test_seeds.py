"""Claimed seeds beside fresh ones: by hand, level, power, and what is read of tables."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest

from overopt.leaderboard.tiers.t3 import LEVEL, fresh_seeds, judge_seeds
from overopt.leaderboard.verification.seeds import (
    END,
    PEAK,
    Both,
    compare_seeds,
    least_p,
    read_both,
)

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))
WORLDS, SEEDS, CLAIMS = 3, 5, 4


def test_by_hand() -> None:
    """One world, claimed 4 and 5, fresh 1 and 2: T = 3, the largest of the six deals: p = 1/6."""
    both = {("s", "a"): {0: Both(np.array([4.0, 5.0]), np.array([1.0, 2.0]))}}
    (told,) = compare_seeds(both, np.random.default_rng(0), 20_000)
    assert told.excess == pytest.approx(3.0)
    assert told.p == pytest.approx(1 / 6, abs=0.01)
    assert least_p(both) == pytest.approx(1 / 6)
    two = {("s", "a"): {world: both["s", "a"][0] for world in (0, 1)}}
    (told,) = compare_seeds(two, np.random.default_rng(0), 20_000)
    assert told.excess == pytest.approx(3.0)
    assert told.worlds == 2
    assert told.p == pytest.approx(1 / 36, abs=0.005)


def test_claims_are_dealt_together() -> None:
    """A claim that repeats another adds nothing to how often the larger one is reached."""
    rng = np.random.default_rng(3)
    one = {0: Both(rng.normal(size=5) + 1, rng.normal(size=5))}
    (alone,) = compare_seeds({("s", "a"): one}, np.random.default_rng(1), 5000)
    twice = compare_seeds({("s", "a"): one, ("s", "b"): one}, np.random.default_rng(1), 5000)
    assert [told.p for told in twice] == [alone.p, alone.p]


def study(
    rng: np.random.Generator, of: int = SEEDS, rolls: int = 1, share: float = 0.5
) -> dict[tuple[str, str], dict[int, Both]]:
    """Gold of an entry, SD 1 between seeds, claims that hang together at r = 0.7.

    Args:
        of: so many seeds were run, and those with most gold in the first claim are claimed.
        rolls: each seed was trained so often, with its own data and proxy, and the best is claimed.
        share: of the variance between seeds that such a training moves.
    """

    def gold(seeds: int) -> np.ndarray:
        common, own = rng.normal(size=(seeds, 1)), rng.normal(size=(seeds, CLAIMS))
        return np.asarray(np.sqrt(0.7) * common + np.sqrt(0.3) * own)

    found: dict[tuple[str, str], dict[int, Both]] = {}
    for world in range(WORLDS):
        claimed = gold(of)
        claimed = claimed[np.argsort(-claimed[:, 0])[:SEEDS]]
        if rolls > 1:
            each = np.stack([gold(SEEDS) for _ in range(rolls)])
            best = each[each[:, :, 0].argmax(axis=0), np.arange(SEEDS)]
            claimed = np.sqrt(1 - share) * gold(SEEDS) + np.sqrt(share) * best
        fresh = gold(SEEDS)
        for c in range(CLAIMS):
            found.setdefault(("s", str(c)), {})[world] = Both(claimed[:, c], fresh[:, c])
    return found


def caught(times: int, **how: float) -> int:
    rng = np.random.default_rng(11)
    return sum(
        min(one.p for one in compare_seeds(study(rng, **how), rng, 1999)) <= LEVEL  # type: ignore[arg-type]
        for _ in range(times)
    )


def test_false_alarms_keep_the_level() -> None:
    times = 100 * TIMES
    found = caught(times)
    print(f"honest: {found} of {times}")
    assert found <= times * LEVEL + 3.5 * (times * LEVEL) ** 0.5


@pytest.mark.parametrize(
    ("how", "least"),
    [
        ({"of": 10}, 0.2),
        ({"of": 20}, 0.7),
        ({"of": 100}, 0.97),
        ({"rolls": 20, "share": 0.5}, 0.7),
        ({"rolls": 20, "share": 1.0}, 0.97),
    ],
    ids=str,
)
def test_chosen_seeds_are_found(how: dict[str, float], least: float) -> None:
    times = 40 * TIMES
    found = caught(times, **how)
    print(f"{how}: {found} of {times}")
    assert found >= times * least - 3.5 * (times * least * (1 - least)) ** 0.5


def table(gold: dict[tuple[int, int], float], end: float = 4.0) -> pd.DataFrame:
    """Points at 0, 1 and 4 nats; gold at 1 nat by world and seed, half of that at the end."""
    rows = []
    for (world, seed), value in gold.items():
        points = ((np.nan, 0.0, 0.0), (1.0, 1.0, value), (4.0, end, value / 2))
        for target, kl_nats, mean in points:
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
                    "kl_nats": kl_nats,
                    "gold_mean": mean,
                    "step": 0 if kl_nats == 0 else 5,
                    "status": "ok",
                }
            )
    return pd.DataFrame(rows)


def test_peak_and_end_are_those_of_all_seeds_together() -> None:
    claimed = table({(0, 0): 1.0, (0, 1): 2.0})
    fresh = table({(0, 7): 3.0, (0, 8): 4.0})
    both = {name: of_world[0] for (_, name), of_world in read_both(claimed, fresh).items()}
    assert both[PEAK].claimed_S.tolist() == [1.0, 2.0]
    assert both[PEAK].fresh_S.tolist() == [3.0, 4.0]
    assert both[END].fresh_S.tolist() == [1.5, 2.0]
    assert both["gold at 4 nats"].claimed_S.tolist() == [0.5, 1.0]
    assert "gold at 8 nats" not in both
    # at 2 nats, sqrt(2) - 1 of the way from 1 to 4 nats
    share = (2**0.5 - 1) / (2 - 1)
    assert both["gold at 2 nats"].claimed_S[0] == pytest.approx(1 - 0.5 * share)


def test_a_place_that_one_seed_does_not_reach_is_left_out() -> None:
    fresh = table({(0, 7): 3.0, (0, 8): 4.0}, end=3.0)
    names = {name for _, name in read_both(table({(0, 0): 1.0, (0, 1): 2.0}), fresh)}
    assert names == {"gold at 2 nats", PEAK, END}


def outcome(claimed_gold: float) -> str:
    rng = np.random.default_rng(5)
    claimed = table({(w, s): claimed_gold + 0.1 * rng.normal() for w in range(3) for s in range(5)})
    fresh = table({(w, s): 1 + 0.1 * rng.normal() for w in range(3) for s in range(20, 25)})
    (told,) = judge_seeds(claimed, fresh, np.random.default_rng(0), "here")
    return told.outcome


def test_the_tier_fails_chosen_seeds_and_passes_honest_ones() -> None:
    assert (outcome(1.3), outcome(1.0), outcome(0.7)) == ("fail", "pass", "pass")


def test_too_few_seeds_are_told() -> None:
    claimed, fresh = table({(0, 0): 9.0, (0, 1): 9.0}), table({(0, 7): 1.0, (0, 8): 1.0})
    (told,) = judge_seeds(claimed, fresh, np.random.default_rng(0), "here")
    assert (told.check, told.outcome) == ("seeds", "note")


def test_fresh_seeds_are_nobodys() -> None:
    drawn = fresh_seeds(7, 5)
    assert len(set(drawn)) == 5 and drawn == fresh_seeds(7, 5) != fresh_seeds(8, 5)
    assert min(drawn) >= 2**31 and max(drawn) < 2**32
