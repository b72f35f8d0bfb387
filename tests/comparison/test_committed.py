"""Verdicts on the committed results, calculated anew from ``points.csv`` by pandas and scipy.

Nothing of the package takes part in the calculation: curves are interpolated by numpy, differences
tested by scipy and corrected by statsmodels.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from overopt.report.comparison.comparison import Comparison, compare_groups
from overopt.report.comparison.contest import Ranking
from overopt.report.comparison.question import Metric, Question
from overopt.report.comparison.runs import measures_of
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results

AT_KL = 4.0
SETTING = "proxy == 'single' and noise == '0' and proxy_start == 'scratch'"


@pytest.fixture(scope="module")
def reviews(committed_results: Path) -> Path:
    return committed_results / "reviews"


@pytest.fixture(scope="module")
def points(reviews: Path) -> pd.DataFrame:
    """Every measured point of the committed results with one proxy from scratch and clean labels.

    Two runs of the same cell have the same points, of which one is taken.
    """
    read = [pd.read_csv(path, dtype={"noise": str}) for path in reviews.rglob("points.csv")]
    whole = pd.concat(read, ignore_index=True).query(SETTING)
    cells = ["method", "world", "seed", "kl_nats", "gold_mean", "kl_target_nats", "status"]
    return whole.drop_duplicates(cells).query("status == 'ok'")


def at_kl(points: pd.DataFrame, world: int) -> pd.DataFrame:
    """Gold at 4 nats, linear in sqrt(KL), by method and seed; NaN beyond a seed's last point."""
    found = {}
    for (method, seed), rows in points[points["world"] == world].groupby(["method", "seed"]):
        rows = rows.sort_values("kl_nats")
        d, gold = np.sqrt(rows["kl_nats"]), rows["gold_mean"]
        found[method, seed] = np.interp(np.sqrt(AT_KL), d, gold, right=np.nan)
    return pd.Series(found).unstack()


def holm_by_seed(table: pd.DataFrame) -> dict[frozenset[str], tuple[float, float, float]]:
    """Mean difference, p and Holm's p of all pairs: the first less the second by name."""
    couples = list(combinations(sorted(table.index), 2))
    p = [stats.ttest_rel(table.loc[a], table.loc[b]).pvalue for a, b in couples]
    holm = multipletests(p, method="holm")[1]
    return {
        frozenset(couple): ((table.loc[couple[0]] - table.loc[couple[1]]).mean(), one, corrected)
        for couple, one, corrected in zip(couples, p, holm, strict=True)
    }


Asked = Callable[[Metric], Comparison]


@pytest.fixture(scope="module")
def asked(reviews: Path) -> Asked:
    """The comparison of a metric; the results are read once."""
    results = read_results([reviews])
    groups = group_results(results)
    measures = measures_of(results)
    return lambda metric: compare_groups(results, groups, measures, Question(metric, AT_KL))


@pytest.fixture(scope="module")
def comparison(asked: Asked) -> Comparison:
    return asked("gold-at-kl")


def of(comparison: Comparison, worlds: set[int], proxy: str = "single, from scratch") -> Ranking:
    (found,) = (
        one
        for one in comparison.rankings
        if one.contest.proxy == proxy
        and one.contest.noise == "0"
        and set(one.contest.seeds_of) == worlds
    )
    return found


def test_every_pair_in_one_world(comparison: Comparison, points: pd.DataFrame) -> None:
    table = at_kl(points, 0)
    reached = table.dropna()
    ranking = of(comparison, {0})
    assert {one.method for one in ranking.ranked} == set(reached.index)
    assert {one.method for one in ranking.standings} == set(table.index)
    assert {one.method for one in ranking.standings if one.ranks is None} == {
        "chi2-rl", "elastic-reset", "itp", "soft-bon", "sparsepo",
    }  # fmt: skip
    wanted = holm_by_seed(reached)
    assert len(ranking.pairs) == len(wanted) == 36
    for pair in ranking.pairs:
        mean, p, holm = wanted[frozenset((pair.first, pair.second))]
        assert pair.difference.mean == pytest.approx(abs(mean), abs=1e-12)
        assert pair.difference.p == pytest.approx(p, rel=1e-6)
        assert pair.p_holm == pytest.approx(holm, rel=1e-6)
        assert pair.difference.paired_by == "seeds"
        interval = stats.ttest_rel(reached.loc[pair.first], reached.loc[pair.second])
        assert pair.difference.low == pytest.approx(interval.confidence_interval().low)
    for one in ranking.ranked:
        others = [n for n in reached.index if n != one.method]
        shown = [n for n in others if wanted[frozenset((one.method, n))][2] <= 0.05]
        better = [n for n in shown if reached.loc[n].mean() > reached.loc[one.method].mean()]
        assert one.ranks == (1 + len(better), len(reached) - (len(shown) - len(better)))
        assert one.score is not None
        assert one.score.mean == pytest.approx(reached.loc[one.method].mean())


def test_the_verdict_in_one_world(comparison: Comparison, points: pd.DataFrame) -> None:
    reached = at_kl(points, 0).dropna()
    wanted = holm_by_seed(reached)
    means = reached.mean(axis=1).sort_values(ascending=False)
    best, *others = means.index
    tied = [name for name in others if wanted[frozenset((best, name))][2] > 0.05]
    assert best == "ipo" and tied[0] == "dpo" and "bon" not in tied
    mean, _, holm = wanted[frozenset((best, tied[0]))]
    said = next(one for one in comparison.verdicts if "scratch, noise 0, world 0, " in one)
    assert said == comparison.verdicts[0], "the contest of most methods is told first"
    begins = f"No difference shown at 4 nats between ipo (highest gold, {means[best]:.2f}) and dpo"
    assert begins in said
    assert f"to dpo it is {abs(mean):.2f} [" in said and f"p = {holm:.3f} after Holm" in said
    for name in set(others) - set(tied):
        assert wanted[frozenset((best, name))][2] <= 0.05


