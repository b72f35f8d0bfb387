"""Which budgets a group's peak and end are taken from, and which groups have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from overopt.execution.store import Store
from overopt.run.cell import Found
from overopt.run.cells import cells_of
from overopt.run.contrasts import budget_rows, contrast_rows, world_rows
from overopt.run.written.prompt_tables import seed_groups
from overopt.spec.columns import BUDGET_COLUMNS, CONTRAST_COLUMNS, WORLD_COLUMNS
from overopt.stats.crossed import crossed_interval
from overopt.stats.rise_fall import Budgets, peak_and_end

from .finished import Floats, fail, finish
from .specs import run_spec

PROMPTS = 12


def _gold(means: list[float], seed: int, prompts: int = PROMPTS) -> Floats:
    noise = 0.1 * np.random.default_rng(seed).standard_normal((len(means), prompts))
    return np.array(means)[:, None] + noise


def _contrasts(found: Sequence[Found], store: Store) -> list[dict[str, Any]]:
    rows = contrast_rows(seed_groups(found, store, "step"))
    for row in rows:
        assert tuple(row) == CONTRAST_COLUMNS
    return rows


def test_a_clear_rise_and_fall_is_found_at_its_budget(store: Store) -> None:
    cells = cells_of(run_spec(seeds=range(5)))
    found = [
        finish(store, cell, [None, 0.02, 0.05, 0.1], _gold([0, 1, 2, 0.5], cell.seed))
        for cell in cells
    ]
    (row,) = _contrasts(found, store)
    assert row["rises"] and row["falls"] and not row["exploratory"]
    assert (row["seeds"], row["prompts"], row["over"]) == (5, PROMPTS, "seeds and prompts")
    assert row["peak_kl_target_nats"] == 0.05 and row["end_kl_target_nats"] == 0.1
    assert (row["peak_choices"], row["peak_choices_agreeing"]) == (10, 10)
    assert (row["peak_kl_nats"], row["end_kl_nats"]) == (2.0, 3.0)  # what `finish` achieves
    assert row["peak_gold"] == pytest.approx(2.0, abs=0.1)
    assert row["fall"] == pytest.approx(-1.5, abs=0.1)
    gold_SKB = np.stack([_gold([0, 1, 2, 0.5], seed) for seed in range(5)])
    budgets = Budgets(gold_SKB, np.tile(np.arange(4.0), (5, 1)), [0.0, 0.02, 0.05, 0.1])
    test = peak_and_end(budgets, np.random.default_rng(0))
    assert row["peak_gold_low"] == test.peak.gold.low
    assert row["end_gold_se"] == test.end.gold.se
    assert row["fall_high"] == test.fall.high
    assert row["fall_df"] == test.fall.df


def test_proxies_of_different_starts_are_never_tested_together(store: Store) -> None:
    """The tiny task's policy is as wide as its proxies, so that only the start differs."""
    cells = cells_of(run_spec(["rloo"], seeds=(0, 1), starts=["scratch", "policy"]))
    found = [
        finish(
            store,
            cell,
            [None, 0.02],
            _gold([0, 1 if cell.task.proxy.start == "scratch" else 3], cell.seed),
        )
        for cell in cells
    ]
    rows = _contrasts(found, store)
    assert [row["proxy_start"] for row in rows] == ["scratch", "policy"]
    assert [row["proxy_width"] for row in rows] == [8, 8]
    assert [row["seeds"] for row in rows] == [2, 2]
    assert [round(row["peak_gold"]) for row in rows] == [1, 3]


def test_only_budgets_that_every_seed_reached_count(store: Store) -> None:
    one, two = cells_of(run_spec(seeds=(0, 1)))
    found = [
        finish(store, one, [None, 0.02, 0.1, None], _gold([0, 1, 2, 9], 0)),
        finish(store, two, [None, 0.02, 0.05], _gold([0, 1, 9], 1)),
    ]
    (row,) = _contrasts(found, store)
    assert row["peak_kl_target_nats"] == row["end_kl_target_nats"] == 0.02
    assert row["fall"] is None and row["fall_high"] is None and not row["falls"]


