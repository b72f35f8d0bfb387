"""The place of the best of several arms, on planted values and by how often its set misses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from overopt.stats.arrays import Floats
from overopt.stats.verdicts.evidence import ALPHA
from overopt.stats.verdicts.places import Place, find_place, place_below, place_within

NUMBERS = (0.001, 0.005, 0.01, 0.05, 0.2)


def planted(
    means: tuple[float, ...],
    generator: np.random.Generator,
    seeds: int = 5,
    prompts: int = 1,
    of_prompt: float = 0.0,
    noise: float = 1.0,
) -> Place:
    """Arms with errors of their own in each seed, and in each prompt for all seeds alike."""
    tables = []
    for mean in means:
        shared_B: Floats = generator.normal(0.0, of_prompt, (1, prompts))
        tables.append({0: mean + shared_B + generator.normal(0.0, noise, (seeds, prompts))})
    return find_place(NUMBERS[: len(means)], tables)


def test_by_hand() -> None:
    """Two arms and three seeds: with one rival nothing is chosen, and the test is a paired t test.

    Differences 1, 2 and 3: mean 2, standard error 1 / sqrt 3, t = 3.46 with 2 degrees of freedom,
    for which twice the one-sided p is 1 - t / sqrt(2 + t^2) = 0.0742.
    """
    low, high = np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]])
    found = find_place((0.1, 1.0), [{0: low}, {0: high}])
    t = 2.0 * math.sqrt(3.0)
    assert found.p_A == pytest.approx([1.0 - t / math.sqrt(2.0 + t * t), 1.0])
    assert (found.best, found.n_seeds, found.n_worlds) == (1, 3, 1)


def test_a_rival_is_not_read_where_it_was_chosen() -> None:
    """Either rival is far above the arm in the seed that would not choose it, and below in others.

    By the other seed, seed 0 chooses arm 2 and seed 1 arm 1: both are read at -1.
    """
    values = [np.zeros((2, 1)), np.array([[5.0], [-1.0]]), np.array([[-1.0], [5.0]])]
    found = find_place((1.0, 2.0, 3.0), [{0: one} for one in values])
    assert found.p_A[0] == 1.0


def test_a_clear_best_is_found_and_the_opposite_contradicted() -> None:
    inside = planted((0.0, 3.0, 9.0, 3.0, 0.0), np.random.default_rng(0))
    part = place_within("", inside, 0.005, 0.05)
    assert part.side == "reproduced"
    assert part.estimate.mean == pytest.approx(math.log(0.01))
    assert part.estimate.bounds == pytest.approx((math.log(0.01), math.log(0.01)))
    assert part.note.startswith("the highest mean is at 0.01")
    edge = planted((9.0, 3.0, 0.0, 0.0, 0.0), np.random.default_rng(1))
    assert place_within("", edge, 0.005, 0.05).side == "contradicted"


def test_one_best_below_another() -> None:
    generator = np.random.default_rng(2)
    low, high = planted((9.0, 0.0, 0.0), generator), planted((0.0, 0.0, 9.0), generator)
    assert place_below("", low, high).side == "reproduced"
    assert place_below("", low, high).estimate.mean == pytest.approx(math.log(10.0))
    assert place_below("", high, low).side == "contradicted"
    assert place_below("", low, low).side is None  # the same: no opposite of smaller


def test_nothing_is_said_of_one_seed_or_of_bounds_that_all_arms_keep() -> None:
    with pytest.raises(ValueError, match="other seeds"):
        find_place((1.0, 2.0), [{0: np.zeros((1, 1))}] * 2)
    with pytest.raises(ValueError, match="ascend"):
        find_place((0.0, 2.0), [{0: np.zeros((3, 1))}] * 2)
    place = planted((0.0, 1.0), np.random.default_rng(3))
    with pytest.raises(ValueError, match="no arm"):
        place_within("", place, 0.0, 1.0)


def test_several_worlds_choose_on_the_others() -> None:
    generator = np.random.default_rng(4)
    tables = [
        {w: mean + generator.normal(0.0, 0.1, (2, 8)) for w in range(3)} for mean in (0.0, 1.0)
    ]
    found = find_place((1.0, 2.0), tables)
    assert (found.best, found.n_worlds, found.over) == (1, 3, "worlds")
    assert found.p_A[0] <= ALPHA


ALIKE, RIDGE = (0.0,) * 5, (-1.0, -0.3, 0.0, -0.3, -1.0)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize(("prompts", "of_prompt"), [(1, 0.0), (16, 0.0), (16, 1.0)])
@pytest.mark.parametrize("means", [ALIKE, (0.0, 0.0, -3.0, -3.0, -3.0), RIDGE])
def test_the_set_misses_the_best_in_at_most_one_of_twenty(
    means: tuple[float, ...], prompts: int, of_prompt: float, seeds: int
) -> None:
    draws, generator = 3000, np.random.default_rng(5)
    best = int(np.argmax(means))
    missed = sum(
        planted(means, generator, seeds, prompts, of_prompt).p_A[best] <= ALPHA
        for _ in range(draws)
    )
    assert missed / draws <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5


@pytest.mark.parametrize("of_prompt", [0.0, 1.0])
def test_noise_is_hardly_ever_a_verdict(of_prompt: float) -> None:
    """Arms that are alike, each of two claims: at most one verdict in twenty."""
    draws, generator = 150, np.random.default_rng(6)
    within, below = [], []
    for _ in range(draws):
        first, second = (planted(ALIKE, generator, 5, 8, of_prompt) for _ in range(2))
        within.append(place_within("", first, 0.005, 0.05).side)
        below.append(place_below("", first, second).side)
    for sides in (within, below):
        wrong = draws - sides.count(None)
        assert wrong / draws <= 0.05 + 3 * (0.05 * 0.95 / draws) ** 0.5
