"""Means over seeds: read inside each seed's range only, missing where a seed did not get."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from overopt.report.figures.marks import draw_mean
from overopt.report.figures.style import Mark
from overopt.report.group import Group
from overopt.report.groups import curve_table, group_points
from overopt.report.noise_labels import noise_order
from overopt.report.stored.points import add_labels, check_points
from overopt.report.stored.schema import estimator_name
from overopt.spec.columns import POINT_COLUMNS

Row = dict[str, object]


def point(seed: int, target: float | None, kl: float, gold: float, **more: object) -> Row:
    row: Row = {
        "task": "t", "world": 0, "gold": "g", "method": "m", "proxy": "p", "noise": "0",
        "seed": seed, "engine": "native", "along": "step", "kl_target_nats": target,
        "kl_nats": kl, "gold_mean": gold, "proxy_mean": 2 * gold, "kl_estimator": "rb",
        "status": "ok",
    }  # fmt: skip
    return row | more


def grouped(rows: list[Row]) -> Group:
    points = check_points(pd.DataFrame(rows, columns=list(POINT_COLUMNS)), "the points")
    groups = group_points(add_labels(points))
    assert len(groups) == 1
    return groups[0]


def test_a_budget_is_read_at_the_budget_between_points_of_each_seed() -> None:
    group = grouped(
        [
            point(0, None, 0.0, 0.0),
            point(0, 4.0, 3.24, 1.0),  # d = 1.8
            point(0, 9.0, 9.0, 4.0),
            point(1, None, 0.0, 0.0),
            point(1, 4.0, 5.0625, 3.0),  # d = 2.25
            point(1, 9.0, 10.0, 5.0),
        ]
    )
    start, reached, end = group.means["gold"]
    assert start.score.mean == 0.0
    assert (reached.kl_target_nats, reached.kl_nats) == (4.0, 4.0)  # not 3.24, the lowest
    # d = 2: seed 0 between 1.8 and 3, 1 + 3 / 6; seed 1 between 0 and 2.25, 3 * 8 / 9
    values = np.array([1.5, 3.0 * 8 / 9])
    assert reached.score.mean == pytest.approx(values.mean())
    assert reached.achieved_kl_nats == pytest.approx((3.24 + 5.0625) / 2)
    # without standard errors over prompts: t interval over two seeds, t_1 = 12.7062
    half = 12.706204736 * np.ptp(values) / 2
    assert reached.score.high == pytest.approx(values.mean() + half)
    assert reached.score.over == "seeds"
    assert (end.kl_target_nats, end.kl_nats, end.score.mean) == (9.0, 9.5, 4.5)
    assert end.score.mean == group.places.end.gold.mean if group.places.end else False
    assert group.exploratory


def test_an_interval_comes_from_standard_errors_over_prompts_where_they_are_stored() -> None:
    more = {"gold_gain_se": 0.2, "n_prompts": 40}
    group = grouped(
        [
            point(0, None, 0.0, 0.0, gold_gain_se=0.0, n_prompts=40),
            point(0, 4.0, 4.0, 1.0, **more),
            point(1, None, 0.0, 0.0, gold_gain_se=0.0, n_prompts=40),
            point(1, 4.0, 4.0, 2.0, **more),
        ]
    )
    score = group.means["gold"][1].score
    assert score.over == "seeds and prompts, at most"
    assert score.se == pytest.approx(np.sqrt(0.5**2 + 0.2**2))


def test_a_seed_that_stops_early_is_missing_beyond_its_last_point() -> None:
    group = grouped(
        [
            point(0, None, 0.0, 0.0),
            point(0, 1.0, 1.0, 1.0),
            point(0, 4.0, 4.0, 5.0),
            point(1, None, 0.0, 0.0),
            point(1, 1.0, 1.0, 3.0),
            point(1, 4.0, 0.0, 0.0, kl_nats=None, gold_mean=None, proxy_mean=None,
                  status="unreached"),
        ]
    )  # fmt: skip
    means = group.means["gold"]
    assert [mean.score.n_seeds for mean in means] == [2, 2, 1]
    assert [group.is_whole(mean) for mean in means] == [True, True, False]
    assert means[2].score.mean == 5.0
    assert means[2].score.low is None
    assert [(one.kl_target_nats, one.n_seeds) for one in group.unreached] == [(4.0, 1)]


MISSED = {"kl_nats": None, "gold_mean": None, "proxy_mean": None, "status": "unreached"}


def leaping(seed: int) -> list[Row]:
    """A seed that begins at 3 nats, beyond the budget of 1."""
    return [
        point(seed, None, 0.0, 0.0),
        point(seed, 1.0, 0.0, 0.0, **MISSED),
        point(seed, 4.0, 3.0, 6.0),
        point(seed, 9.0, 9.0, 2.0),
    ]


def test_a_seed_is_not_read_at_a_budget_that_it_leapt_over() -> None:
    plain = [point(1, target, target or 0.0, 3.0 * bool(target)) for target in (None, 1, 4, 9)]
    group = grouped([*leaping(0), *plain])
    means = group.means["gold"]
    assert [mean.kl_target_nats for mean in means] == [None, 1.0, 4.0, 9.0]
    assert [mean.score.n_seeds for mean in means] == [2, 1, 2, 2]
    assert means[1].score.mean == 3.0
    assert not group.leaps


def test_no_line_leads_to_where_all_seeds_leapt() -> None:
    group = grouped([*leaping(0), *leaping(1)])
    assert group.leaps
    panel = Figure().subplots()
    draw_mean(panel, group, Mark("black", "o"), "kl", "gold")
    lines = [line for line in panel.lines if line.get_linestyle() == "-"]
    assert not grouped([row | {"along": "knob"} for row in leaping(0)]).leaps
    (line,) = [line for line in lines if len(np.asarray(line.get_xdata())) > 1]
    assert np.asarray(line.get_xdata()).tolist() == [4.0, 9.0]
    draw_mean(panel, group, Mark("black", "o"), "d", "gold")
    assert min(
        float(np.min(line.get_xdata()))
        for line in panel.lines
        if line.get_linestyle() == "-"
    ) == 2.0  # fmt: skip


def test_only_means_over_fewer_seeds_are_dotted() -> None:
    """One of two seeds leapt over 1 nat: the lines to and from its mean are dotted, others not."""
    plain = [point(1, target, target or 0.0, 3.0 * bool(target)) for target in (None, 1, 4, 9)]
    panel = Figure().subplots()
    draw_mean(panel, grouped([*leaping(0), *plain]), Mark("black", "o"), "kl", "gold")
    lines = [line for line in panel.lines if line.get_linestyle() != "None"]
    drawn = [(line.get_linestyle(), np.asarray(line.get_xdata()).tolist()) for line in lines]
    assert drawn == [(":", [1.0, 4.0]), ("-", [4.0, 9.0])]


def test_a_failed_cell_is_counted_and_has_no_curve() -> None:
    empty = {"kl_nats": None, "gold_mean": None, "proxy_mean": None, "status": "failed"}
    group = grouped(
        [point(0, None, 0.0, 0.0), point(0, 1.0, 1.0, 1.0), point(1, None, 0, 0, **empty)]
    )
    assert group.n_seeds == 2
    assert [curve.seed for curve in group.seeds] == [0]
    assert [(one.seed, one.whole) for one in group.failures] == [(1, True)]
    table = curve_table([group])
    assert table["seeds"].tolist() == [1, 1, 1, 1]
    assert table["seeds_run"].tolist() == [2, 2, 2, 2]
    assert table["low"].isna().tolist() == [False, True, False, True]  # KL 0 is 0 by definition
    assert group.places.peak is None and group.places.end is None
    assert group.places.note == "no peak or end: 1 of 2 seeds were measured"


def test_proxies_that_were_not_measured_are_missing() -> None:
    group = grouped(
        [
            point(0, None, 0.0, 0.0),
            point(0, 1.0, 1.0, 1.0),
            point(0, 4.0, 4.0, 2.0, proxy_mean=None),
        ]
    )
    assert [mean.kl_nats for mean in group.means["proxy"]] == [0.0, 1.0]
    assert [mean.kl_nats for mean in group.means["gold"]] == [0.0, 1.0, 4.0]


def test_a_negative_kl_estimate_is_left_out_and_counted() -> None:
    group = grouped([point(0, None, 0.0, 0.0), point(0, 0.1, -0.01, 0.3), point(0, 1.0, 1.0, 1.0)])
    assert group.n_negative == 1
    assert np.array_equal(group.seeds[0].kl_nats_K, [0.0, 1.0])


def test_noise_levels_are_ordered_by_kind_and_amount() -> None:
    labels = ["random:0.5", "0.25", "bt:1", "0", "0.1"]
    assert sorted(labels, key=noise_order) == ["0", "0.1", "0.25", "bt:1", "random:0.5"]


def test_estimators_are_named_in_words() -> None:
    assert estimator_name("pool+rb") == "pool estimate, ties known / Rao-Blackwellized"
    assert estimator_name("k9") == "k9"
