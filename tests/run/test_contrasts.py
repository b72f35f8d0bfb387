"""Which budgets a group's test uses, and which groups have none."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.execution.store import Store
from overopt.run.cells import cells_of
from overopt.run.contrasts import contrast_rows
from overopt.stats.intervals import paired_rise_fall

from .finished import Floats, fail, finish
from .specs import run_spec

PROMPTS = 12


def _gold(means: list[float], seed: int, prompts: int = PROMPTS) -> Floats:
    noise = 0.1 * np.random.default_rng(seed).standard_normal((len(means), prompts))
    return np.array(means)[:, None] + noise


def test_a_clear_rise_and_fall_is_found_at_its_budget(store: Store) -> None:
    cells = cells_of(run_spec(seeds=range(5)))
    found = [
        finish(store, cell, [None, 0.02, 0.05, 0.1], _gold([0, 1, 2, 0.5], cell.seed))
        for cell in cells
    ]
    (row,) = contrast_rows(found, store)
    assert row["rises"] and row["falls"] and not row["exploratory"]
    assert (row["seeds"], row["prompts"]) == (5, PROMPTS)
    assert row["peak_kl_target_nats"] == 0.05 and row["last_kl_target_nats"] == 0.1
    assert row["rise_mean"] == pytest.approx(2.0, abs=0.1)
    assert row["fall_mean"] == pytest.approx(-1.5, abs=0.1)
    gold_SKB = np.stack([_gold([0, 1, 2, 0.5], seed) for seed in range(5)])
    test = paired_rise_fall(gold_SKB, np.random.default_rng(0))
    assert row["rise_seeds_low"] == test.rise_seeds.low
    assert row["fall_prompts_high"] == test.fall_prompts.high


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
    rows = contrast_rows(found, store)
    assert [row["proxy_start"] for row in rows] == ["scratch", "policy"]
    assert [row["proxy_width"] for row in rows] == [8, 8]
    assert [row["seeds"] for row in rows] == [2, 2]
    assert [round(row["rise_mean"]) for row in rows] == [1, 3]


def test_only_budgets_that_every_seed_reached_count(store: Store) -> None:
    one, two = cells_of(run_spec(seeds=(0, 1)))
    found = [
        finish(store, one, [None, 0.02, 0.1, None], _gold([0, 1, 2, 9], 0)),
        finish(store, two, [None, 0.02, 0.05], _gold([0, 1, 9], 1)),
    ]
    (row,) = contrast_rows(found, store)
    assert row["peak_kl_target_nats"] == row["last_kl_target_nats"] == 0.02
    assert row["fall_mean"] == 0.0


def test_no_common_budget_is_no_test_and_no_error(store: Store) -> None:
    one, two = cells_of(run_spec(seeds=(0, 1)))
    found = [
        finish(store, one, [None, 0.02], _gold([0, 1], 0)),
        finish(store, two, [None, 0.05], _gold([0, 1], 1)),
    ]
    assert contrast_rows(found, store) == []


def test_too_few_prompts_are_no_test_and_no_error(store: Store) -> None:
    (cell,) = cells_of(run_spec())
    found = [finish(store, cell, [None, 0.02], _gold([0, 1], 0, prompts=3))]
    assert contrast_rows(found, store) == []


def test_a_group_with_a_failed_seed_has_no_row_but_the_others_have(store: Store) -> None:
    run = run_spec(noises=("0", "0.25"), seeds=(0, 1))
    found = [
        fail(cell)
        if (cell.noise.label, cell.seed) == ("0", 1)
        else finish(store, cell, [None, 0.02], _gold([0, 1], cell.seed))
        for cell in cells_of(run)
    ]
    assert [row["noise"] for row in contrast_rows(found, store)] == ["0.25"]


def test_the_peak_of_an_even_number_of_choices_is_a_budget(store: Store) -> None:
    """Two seeds with different peaks: the median lies between two budgets, which is none."""
    one, two = cells_of(run_spec(seeds=(0, 1)))
    found = [
        finish(store, one, [None, 0.02, 0.05, 0.1], _gold([0, 5, 1, 1], 0)),
        finish(store, two, [None, 0.02, 0.05, 0.1], _gold([0, 1, 5, 1], 1)),
    ]
    (row,) = contrast_rows(found, store)
    assert row["peak_kl_target_nats"] in (0.02, 0.05)


def test_one_seed_is_tested_on_half_of_the_prompts(store: Store) -> None:
    (cell,) = cells_of(run_spec())
    found = [finish(store, cell, [None, 0.02, 0.05], _gold([0, 2, 1], 0))]
    (row,) = contrast_rows(found, store)
    assert row["rise_seeds_low"] is None and row["exploratory"]
    assert row["rises"] and row["falls"]
