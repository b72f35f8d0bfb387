from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt.own_scores.scores_file import read_scores
from overopt.stats.fits.forms import Form
from overopt.stats.pools.n_grids import curve_grid, fit_grid
from overopt.stats.scored import ProxyReport, analyze
from overopt.stats.scored_table import ScoredTable

POOL = Path(__file__).parents[3] / "shared" / "data" / "alpaca_eval_pool.parquet"


def table(n_prompts: int = 30, n_samples: int = 33, seed: int = 0) -> ScoredTable:
    generator = np.random.default_rng(seed)
    gold = generator.normal(size=n_prompts * n_samples) + 5.0
    return ScoredTable(
        np.repeat(np.arange(n_prompts), n_samples),
        np.tile(np.arange(n_samples), n_prompts),
        gold,
        {"noisy": gold + generator.normal(size=gold.size), "gold": gold},
    )


def shuffled(scores: ScoredTable, seed: int) -> ScoredTable:
    order = np.random.default_rng(seed).permutation(scores.gold_R.size)
    return ScoredTable(
        scores.prompt_R[order],
        scores.sample_R[order],
        scores.gold_R[order],
        {name: values[order] for name, values in scores.proxies.items()},
    )


def test_small_pools_have_every_n() -> None:
    assert curve_grid(1).tolist() == [1]
    assert curve_grid(57).tolist() == list(range(1, 58))
    assert curve_grid(64).tolist() == list(range(1, 65))
    with pytest.raises(ValueError, match="at least 1"):
        curve_grid(0)


def test_large_pools_have_eight_n_per_doubling() -> None:
    grid = curve_grid(100).tolist()
    assert grid[:16] == list(range(1, 17))
    assert grid[16:24] == [17, 19, 21, 23, 25, 27, 29, 32]
    assert grid[24:] == [35, 38, 41, 45, 49, 54, 59, 64, 70, 76, 83, 91, 99, 100]


def test_every_doubling_weighs_the_same_in_a_fit() -> None:
    assert fit_grid(1).tolist() == [1]
    assert fit_grid(4).tolist() == [1, 2, 3, 4]
    assert fit_grid(57).tolist() == [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 57]
    assert fit_grid(64).tolist() == [1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64]
    with pytest.raises(ValueError, match="at least 1"):
        fit_grid(0)


@given(st.integers(1, 10**6))
def test_fitted_n_are_on_the_curve(largest: int) -> None:
    fitted, grid = fit_grid(largest), curve_grid(largest)
    assert np.isin(fitted, grid).all()
    assert fitted[0] == grid[0] == 1
    assert fitted[-1] == grid[-1] == largest


def test_curve_and_fit_of_a_normal_world() -> None:
    noisy, gold = analyze(table(n_prompts=300))
    # expected maximum of n normals: 0, .564, 1.029, 1.424, 1.766, 2.070; noisy: times 1/sqrt(2)
    maxima = np.array([0.0, 0.56419, 1.02938, 1.42360, 1.76599, 2.06967])
    measured = np.array([mean_gold(gold, n) for n in (1, 2, 4, 8, 16, 32)])
    np.testing.assert_allclose(measured - 5.0, maxima, atol=0.05)
    measured = np.array([mean_gold(noisy, n) for n in (1, 2, 4, 8, 16, 32)])
    np.testing.assert_allclose(measured - 5.0, maxima / np.sqrt(2), atol=0.07)
    assert gold.points[3].kl_bound_nats == pytest.approx(np.log(4) - 0.75)
    assert 0 < gold.points[3].kl_bound_nats - gold.points[3].kl_nats < 0.001  # nothing ties
    assert gold.gold_sd == pytest.approx(1.0, abs=0.03)
    assert [one.form for one in noisy.forms] == [Form.BON, Form.RL]
    assert all(one.fitted is not None for one in noisy.forms)
    assert noisy.ranking.pooled == pytest.approx(0.75, abs=0.02)
    assert gold.ranking.pooled == 1.0
    assert noisy.correlation.within == pytest.approx(np.sqrt(0.5), abs=0.02)


def mean_gold(report: ProxyReport, n: int) -> float:
    return next(point.gold.mean or 0.0 for point in report.points if point.n == n)


def test_the_order_of_rows_changes_nothing() -> None:
    assert analyze(table()) == analyze(shuffled(table(), 3))


def test_fits_have_units_of_the_gold_deviation() -> None:
    plain = analyze(table())[0]
    source = table()
    scaled = ScoredTable(
        source.prompt_R, source.sample_R, 10.0 * source.gold_R - 3.0, source.proxies
    )
    other = analyze(scaled)[0]
    for one, two in zip(plain.forms, other.forms, strict=True):
        assert one.fitted is not None
        assert two.fitted is not None
        assert two.fitted.fit.a == pytest.approx(one.fitted.fit.a)
    assert other.gold_sd == pytest.approx(10.0 * plain.gold_sd)