def test_no_common_budget_is_no_test_and_no_error(store: Store) -> None:
    one, two = cells_of(run_spec(seeds=(0, 1)))
    found = [
        finish(store, one, [None, 0.02], _gold([0, 1], 0)),
        finish(store, two, [None, 0.05], _gold([0, 1], 1)),
    ]
    assert _contrasts(found, store) == []


def test_too_few_prompts_are_no_test_and_no_error(store: Store) -> None:
    (cell,) = cells_of(run_spec())
    found = [finish(store, cell, [None, 0.02], _gold([0, 1], 0, prompts=3))]
    assert _contrasts(found, store) == []


def test_a_group_with_a_failed_seed_has_no_row_but_the_others_have(store: Store) -> None:
    run = run_spec(noises=("0", "0.25"), seeds=(0, 1))
    found = [
        fail(cell)
        if (cell.noise.label, cell.seed) == ("0", 1)
        else finish(store, cell, [None, 0.02], _gold([0, 1], cell.seed))
        for cell in cells_of(run)
    ]
    assert [row["noise"] for row in _contrasts(found, store)] == ["0.25"]
    counts = {row["noise"]: row["seeds"] for row in budget_rows(seed_groups(found, store, "step"))}
    assert counts == {"0": 1, "0.25": 2}


def test_the_peak_of_an_even_number_of_choices_is_a_budget(store: Store) -> None:
    """Two seeds with different peaks: the median lies between two budgets, which is none."""
    one, two = cells_of(run_spec(seeds=(0, 1)))
    found = [
        finish(store, one, [None, 0.02, 0.05, 0.1], _gold([0, 5, 1, 1], 0)),
        finish(store, two, [None, 0.02, 0.05, 0.1], _gold([0, 1, 5, 1], 1)),
    ]
    (row,) = _contrasts(found, store)
    assert row["peak_kl_target_nats"] == 0.02  # the lower of the two
    assert (row["peak_choices"], row["peak_choices_agreeing"]) == (4, 2)
    assert row["peak_kl_nats"] == pytest.approx(1.5)
    assert row["peak_gold"] == pytest.approx(1.0, abs=0.2)  # each at the other's peak


def test_the_interval_of_one_seed_is_over_prompts(store: Store) -> None:
    (cell,) = cells_of(run_spec())
    found = [finish(store, cell, [None, 0.02, 0.05], _gold([0, 2, 1], 0))]
    (row,) = _contrasts(found, store)
    assert row["over"] == "prompts" and row["exploratory"]
    assert row["prompts"] == PROMPTS
    assert row["rises"] and row["falls"]


def test_means_along_budgets_are_over_the_seeds_that_get_there(store: Store) -> None:
    one, two = cells_of(run_spec(seeds=(0, 1)))
    gold = [_gold([0, 1, 3], 0), _gold([0, 2], 1)]
    found = [
        finish(store, one, [None, 0.5, 2.0], gold[0]),
        finish(store, two, [None, 0.5], gold[1]),
    ]
    rows = budget_rows(seed_groups(found, store, "step"))
    assert all(tuple(row) == BUDGET_COLUMNS for row in rows)
    first, last = (row for row in rows if row["quantity"] == "gold")
    # 0.5 is the end: both seeds at their own policies, which `finish` puts at KL 1
    whole = crossed_interval(np.stack([gold_KB[1] - gold_KB[0] for gold_KB in gold]))
    assert (first["kl_target_nats"], first["kl_nats"], first["seeds"]) == (0.5, 1.0, 2)
    assert (first["mean"], first["mean_se"], first["over"]) == (*whole[:1], whole.se, whole.over)
    assert (last["kl_target_nats"], last["seeds"], last["over"]) == (2.0, 1, "prompts")
    assert last["mean"] == pytest.approx(gold[0][2].mean() - gold[0][0].mean())
    proxies = [row for row in rows if row["quantity"] == "proxy"]
    assert [row["mean"] for row in proxies] == [0.0, 0.0]
    assert [row["mean_df"] for row in proxies] == [None, None]  # nothing varies


