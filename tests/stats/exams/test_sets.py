"""Sets of a tiny prompt that are worked out by hand, and draws that follow their weights."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.exams.designs import DESIGNS, MODELS, Design, Lineup
from overopt.stats.exams.sets import (
    Written,
    distances,
    diversity,
    draw_design,
    draw_lineup,
    length_gap,
    log_weights,
    right_and_wrong,
    style,
)

# six responses: gold 0 to 5, lengths 1 2 3 1 2 3; all are as likely a token
GOLD = np.arange(6.0)
LENGTH = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
PRESENT = np.array(
    [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [0, 1, 1, 1],
        [0, 0, 0, 1],
        [1, 1, 0, 0],
        [1, 0, 1, 1],
    ],
    bool,
)
TINY = Written(GOLD, LENGTH, -2.0 * LENGTH, PRESENT)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_thirds_hold_what_is_equal() -> None:
    # a third of six is two
    right, wrong = right_and_wrong(GOLD)
    assert wrong.tolist() == [True, True, False, False, False, False]
    assert right.tolist() == [False, False, False, False, True, True]
    # the second best of six is 0, as most are: nothing is told apart
    right, wrong = right_and_wrong(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1.0]))
    assert not right.any() and not wrong.any()
    # the two best are 1; all four others are 0, and the lower third
    right, wrong = right_and_wrong(np.array([0.0, 1.0, 0.0, 0.0, 0.0, 1.0]))
    assert right.tolist() == [False, True, False, False, False, True] and (wrong == ~right).all()
    # half and half
    right, wrong = right_and_wrong(np.array([1.0, 0.0, 1.0, 0.0]))
    assert right.tolist() == [True, False, True, False] and (wrong == ~right).all()


def test_weights_tilt_by_standardized_style() -> None:
    # lengths have mean 2 and SD sqrt(2/3): z is 1.2247 for length 3
    z = 1.0 / np.sqrt(2.0 / 3.0)
    assert log_weights(TINY, MODELS["initial"], 2.0).tolist() == [0.0] * 6
    assert log_weights(TINY, MODELS["long"], 2.0) == pytest.approx(2.0 * z * (LENGTH - 2.0))
    assert log_weights(TINY, MODELS["short"], 2.0) == pytest.approx(-2.0 * z * (LENGTH - 2.0))
    # all have -2 a token, so wording tells nothing apart
    assert (style(TINY)[:, 1] == 0.0).all()
    likelier = TINY._replace(logp_N=np.array([-1.0, -4.0, -6.0, -2.0, -4.0, -6.0]))
    # -1 a token for the first, -2 for others: z is sqrt(5) and -1 / sqrt(5)
    assert log_weights(likelier, MODELS["plain"], 1.0)[:2] == pytest.approx([5**0.5, -(5**-0.5)])


def test_distances_count_tokens_in_common() -> None:
    # {a} and {a, b}: 1 of 2; {b, c, d} and {a, c, d}: 2 of 4; {a} and {d}: none
    found = distances(PRESENT[[0, 2, 0]], PRESENT[[1, 5, 3]])
    assert np.diag(found).tolist() == [0.5, 0.5, 1.0]
    assert distances(PRESENT[[1]], PRESENT[[4]]).item() == 0.0
    assert distances(np.zeros((1, 4), bool), np.zeros((1, 4), bool)).item() == 0.0


def test_a_set_that_has_to_take_all() -> None:
    design = Design("all", ("initial",) * 2, ("initial",) * 2)
    found = draw_design(TINY, design, 5, 2.0, rng())
    assert found is not None and found.shape == (5, 4)
    assert (np.sort(found[:, :2]) == [4, 5]).all()
    assert (np.sort(found[:, 2:]) == [0, 1]).all()


def test_a_prompt_that_has_too_few_has_no_set() -> None:
    assert draw_design(TINY, Design("many", ("long",), ("long",) * 3), 2, 2.0, rng()) is None
    flat = TINY._replace(gold_N=np.zeros(6))
    assert all(draw_design(flat, one, 2, 2.0, rng()) is None for one in DESIGNS)
    assert draw_lineup(TINY, Lineup("seven", ("long",) * 7), 2, 2.0, rng()) is None
    (lineup,) = draw_lineup(TINY, Lineup("six", ("long",) * 6), 1, 2.0, rng())  # type: ignore[misc]  # not None
    assert sorted(lineup) == [0, 1, 2, 3, 4, 5]


def test_matched_responses_are_the_nearest_in_style() -> None:
    found = draw_design(TINY, Design("m", ("short",), ("short",), "matched"), 50, 9.0, rng())
    # the shorter right response has length 2, and so has the second wrong one
    assert found is not None and (found == [4, 1]).all()
    assert length_gap(TINY, found, 1) == 0.0
    gap = draw_design(TINY, Design("g", ("short",), ("long",)), 50, 9.0, rng())
    assert gap is not None and (gap == [4, 1]).all()
    # lengths 1 and 3 apart, of SD sqrt(2/3)
    far = TINY._replace(length_N=np.array([1.0, 3.0, 2.0, 3.0, 2.0, 1.0]))
    gap = draw_design(far, Design("g", ("short",), ("long",)), 50, 9.0, rng())
    assert gap is not None and (gap == [5, 1]).all()
    assert length_gap(far, gap, 1) == pytest.approx(-2.0 / np.sqrt(2.0 / 3.0))


def test_alike_and_diverse_are_chosen_by_hand() -> None:
    # nine responses: the last three right, six wrong; tokens of the wrong ones as above
    gold = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    present = np.concatenate([PRESENT, PRESENT[:3]])
    nine = Written(gold, np.ones(9), -np.ones(9), present)
    alike = draw_design(nine, Design("a", ("initial",), ("initial",) * 2, "alike"), 60, 2.0, rng())
    diverse = draw_design(
        nine, Design("d", ("initial",), ("initial",) * 2, "diverse"), 60, 2.0, rng()
    )
    assert alike is not None and diverse is not None
    nearest = {0: {1, 4}, 1: {4}, 2: {5}, 3: {2, 5}, 4: {1}, 5: {2}}
    # from {a}: {b, c, d} and {d} have nothing in common with it; from {a, b}: {d} alone
    farthest = {0: {2, 3}, 1: {3}, 2: {0}, 3: {0, 1, 4}, 4: {3}, 5: {0, 1, 2, 3, 4}}
    for first, second in alike[:, 1:]:
        assert second in nearest[first]
    for first, second in diverse[:, 1:]:
        if first != 5:
            assert second in farthest[first]
    assert diversity(nine, alike[:, 1:]) < 0.5 < diversity(nine, diverse[:, 1:])


def test_draws_follow_the_weights() -> None:
    written = Written(np.zeros(3), np.array([1.0, 2.0, 3.0]), -np.ones(3), np.eye(3, dtype=bool))
    found = draw_lineup(written, Lineup("l", ("long",)), 200_000, 0.5, rng())
    assert found is not None
    weight = np.exp(log_weights(written, MODELS["long"], 0.5))
    share = np.bincount(found[:, 0], minlength=3) / 200_000
    assert share == pytest.approx(weight / weight.sum(), abs=0.004)


def test_no_response_is_twice_in_a_set() -> None:
    generator = np.random.default_rng(1)
    large = Written(
        generator.normal(size=60),
        generator.integers(1, 9, 60).astype(float),
        -generator.random(60),
        generator.random((60, 12)) < 0.4,
    )
    for design in DESIGNS:
        found = draw_design(large, design, 8, 2.0, generator)
        assert found is not None
        assert all(len(set(one)) == len(one) for one in found.tolist()), design.name
        right, wrong = right_and_wrong(large.gold_N)
        chosen = len(design.chosen)
        assert right[found[:, :chosen]].all() and wrong[found[:, chosen:]].all()
