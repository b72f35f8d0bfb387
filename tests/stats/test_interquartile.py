"""The interquartile mean against numbers worked out by hand, and its intervals by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import trim_mean

from overopt.stats.comparisons.interquartile import interquartile, interquartile_mean


def test_the_middle_half_by_hand() -> None:
    assert interquartile_mean([4.0, 1.0, 2.0, 99.0]) == 3.0  # (2 + 4) / 2
    # five values cover fifths; the second and fourth count by 0.75 of theirs: 1.5 + 3 + 4.5 of 2.5
    assert interquartile_mean([0.0, 2.0, 3.0, 6.0, 50.0]) == pytest.approx(
        (0.75 * 2 + 3 + 0.75 * 6) / 2.5
    )
    assert interquartile_mean([7.0]) == 7.0
    assert interquartile_mean([1.0, 3.0]) == 2.0


def test_it_is_the_trimmed_mean_where_a_quarter_is_whole() -> None:
    values = np.random.default_rng(0).normal(size=24)
    assert interquartile_mean(values) == pytest.approx(trim_mean(values, 0.25))


def test_it_is_not_moved_by_outliers_and_moves_with_all() -> None:
    values = np.random.default_rng(1).normal(size=15)
    far = values.copy()
    far[values.argmax()] = 1e9
    assert interquartile_mean(far) == interquartile_mean(values)
    assert interquartile_mean(values + 2.0) == pytest.approx(interquartile_mean(values) + 2.0)


def test_few_worlds_speak_of_seeds_and_many_of_worlds() -> None:
    rng = np.random.default_rng(2)
    worlds = [rng.normal(size=5) for _ in range(3)]
    assert interquartile(worlds).over == "worlds"
    assert interquartile(worlds[:2]).over == "seeds"
    alone = interquartile([[0.3]])
    assert (alone.mean, alone.low, alone.high) == (0.3, None, None)
    with pytest.raises(ValueError, match="at least one world"):
        interquartile([])


def test_the_jackknife_by_hand() -> None:
    # worlds of one value each: 0, 3 and 6; without one of them the mean is that of the other two
    # 4.5, 3, 1.5; pseudo-values 3 m - 2 m_-w = 0, 3, 6 with m = 3: SE = 3 / sqrt(3), t_2 = 4.302653
    found = interquartile([[0.0], [3.0], [6.0]])
    assert found.mean == pytest.approx(3.0)
    assert found.high is not None and found.high - 3.0 == pytest.approx(4.302653 * 3**0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("worlds", "spread", "heavy", "least"),
    [(3, 1.0, False, 0.92), (3, 1.0, True, 0.92), (5, 1.0, True, 0.90), (5, 0.0, False, 0.92),
     (1, 0.0, False, 0.90), (1, 0.0, True, 0.90)],
)  # fmt: skip
def test_coverage(worlds: int, spread: float, heavy: bool, least: float) -> None:
    rng, hits, trials = np.random.default_rng(worlds), 0, 2000
    for _ in range(trials):
        center = spread * rng.normal(size=(worlds, 1))
        noise = rng.standard_t(3, (worlds, 5)) if heavy else rng.normal(size=(worlds, 5))
        found = interquartile(list(center + noise))
        assert found.low is not None and found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert hits / trials >= least