def test_world_means_are_the_unit(comparison: Comparison, points: pd.DataFrame) -> None:
    worlds = [at_kl(points, world).dropna().mean(axis=1) for world in range(5)]
    means = pd.DataFrame(worlds).T.dropna()
    assert sorted(means.index) == ["bon", "dpo", "ipo", "rloo"]
    wanted = holm_by_seed(means)  # a paired t test of five world means
    ranking = of(comparison, set(range(5)))
    assert len(ranking.pairs) == 6
    for pair in ranking.pairs:
        mean, p, holm = wanted[frozenset((pair.first, pair.second))]
        assert pair.difference.across_worlds and pair.difference.n_worlds == 5
        assert pair.difference.mean == pytest.approx(abs(mean), abs=1e-12)
        assert pair.difference.p == pytest.approx(p, rel=1e-6)
        assert pair.p_holm == pytest.approx(holm, rel=1e-6)


def test_the_end_is_compared_at_one_budget(asked: Asked, points: pd.DataFrame) -> None:
    mine = points.query("world == 0 and kl_target_nats == 18")
    table = mine.pivot_table(index="method", columns="seed", values="gold_mean").dropna()
    assert "bon" not in table.index and "dpo" in table.index
    wanted = holm_by_seed(table)
    ranking = of(asked("end"), {0})
    assert {one.method for one in ranking.ranked} == set(table.index)
    for pair in ranking.pairs:
        _, p, holm = wanted[frozenset((pair.first, pair.second))]
        assert (pair.difference.p, pair.p_holm) == pytest.approx((p, holm), rel=1e-6)
    reasons = {one.method: one.note for one in ranking.standings if one.ranks is None}
    assert reasons["bon"] == "ends at 5.5 of 18 nats"


def test_hypervolume_of_every_seed(asked: Asked, points: pd.DataFrame, reviews: Path) -> None:
    front = pd.concat(pd.read_csv(path) for path in reviews.rglob("dpo/*/front.csv"))
    front = front.query("world == 0").drop_duplicates("kl_nats").sort_values("kl_nats")
    budgets = sorted(set(points["kl_target_nats"].dropna()))
    low, high = front["kl_nats"].min() - 1e-9, front["kl_nats"].max() + 1e-9  # roots, to rounding
    budgets = [b for b in budgets if low <= b <= high]
    oracle = np.interp(budgets, front["kl_nats"], front["gold"])
    kl_max = min(18.0, front["kl_nats"].max())
    whole = staircase(np.array(budgets), oracle, kl_max)
    ranking = of(asked("hypervolume"), {0})
    values = {}
    for (method, seed), rows in points.query("world == 0").groupby(["method", "seed"]):
        rows = rows[rows["kl_target_nats"].notna()]
        area = staircase(rows["kl_nats"].to_numpy(), rows["gold_mean"].to_numpy(), kl_max)
        values[method, seed] = area / whole
    table = pd.Series(values).unstack()
    for one in ranking.ranked:
        own = ranking.scores[one.method][0].value_S
        assert own == pytest.approx(table.loc[one.method].to_numpy(), rel=1e-9)


def staircase(kl: np.ndarray, gold: np.ndarray, kl_max: float) -> float:
    """Area under the best gold so far, from each point on, up to a KL."""
    grid = np.unique(np.append(kl[kl < kl_max], kl_max))
    best = [max(0.0, gold[kl <= k].max()) for k in grid[:-1]]
    return float(np.diff(grid) @ best)


def test_peaks_are_those_of_the_report(asked: Asked, points: pd.DataFrame, reviews: Path) -> None:
    stored = {}
    for path in reviews.rglob("contrasts.csv"):
        rows = pd.read_csv(path, dtype={"noise": str}).query("world == 0")
        rows = rows.query("proxy == 'single' and noise == '0' and proxy_start == 'scratch'")
        for row in rows.to_dict("records"):
            stored[path.parts[-3]] = row
    ranking = of(asked("peak"), {0})
    assert {one.method for one in ranking.ranked} == set(stored)
    for one in ranking.ranked:
        row = stored[one.method]
        assert one.score is not None
        assert (one.score.mean, one.score.low, one.score.high) == pytest.approx(
            (row["peak_gold"], row["peak_gold_low"], row["peak_gold_high"])
        )
    by = {frozenset((p.first, p.second)): p.difference for p in ranking.pairs}
    # all choices of these two agree, at 3.5 and 2 nats, so that seeds can be paired
    own = (
        points.query("world == 0 and kl_target_nats > 0")
        .set_index(["method", "kl_target_nats", "seed"])["gold_mean"]
        .sort_index()
    )
    paired = by[frozenset(("ipo", "sparsepo"))]
    assert paired.paired_by == "seeds"
    assert paired.p == pytest.approx(stats.ttest_rel(own["ipo", 3.5], own["sparsepo", 2.0]).pvalue)
    # those of dpo do not: its peak is known by its interval only
    apart = by[frozenset(("ipo", "dpo"))]
    a, b = stored["ipo"], stored["dpo"]
    se = np.hypot(a["peak_gold_se"], b["peak_gold_se"])
    assert apart.paired_by == "nothing"
    assert apart.p == pytest.approx(2 * stats.t.sf((a["peak_gold"] - b["peak_gold"]) / se, 4))
