from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import ArrayLike

from overopt.stats.fits import holdout
from overopt.stats.fits.forms import Form
from overopt.stats.fits.holdout import SeedHoldouts, Split
from overopt.stats.fits.least_squares import solve

D = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def held_out(
    d_S: Sequence[ArrayLike],
    r_S: Sequence[ArrayLike],
    peak_S: Sequence[float],
    form: Form,
    split: Split,
) -> SeedHoldouts:
    return holdout.hold_out_seeds(holdout.cut_seeds(d_S, r_S, peak_S, split), form)


def test_the_cut_lies_behind_or_before_the_peak() -> None:
    # peak at 2: two points up to it and the nearer two of the four beyond, or only the first
    assert holdout.count_fitted(D, 2.0, Split.WITH_PEAK) == 4
    assert holdout.count_fitted(D, 2.0, Split.BEFORE_PEAK) == 1
    assert holdout.count_fitted(D, 3.4, Split.WITH_PEAK) == 5  # 3 is nearest; 4 and 5 of 4, 5, 6
    assert holdout.count_fitted([0.0, *D], 4.0, Split.BEFORE_PEAK) == 3  # the origin is no point
    assert holdout.count_fitted(D[::-1], 4.0, Split.WITH_PEAK) == 5


def test_a_peak_at_either_end_cannot_be_split() -> None:
    for d_peak, reason in ((6.0, "no points beyond the peak"), (5.0, "1 point beyond the peak")):
        with pytest.raises(ValueError, match=reason):
            holdout.count_fitted(D, d_peak, Split.WITH_PEAK)
    with pytest.raises(ValueError, match="the peak is the first point"):
        holdout.count_fitted(D, 0.1, Split.BEFORE_PEAK)
    with pytest.raises(ValueError, match="no point with d > 0"):
        holdout.count_fitted([0.0], 1.0, Split.BEFORE_PEAK)


def test_errors_of_form_and_constant_on_literals() -> None:
    # fitted: the line r = d on 1, 2, 3; it predicts 4 and 5 where 2 and 3 are, the constant 3
    r = [2.0, 1.0, 2.0, 3.0, 3.0]
    cut = holdout.cut_curve([4.0, 1.0, 2.0, 3.0, 5.0], r, 3)
    too_short = holdout.cut_curve([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 2)
    solved = solve([cut.near, too_short.near], Form.BON)
    error, refused = holdout.holdout_errors([cut, too_short], solved)
    assert isinstance(error, holdout.HoldoutError)
    assert error.rmse == pytest.approx(2.0)  # 4 - 2 and 5 - 3
    assert error.constant_rmse == pytest.approx(np.sqrt(0.5))  # 3 - 2 and 3 - 3
    assert (error.n_fitted, error.n_held_out, error.d_split) == (3, 2, 3.0)
    with pytest.raises(ValueError, match="others held out"):
        holdout.cut_curve([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 3)
    assert str(refused) == "form bon needs 3 points with d > 0, got 2"


def test_no_seed_is_dropped_without_a_word() -> None:
    d = np.array([0.0, *D])
    seeds = [d * (2.0 - 0.4 * d), d * (2.0 - 0.4 * d), d]
    peaks = [2.5, 6.0, 1.0]
    both = held_out([d] * 3, seeds, peaks, Form.BON, Split.WITH_PEAK)
    assert both.split_S == (0, 2)
    assert both.left_out == ((1, "no points beyond the peak"),)
    assert both.rmse.mean == pytest.approx(0.0, abs=1e-9)
    # seed 0: 2 stands for the peak, 1 to 4 are fitted, r(4) = 1.6, so 0 and -2.4 are missed by
    # 1.6 and 4; seed 2: also 1 to 4, whose last is 4, against 5 and 6
    expected = (np.sqrt((1.6**2 + 4.0**2) / 2) + np.sqrt((1.0 + 4.0) / 2)) / 2
    assert both.constant_rmse.mean == pytest.approx(expected)
    assert both.gain.mean == pytest.approx(expected)
    before = held_out([d] * 3, seeds, peaks, Form.BON, Split.BEFORE_PEAK)
    assert [(one.seed, one.reason) for one in before.left_out] == [
        (0, "form bon needs 3 points with d > 0, got 1"),
        (2, "the peak is the first point"),
    ]
    nothing = held_out([], [], [], Form.BON, Split.WITH_PEAK)
    assert nothing.rmse.mean is None


def test_the_turn_is_foreseen_by_the_right_form_only() -> None:
    generator = np.random.default_rng(2)
    d = np.linspace(0.3, 9.0, 25)
    true = d * (0.9 - 0.35 * np.log(d))  # peak at exp(0.9 / 0.35 - 1) = 4.8
    seeds = [true + 0.02 * generator.normal(size=d.size) for _ in range(5)]
    errors = {
        form: {split: held_out([d] * 5, seeds, [4.8] * 5, form, split) for split in Split}
        for form in (Form.RL, Form.BON)
    }
    for split in Split:
        right, wrong = errors[Form.RL][split], errors[Form.BON][split]
        assert right.gain.above_zero
        assert (right.rmse.mean or 0) < 0.3 * (wrong.rmse.mean or 0)
        assert holdout.choose_form({form: errors[form][split] for form in errors}) is Form.RL
    assert errors[Form.RL][Split.WITH_PEAK].errors_S[0].d_split == pytest.approx(d[18])
    assert errors[Form.RL][Split.BEFORE_PEAK].errors_S[0].d_split == pytest.approx(d[11])


def test_forms_are_compared_on_the_same_seeds() -> None:
    d = np.array(D)
    seeds = [d * (2.0 - 0.4 * d), d * (1.0 - 0.3 * np.log(d))]
    found = {
        form: held_out([d] * 2, seeds, [2.5, 2.5], form, Split.WITH_PEAK)
        for form in (Form.BON, Form.RL)
    }
    only_last = held_out([d] * 2, seeds, [6.0, 2.5], Form.BON, Split.WITH_PEAK)
    assert only_last.split_S == (1,)
    assert holdout.choose_form({**found, Form.BON: only_last}) is Form.RL
    never = held_out([d] * 2, seeds, [6.0, 6.0], Form.BON, Split.WITH_PEAK)
    assert holdout.choose_form({**found, Form.BON: never}) is None


def test_the_peak_of_a_seed_is_read_off_the_others() -> None:
    rising, falling = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    d = [1.0, 2.0, 4.0]
    assert holdout.peak_of_others([d] * 3, [rising, falling, falling]) == (1.0, 2.5, 2.5)
    assert holdout.peak_of_others([d], [rising]) == (4.0,)
    with pytest.raises(ValueError, match="no seed"):
        holdout.peak_of_others([], [])