def test_a_budget_below_the_end_is_read_between_points(store: Store) -> None:
    cells = cells_of(run_spec(seeds=(0, 1)))
    gold = [_gold([0, 2, 3], cell.seed) for cell in cells]
    found = [
        finish(store, cell, [None, 0.25, 2.0], gold_KB)
        for cell, gold_KB in zip(cells, gold, strict=True)
    ]
    first = budget_rows(seed_groups(found, store, "step"))[0]
    # the policies are at KL 0, 1, 2; the budget 0.25 is d = 0.5, half way to the first
    assert (first["kl_target_nats"], first["kl_nats"]) == (0.25, 0.25)
    expected = crossed_interval(np.stack([0.5 * (gold_KB[1] - gold_KB[0]) for gold_KB in gold]))
    assert first["mean"] == pytest.approx(expected.mean)
    assert first["mean_high"] == pytest.approx(expected.high)


def _in_worlds(store: Store, worlds: Sequence[int], last: Sequence[float | None]) -> list[Found]:
    """Five seeds in each world; gold falls by 1, 2, 3 ... and ``last`` is the world's last budget.

    Five seeds more than three worlds agree: seeds differ by the noise of their prompts only.
    """
    found = []
    for cell in cells_of(run_spec(seeds=range(5), worlds=worlds)):
        fall = float(worlds.index(cell.world) + 1)
        gold = _gold([0, 2, 4, 4 - fall], 10 * cell.world + cell.seed)
        budgets = [None, 0.02, 0.05, last[worlds.index(cell.world)]]
        found.append(finish(store, cell, budgets, gold))
    return found


def test_worlds_are_tested_apart_and_together(store: Store) -> None:
    found = _in_worlds(store, (0, 1, 2), (0.1, 0.1, 0.1))
    groups = seed_groups(found, store, "step")
    apart = contrast_rows(groups)
    assert [row["world"] for row in apart] == [0, 1, 2]
    (row,) = world_rows(groups)
    assert set(row) == set(WORLD_COLUMNS)
    assert (row["worlds"], row["seeds"], row["over"]) == (3, 15, "worlds")
    assert (row["peak_kl_target_nats"], row["end_kl_target_nats"]) == (0.05, 0.1)
    for name in ("peak_gold", "end_gold", "fall", "peak_kl_nats", "end_kl_nats"):
        assert row[name] == pytest.approx(np.mean([one[name] for one in apart]))
    falls = np.array([one["fall"] for one in apart])  # about -1, -2, -3
    half = 4.30265273 * falls.std(ddof=1) / np.sqrt(3)
    assert row["fall_across_low"] == pytest.approx(falls.mean() - half)
    se = np.sqrt(sum(one["fall_se"] ** 2 for one in apart)) / 3
    assert row["fall_within_high"] - row["fall"] > 1.96 * se
    assert row["rises"]
    assert not row["falls"]  # -2 +- 2.5 across worlds, whatever it is within them
    assert row["fall_within_high"] < 0


def test_worlds_end_where_the_first_of_them_does(store: Store) -> None:
    groups = seed_groups(_in_worlds(store, (0, 1), (0.1, 0.2)), store, "step")
    assert [row["end_kl_target_nats"] for row in contrast_rows(groups)] == [0.1, 0.2]
    (row,) = world_rows(groups)
    assert row["end_kl_target_nats"] == row["peak_kl_target_nats"] == 0.05
    assert row.get("fall") is None and not row["falls"]
    assert row["over"] == "these worlds" and row["peak_gold_across_low"] is None
    assert row["peak_gold_within_low"] > 3.5


def test_one_world_or_a_failed_seed_has_no_row_over_worlds(store: Store) -> None:
    assert world_rows(seed_groups(_in_worlds(store, (0,), (0.1,)), store, "step")) == []
    found = _in_worlds(store, (0, 1), (0.1, 0.1))
    groups = seed_groups([*found[:-1], fail(found[-1].cell)], store, "step")
    assert len(contrast_rows(groups)) == 1
    assert world_rows(groups) == []
