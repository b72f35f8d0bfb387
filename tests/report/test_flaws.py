"""What flaws of the labels cost, from curves whose gold is planted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from overopt.report.group import Group, Places, SeedCurve
from overopt.report.noise_labels import name_noise, noise_order, split_flaw
from overopt.report.tables.flaws import compare_flawed, show_flaws
from overopt.report.tables.terminal import tell_flaws
from overopt.report.tables.text import MISSING

BUDGETS = np.array([0.5, 1.0, 2.0, 4.0])


def group(noise: str, loss_K: Sequence[float], seeds: int = 5, budgets: int = 4) -> Group:
    """Gold 1 along KL less a loss, with an effect of the seed and a little chance of its own."""
    rng, curves = np.random.default_rng(len(noise)), []
    for seed in range(seeds):
        chance_K = 0.02 * rng.standard_normal(4)
        gold_K = np.concatenate([[0.0], 1 + 0.5 * seed - np.array(loss_K) + chance_K])
        kl_K = np.concatenate([[0.0], BUDGETS])
        target_K = np.concatenate([[np.nan], BUDGETS])
        kept = slice(0, budgets + 1)
        curves.append(
            SeedCurve(seed, kl_K[kept], target_K[kept], gold_K[kept], kl_K[kept], gold_K[kept], 8)
        )
    return Group(
        task="reviews", worlds=(0,), where="", method="bon", proxy="single", noise=noise,
        seeds=tuple(curves), n_seeds=seeds, places=Places(), means={"gold": [], "proxy": []},
        unreached=(), failures=(), n_negative=0, estimator="pool",
    )  # fmt: skip


def test_a_planted_onset_is_found_and_told() -> None:
    groups = [
        group("0.25", [0, 0, 0, 0]),
        group("0.25 length:0.5", [0, 0, 0.3, 0.6]),
        group("0.25 placebo:1", [0, 0, 0, 0]),
    ]
    table = show_flaws(groups)
    cells = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    assert [(one["flaw"], one["dose"], one["onset at KL"]) for one in cells] == [
        ("length", "0.5", "2"),
        ("placebo", "1", "none shown"),
    ]
    assert cells[0]["seeds"] == "5" and cells[0]["at KL"] == "4"
    told = tell_flaws(groups)
    assert told[0].startswith("flaw length:0.5, bon single noise 0.25: onset at KL 2, gold at")
    assert "no onset shown" in told[1]


def test_without_any_p_value_no_onset_is_told_or_denied() -> None:
    for seeds in (1, 3):
        plain = group("0", [0.0] * 4, seeds=seeds)
        curves = tuple(replace(one, gold_K=one.gold_K - 1.0) for one in plain.seeds)
        flawed = replace(plain, noise="0 praise:1", seeds=curves)
        table = show_flaws([plain, flawed])
        (cells,) = (dict(zip(table.header, row, strict=True)) for row in table.rows)
        assert cells["onset at KL"] == MISSING and cells["seeds"] == str(seeds)


def test_only_budgets_of_every_seed_and_seeds_of_both_count() -> None:
    plain, flawed = group("0", [0] * 4, seeds=5, budgets=3), group("0 praise:1", [1] * 4, seeds=4)
    found = compare_flawed(flawed, plain)
    assert found is not None
    assert found.n_seeds == 4 and found.kl_nats_K.tolist() == [0.5, 1.0, 2.0]
    assert found.kl_nats == 0.5 and found.difference_K == pytest.approx([-1] * 3, abs=0.05)


def test_without_the_unflawed_run_or_without_flaws_there_is_no_row() -> None:
    assert show_flaws([group("0.25", [0] * 4)]).rows == ()
    assert show_flaws([group("0 length:1", [0] * 4), group("0.25", [0] * 4)]).rows == ()


def test_labels_are_worded_and_ordered_by_noise_first() -> None:
    assert split_flaw("bt:1 length:0.5") == ("bt:1", "length:0.5")
    assert name_noise("0.25 length:0.5") == "25 % labels flipped, flaw length at dose 0.5"
    labels = ["0.25", "0 length:1", "0", "0.25 length:1"]
    assert sorted(labels, key=noise_order) == ["0", "0 length:1", "0.25", "0.25 length:1"]