def test_missing_scores_are_dropped_and_counted() -> None:
    scores = table(n_prompts=4, n_samples=8)
    gold, noisy = scores.gold_R.copy(), scores.proxies["noisy"].copy()
    gold[[0, 1]] = np.nan
    noisy[[1, 8, 9, 10, 11]] = np.nan
    noisy[24:] = np.nan  # the fourth prompt has no proxy at all
    report = analyze(ScoredTable(scores.prompt_R, scores.sample_R, gold, {"noisy": noisy}))[0]
    counts = report.counts
    assert (counts.n_rows, counts.n_missing_gold, counts.n_missing_proxy) == (32, 2, 12)
    assert (counts.n_used, counts.n_prompts, counts.n_prompts_lost) == (18, 3, 1)
    assert (counts.smallest_pool, counts.median_pool, counts.largest_pool) == (4, 6, 8)
    assert [point.n for point in report.points] == [1, 2, 3, 4, 5, 6]
    assert [point.n_prompts_dropped for point in report.points] == [0, 0, 0, 0, 1, 1]


def test_gains_ties_and_the_last_doubling_by_hand() -> None:
    # prompt 0: the two higher proxies tie, so best of 3 averages their golds, 4 and 8
    # prompt 1: no ties; best of 2 is gold 6 with probability 2/3 and gold 0 with 1/3
    scores = ScoredTable(
        np.repeat([0, 1], 3),
        np.tile([0, 1, 2], 2),
        np.array([0.0, 4.0, 8.0, 3.0, 0.0, 6.0]),
        {"p": np.array([1.0, 2.0, 2.0, 1.0, 2.0, 3.0])},
    )
    report = analyze(scores)[0]
    assert report.counts.n_tied == 2
    assert [point.n for point in report.points] == [1, 2, 3]
    assert [point.gold.mean for point in report.points] == pytest.approx([3.5, 5.0, 6.0])
    # prompt 0: F = 1/3, 1; prompt 1: F = 1/3, 2/3, 1
    kl_0 = 1 / 9 * np.log(1 / 3) + 8 / 9 * np.log(4 / 3)
    kl_1 = (np.log(1 / 3) + 3 * np.log(1) + 5 * np.log(5 / 3)) / 9
    assert report.points[1].kl_nats == pytest.approx((kl_0 + kl_1) / 2)
    assert report.points[1].kl_bound_nats == pytest.approx(np.log(2) - 0.5)
    # weights 0, 1/2, 1/2 and 0, 0, 1 at n = 3
    assert [point.ess for point in report.points][::2] == pytest.approx([3.0, 4 / 3])
    assert report.n_at(0.0) == 1.0
    assert report.n_at(report.points[1].kl_nats) == pytest.approx(2.0)
    assert report.n_at(99.0) == pytest.approx(3.0)
    assert report.gold_mean == pytest.approx(3.5)
    sd = np.sqrt(125 / 6 - 3.5**2)
    assert report.gold_sd == pytest.approx(sd)
    gains = [point.gold_gain for point in report.points]
    assert [gain.mean for gain in gains] == pytest.approx([0.0, 1.5 / sd, 2.5 / sd])
    assert gains[2].se == pytest.approx(0.5 / sd)  # gains of 2 and 3
    assert report.proxy_mean == pytest.approx(11 / 6)
    assert report.points[2].proxy_gain.mean == pytest.approx((2.5 - 11 / 6) / report.proxy_sd)
    change = report.last_doubling
    assert change is not None
    assert (change.n_from, change.n_to) == (1, 3)
    assert change.gold.mean == pytest.approx(2.5)


def test_a_proxy_without_an_opinion_selects_nothing() -> None:
    scores = table()
    constant = np.repeat(np.arange(30.0), 33)  # differs between prompts only
    report = analyze(ScoredTable(scores.prompt_R, scores.sample_R, scores.gold_R, {"p": constant}))[
        0
    ]
    assert report.counts.n_tied == report.counts.n_used
    assert report.last_doubling is None
    assert [one.fitted for one in report.forms] == [None, None]
    assert report.forms[0].reason == "the proxy is the same for all samples of every prompt"


def test_a_maximum_below_two_samples_is_no_peak() -> None:
    scores = table()
    report = analyze(
        ScoredTable(scores.prompt_R, scores.sample_R, scores.gold_R, {"p": -scores.gold_R})
    )[0]
    for one in report.forms:
        assert one.fitted is not None
        assert one.fitted.peak_d is None
        assert one.fitted.fit.peak is None
        assert one.fitted.fit.peak_reason == "no peak in range"


