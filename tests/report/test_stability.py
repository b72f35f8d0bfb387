"""How many seeds diverge, from seeds whose fate is planted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from overopt.report.group import Failure, Group, Places, SeedCurve, Unreached
from overopt.report.tables.stability import read_stability, show_stability, stability_frame

NAN = float("nan")


def curve(seed: int, kl: Sequence[float], target: Sequence[float], proxy: float) -> SeedCurve:
    """A seed whose proxy goes straight to its last value."""
    kl_K = np.array([0.0, *kl])
    proxy_K = proxy * kl_K / kl_K.max()
    return SeedCurve(seed, kl_K, np.array([NAN, *target]), proxy_K, 0.0 * kl_K, proxy_K, 8)


def group(seeds: Sequence[SeedCurve], failed: Sequence[int] = (), method: str = "rloo") -> Group:
    n_seeds = len({*(one.seed for one in seeds), *failed})
    return Group(
        task="reviews", worlds=(0,), where="", method=method, proxy="single", noise="0.25",
        seeds=tuple(seeds), n_seeds=n_seeds, places=Places(), means={"gold": [], "proxy": []},
        unreached=(Unreached(8.0, 1),), n_negative=0, estimator="rb",
        failures=tuple(Failure(seed, seed not in [one.seed for one in seeds]) for seed in failed),
    )  # fmt: skip


SEEDS = (
    curve(0, [1.0, 2.0, 4.0], [1.0, 2.0, 4.0], 2.0),
    curve(1, [1.0, 9.0], [1.0, NAN], 2.0),  # passes 2, 4 and 8 at one step
    curve(2, [1.0, 2.0, 4.0], [1.0, 2.0, 4.0], -0.1),  # its proxy is worse than at the start
    curve(3, [1.0, 2.0], [1.0, 2.0], -1.0),  # failed behind its last point as well
)


def test_every_fate_is_counted_once() -> None:
    found = read_stability(group(SEEDS, failed=(3, 4)), against_proxy=True)
    assert (found.diverged.hits, found.diverged.n) == (3, 5)  # seeds 2, 3 and 4
    assert (found.failed, found.lost) == (2, 1)
    assert found.leapt == pytest.approx(3 / 4)


def test_a_method_that_sees_no_proxy_cannot_lose_it() -> None:
    found = read_stability(group(SEEDS, failed=(4,)), against_proxy=False)
    assert found.diverged.hits == 1 and found.lost is None


def test_a_proxy_that_was_not_measured_says_nothing() -> None:
    unknown = curve(0, [1.0], [1.0], NAN)
    assert read_stability(group([unknown]), against_proxy=True).diverged.hits == 0


def test_a_group_of_which_nothing_was_measured() -> None:
    found = read_stability(group([], failed=(0, 1)), against_proxy=True)
    assert found.diverged[:2] == (2, 2) and found.leapt is None


def test_only_methods_that_train_have_a_row_and_the_worst_comes_first() -> None:
    steady = [curve(seed, [1.0], [1.0], 1.0) for seed in range(20)]
    groups = [group(steady, method="rloo"), group(SEEDS, method="ppo"), group(SEEDS, method="bon")]
    trained = {"rloo": True, "ppo": True}
    table = show_stability(groups, trained)
    assert [row[0] for row in table.rows] == ["ppo", "rloo"]
    assert table.title == "Seeds that diverge: 2 of 24"
    cells = dict(zip(table.header, table.rows[1], strict=True))
    # none of 20: 1 - (0.025)^(1/20) = 0.168
    assert cells["diverged"] == "0/20" and cells["interval"] == "0 % to 17 %"
    frame = stability_frame(groups, trained)
    assert frame["diverged"].tolist() == [0, 2]
    assert frame["diverged_high"][0] == pytest.approx(1 - 0.025 ** (1 / 20))


def test_of_nothing_there_is_a_frame_without_rows() -> None:
    assert stability_frame([], {}).empty and show_stability([], {}).rows == ()
