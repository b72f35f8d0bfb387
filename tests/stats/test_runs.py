import numpy as np
import pytest

from overopt.stats.fits.forms import Form
from overopt.stats.fits.least_squares import fit
from overopt.stats.intervals import t_interval
from overopt.stats.rise_fall import Budgets, peak_and_end
from overopt.stats.runs.analysis import NOT_COMPARABLE, analyze_runs
from overopt.stats.runs.gains import RunPoints, Units, gains_of
from overopt.stats.runs.turn import turn_over_prompts, turn_over_runs

NAN = float("nan")
NO_UNITS = Units(None, None)
STEPS = [0, 10, 20, 30]


def points(
    gold: list[float],
    kl: list[float] | None = None,
    proxy: list[float] | None = None,
    steps: list[int] | None = None,
) -> RunPoints:
    n = len(gold)
    return RunPoints(
        np.array(steps or STEPS[:n]),
        np.array(kl or [0.0, 1.0, 4.0, 9.0][:n]),
        np.array(proxy or [1.0, 2.0, 3.0, 4.0][:n]),
        np.array(gold),
    )


def test_gains_are_over_the_first_row_in_standard_deviations() -> None:
    run = gains_of(points([5.0, 7.0, NAN, 4.0]), Units(2.0, 4.0))
    np.testing.assert_allclose(run.proxy_K, [0.0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(run.gold_K, [0.0, 0.5, NAN, -0.25])
    np.testing.assert_allclose(run.d_K, [0.0, 1.0, 2.0, 3.0])
    assert run.scored_K.tolist() == [True, True, False, True]


def test_a_first_row_near_kl_zero_is_the_initial_policy_and_one_far_out_is_not() -> None:
    near = gains_of(points([1.0, 2.0, 3.0, 4.0], kl=[0.09, 1.0, 4.0, 9.0]), NO_UNITS)
    assert near.starts_at_initial and near.d_K[0] == 0.0  # sqrt(.09) is a tenth of sqrt(9)
    far = gains_of(points([1.0, 2.0, 3.0, 4.0], kl=[0.1, 1.0, 4.0, 9.0]), NO_UNITS)
    assert not far.starts_at_initial and far.d_K[0] == pytest.approx(np.sqrt(0.1))
    assert not far.fitted_K.any()


def test_gold_that_begins_late_is_measured_from_its_own_first_row() -> None:
    run = gains_of(points([NAN, 2.0, 3.0, 1.0]), NO_UNITS)
    np.testing.assert_allclose(run.gold_K, [NAN, 0.0, 1.0, -1.0])
    assert run.starts_at_initial and not run.gold_starts_at_initial


@pytest.mark.parametrize(
    ("kl", "steps", "says"),
    [
        ([0.0, -1.0, 2.0, 3.0], STEPS, "negative"),
        ([0.0, NAN, 2.0, 3.0], STEPS, "NaN"),
        ([0.0, 1.0, 2.0, 3.0], [0, 10, 10, 30], "ascend"),
    ],
)
def test_what_makes_no_sense_is_refused(kl: list[float], steps: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        gains_of(points([0.0, 1.0, 2.0, 3.0], kl=kl, steps=steps), NO_UNITS)


def test_the_peak_of_a_run_is_read_where_the_others_chose() -> None:
    runs = [
        gains_of(points(gold), NO_UNITS)
        for gold in ([0.0, 3.0, 2.0, 1.0], [0.0, 1.0, 4.0, 0.0], [0.0, 2.0, 6.0, 2.0])
    ]
    # Means of the other two at steps 10, 20, 30: run 1 (1.5, 5, 1), run 2 (2.5, 4, 1.5), run 3
    # (2, 3, .5). So each is read at 20: 2, 4, 6; ends 1, 0, 2; falls -1, -4, -4.
    turn = turn_over_runs(runs)
    assert (turn.peak.steps, turn.end.steps) == ((20,) * 3, (30,) * 3)
    assert (turn.n_choices, turn.n_agreeing) == (3, 3)
    assert turn.peak.kl_nats == 4.0
    assert turn.over == "runs"
    for found, values in (
        (turn.peak.gold, [2.0, 4.0, 6.0]),
        (turn.end.gold, [1.0, 0.0, 2.0]),
        (turn.fall, [-1.0, -4.0, -4.0]),
    ):
        wanted = t_interval(values)
        assert found.mean == pytest.approx(wanted.mean)
        assert found.low == pytest.approx(wanted.low)
        assert found.high == pytest.approx(wanted.high)
        assert found.n == 3


def test_the_peak_is_not_the_highest_mean_where_one_run_alone_makes_it() -> None:
    runs = [
        gains_of(points(gold), NO_UNITS)
        for gold in ([0.0, 9.0, 0.0, 0.0], [0.0, 1.0, 2.0, 0.0], [0.0, 1.0, 2.0, 0.0])
    ]
    # The mean is highest at 10 (11/3), yet run 1 is read at 20, where the others peak: gold 0.
    # Runs 2 and 3 have means of the others (5, 1, 0): read at 10, gold 1 each.
    turn = turn_over_runs(runs)
    assert turn.peak.gold.mean == pytest.approx((0.0 + 1.0 + 1.0) / 3)
    assert turn.n_agreeing == 2
    assert turn.peak.kl_nats == pytest.approx((4.0 + 1.0 + 1.0) / 3)


def test_runs_are_read_at_the_same_kl_whatever_their_steps() -> None:
    """Gold is d (4 - d) of both runs: 4 at d = 2 is the peak; the first run ends at d = 3."""
    one_d, other_d = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 0.5, 2.0, 2.5, 4.0])
    one, other = (
        gains_of(
            RunPoints(np.arange(d.size) * 7, d**2, d, d * (4.0 - d)),
            NO_UNITS,
        )
        for d in (one_d, other_d)
    )
    turn = turn_over_runs([one, other])
    assert turn.peak.kl_nats == pytest.approx(4.0) and turn.peak.gold.mean == pytest.approx(4.0)
    assert (turn.peak.steps, turn.end.kl_nats) == ((14, 14), 9.0)
    # at d = 3 the second run lies a third of the way from 2.5 (gold 3.75) to 4 (gold 0)
    assert turn.end.gold.mean == pytest.approx((3.0 + 2.5) / 2)


def test_one_run_without_gold_stops_the_peak() -> None:
    first = gains_of(points([0.0, 1.0, 2.0, 3.0]), NO_UNITS)
    lost = gains_of(points([NAN] * 4), NO_UNITS)
    with pytest.raises(ValueError, match="1 of 2 runs have no gold"):
        turn_over_runs([first, lost])
    start = gains_of(points([0.0, NAN, NAN, NAN]), NO_UNITS)
    with pytest.raises(ValueError, match="no range of KL in common"):
        turn_over_runs([first, start])


def test_one_run_without_prompts_has_no_interval() -> None:
    turn = turn_over_runs([gains_of(points([0.0, 3.0, 5.0, 1.0]), NO_UNITS)])
    assert (turn.peak.steps, turn.peak.gold.mean, turn.fall.mean) == ((20,), 5.0, -4.0)
    assert turn.over == "nothing" and turn.fall.low is None
    assert not turn.rises and not turn.falls


def test_one_run_with_prompts_is_peak_and_end_of_one_seed() -> None:
    rng = np.random.default_rng(3)
    gold_KB = rng.normal(size=(3, 40)) + np.array([[1.0], [3.0], [0.0]])
    turn = turn_over_prompts([5, 6, 7], np.array([1.0, 4.0, 9.0]), gold_KB)
    table_SKB = np.concatenate([np.zeros((1, 1, 40)), gold_KB[None]], axis=1)
    wanted = peak_and_end(
        Budgets(table_SKB, np.array([[0.0, 1.0, 4.0, 9.0]]), np.array([0.0, 1.0, 4.0, 9.0]))
    )
    assert (turn.peak.steps, turn.end.steps, turn.over) == ((6,), (7,), "prompts")
    assert turn.peak.gold.low == wanted.peak.gold.low
    assert turn.fall.high == wanted.fall.high
    assert turn.falls


def test_fits_and_gap_follow_curves_that_are_known() -> None:
    kl = np.array([0.0, 0.25, 1.0, 2.25, 4.0, 6.25, 9.0])
    d = np.sqrt(kl)
    gold, proxy = d * (2.0 - 0.5 * d), d * (2.0 - 0.1 * d)
    run = RunPoints(np.arange(7), kl, proxy + 3.0, gold - 1.0)
    report = analyze_runs([run, run], Units(1.0, 1.0))
    bon = report.fits[0]
    assert bon.form is Form.BON
    assert bon.a.mean == pytest.approx(2.0) and bon.b.mean == pytest.approx(0.5)
    assert bon.peak_d.mean == pytest.approx(2.0)
    assert report.gap is not None and report.gap.form is Form.BON
    # |proxy - gold| = .4 d^2 = .4 k: integral .2 K^2; gold: 4/3 K^1.5 - .25 K^2, at K = 9
    assert report.gap.fitted.mean == pytest.approx(0.2 * 81 / (4 / 3 * 27 - 0.25 * 81), rel=1e-6)
    assert report.gap.fitted.n == 2
    assert report.fits[1].fits_S[0].rmse == pytest.approx(fit(d, gold, Form.RL).rmse)


def test_without_units_there_is_no_gap_and_without_gold_nothing_at_all() -> None:
    report = analyze_runs([points([0.0, 3.0, 5.0, 1.0])], NO_UNITS)
    assert report.gap is not None and report.gap.reason == NOT_COMPARABLE
    assert report.gap.fitted.mean is None
    bare = analyze_runs([points([NAN] * 4)], Units(1.0, 1.0))
    assert not bare.has_gold and bare.fits == () and bare.turn is None and bare.gap is None


def test_a_fall_is_seldom_declared_where_there_is_none() -> None:
    """With prompts in less than 2.5 % of cases; over five runs in about 5, as the module says."""
    rng = np.random.default_rng(0)
    places = np.arange(1.0, 9.0)
    of_prompts = [
        turn_over_prompts(list(range(8)), places, rng.normal(size=(8, 32))).falls
        for _ in range(400)
    ]
    assert np.mean(of_prompts) < 0.025
    of_runs = []
    for _ in range(400):
        runs = [gains_of(points([0.0, *rng.normal(size=3)]), NO_UNITS) for _ in range(5)]
        of_runs.append(turn_over_runs(runs).falls)
    assert 0.01 < np.mean(of_runs) < 0.08


def test_runs_that_share_prompts_and_the_initial_samples_seldom_rise_where_nothing_does() -> None:
    """Five runs, 96 prompts of 4 samples; gold over runs alone rises in 15 to 30 % of cases."""
    rng = np.random.default_rng(0)
    kl = np.linspace(0.0, 5.0, 6)
    rises, ends = [], []
    for _ in range(200):
        base_B, trained_B, first_B = rng.normal(size=(3, 96)) * [[1.0], [0.5], [0.5]]
        first_B = base_B + first_B
        gold_SRB = []
        for _ in range(5):
            later_RB = base_B + kl[1:, None] / 5.0 * trained_B + rng.normal(size=(5, 96)) / 2.0
            gold_SRB.append(np.concatenate([np.zeros((1, 96)), later_RB - first_B]))
        runs = [
            gains_of(RunPoints(np.arange(6), kl, kl, gold_RB.mean(1)), NO_UNITS)
            for gold_RB in gold_SRB
        ]
        turn = turn_over_runs(runs, gold_SRB=gold_SRB)
        rises.append(turn.rises)
        ends.append(turn.end.gold.above_zero or turn.end.gold.below_zero)
        assert (turn.over, turn.n_choices) == ("runs and prompts", 10)
    assert np.mean(rises) <= 0.06
    assert np.mean(ends) <= 0.1