def test_what_cannot_be_fitted_says_why() -> None:
    report = analyze(table(n_samples=3))[0]
    assert [one.reason for one in report.forms] == [
        "form bon needs 3 points with d > 0, got 2",
        "form rl needs 3 points with d > 0, got 2",
    ]
    scores = table()
    constant = ScoredTable(
        scores.prompt_R, scores.sample_R, np.full(scores.gold_R.size, 0.1), scores.proxies
    )
    report = analyze(constant)[0]
    assert report.forms[0].reason is not None
    assert "does not vary" in report.forms[0].reason
    assert report.ranking.within is None


def test_tables_that_mean_nothing_are_refused() -> None:
    scores = table(n_prompts=2, n_samples=2)
    with pytest.raises(ValueError, match="sample 0 of prompt 1 occurs more than once"):
        analyze(ScoredTable(scores.prompt_R, np.array([0, 1, 0, 0]), scores.gold_R, scores.proxies))
    with pytest.raises(ValueError, match="no proxy"):
        analyze(ScoredTable(scores.prompt_R, scores.sample_R, scores.gold_R, {}))
    with pytest.raises(ValueError, match="infinite"):
        analyze(
            ScoredTable(scores.prompt_R, scores.sample_R, scores.gold_R, {"p": np.full(4, np.inf)})
        )
    with pytest.raises(ValueError, match="no row has both"):
        analyze(
            ScoredTable(scores.prompt_R, scores.sample_R, scores.gold_R, {"p": np.full(4, np.nan)})
        )


@pytest.fixture(scope="module")
def real() -> dict[str, ProxyReport]:
    if not POOL.is_file():
        pytest.skip("the shared data set is not here")
    scores = read_scores(POOL, proxies=["length", "gold"])
    assert scores.sample == "source"
    return {report.proxy: report for report in analyze(scores.table)}


def test_real_responses_overoptimize_mildly_by_length(real: dict[str, ProxyReport]) -> None:
    length = real["length"]
    assert length.counts.n_prompts == 300
    assert length.counts.median_pool == 57
    gold = {point.n: point.gold.mean or 0.0 for point in length.points}
    # on 805 prompts and 49 sources: .130 .190 .273 .375 .463 .489 and .481 at 49
    expected = {1: 0.130, 2: 0.190, 4: 0.273, 8: 0.375, 16: 0.463, 32: 0.489, 49: 0.481}
    for n, value in expected.items():
        assert gold[n] == pytest.approx(value, abs=0.05)
    rising = [gold[n] for n in (1, 2, 4, 8, 16, 32)]
    gains = np.diff(rising)
    assert np.all(gains > 0)
    assert gains[-1] < gains[-2] < gains[-3]
    assert length.points[-1].n_prompts_dropped == 13


def test_real_gold_as_its_own_proxy_only_rises(real: dict[str, ProxyReport]) -> None:
    report = real["gold"]
    gold = np.array([point.gold.mean for point in report.points], float)
    assert np.all(np.diff(gold) > 0)
    # on 805 prompts and 49 sources
    expected = {1: 0.130, 2: 0.221, 4: 0.352, 8: 0.522, 16: 0.706, 32: 0.847, 49: 0.900}
    for n, value in expected.items():
        assert mean_gold(report, n) == pytest.approx(value, abs=0.06)
    by_length = np.array([point.gold.mean for point in real["length"].points], float)
    assert np.all(gold[1:] > by_length[1:])
    assert real["gold"].ranking.pooled == 1.0


def test_real_length_ranks_worse_within_prompts_than_gold(real: dict[str, ProxyReport]) -> None:
    ranking = real["length"].ranking
    assert ranking.within is not None
    assert ranking.within.se is not None
    assert 0.5 + 3 * ranking.within.se < ranking.within.mean < 0.95
    bon = real["length"].forms[0]
    assert bon.fitted is not None
    assert bon.fitted.a.above_zero


def binary(n_prompts: int = 40, n_samples: int = 80) -> ScoredTable:
    """A proxy that is 1 for 30 % of the samples, and a gold that it agrees with."""
    generator = np.random.default_rng(8)
    proxy = (np.arange(n_prompts * n_samples) % 10 < 3).astype(float)
    gold = proxy + generator.normal(size=proxy.size)
    prompts, samples = np.arange(n_prompts), np.arange(n_samples)
    return ScoredTable(
        np.repeat(prompts, n_samples), np.tile(samples, n_prompts), gold, {"p": proxy}
    )


def test_the_axis_and_the_fit_of_a_binary_proxy_know_its_ties() -> None:
    report = analyze(binary())[0]
    point = next(point for point in report.points if point.n == 64)
    assert round(point.kl_bound_nats, 2) == 3.17
    assert round(point.kl_nats, 2) == 1.20
    for one in report.forms:
        assert one.fitted is not None
        assert one.fitted.fit.d_high == pytest.approx(np.sqrt(np.log(1 / 0.3)))
