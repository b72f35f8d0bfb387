"""The cluster separation index, of clusters that are seen by eye."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.stats.monitoring.separation import (
    cluster_separation,
    density_clusters,
    usual_radius,
)

PLACES = [0.0, 1.0, 2.0, 3.0, 4.0, 5.5, 20.0, 30.0, 31.0, 32.0, 33.0, 34.0]
"""Two runs of five a unit apart; 5.5 is near the first one's end, 20 near nothing."""


def column(places: list[float]) -> np.ndarray:
    return np.array(places)[:, None]


def test_clusters_grow_from_dense_places_and_what_is_apart_stays_alone() -> None:
    """Within 2 of 1, 2 and 3 lie five or more; 0 and 4 are at the edge, 5.5 reaches 4 and no core.

    Cores of least 5: 2 (0..4) alone has five within 2; 1 has 0..3, 3 has 1..4 and 5 has none.
    """
    found = density_clusters(column(PLACES), 2.0)
    first, alone, far = found[:5], found[5:7], found[7:]
    assert len(set(first)) == 1 and len(set(far)) == 1 and len(set(found)) == 4
    assert set(alone).isdisjoint({first[0], far[0]}) and alone[0] != alone[1]


def test_an_edge_belongs_to_its_nearest_core() -> None:
    """Cores at 0 and 10, each with seven behind it; 4.9 and 5.1 reach both, and are none."""
    places = [0.0, *[-4.0] * 7, 10.0, *[14.0] * 7, 4.9, 5.1]
    found = density_clusters(column(places), 5.2, least=8)
    assert found[16] == found[0] and found[17] == found[8] and found[0] != found[8]


def test_every_cluster_counts_by_its_size_and_its_way_to_the_nearest_usual_vector() -> None:
    """Centers 2, 5.5, 20 and 32 of 5, 1, 1 and 5: distances to {0, 6} are 2, .5, 14 and 26."""
    usual = column([0.0, 6.0])
    expected = (5 * 2.0 + 0.5 + 14.0 + 5 * 26.0) / 12.0
    assert cluster_separation(usual, column(PLACES), 2.0) == pytest.approx(expected)


def test_distances_are_those_of_the_plane() -> None:
    samples = np.array([[3.0, 4.0]] * 6)
    assert cluster_separation(np.array([[0.0, 0.0]]), samples, 1.0) == pytest.approx(5.0)
    assert cluster_separation(samples, samples, 1.0) == 0.0


def test_the_radius_makes_most_usual_vectors_cores() -> None:
    """The distance of each of 0..9 to its fourth nearest other: 4, 3, 2, 2, ..., 2, 3, 4."""
    usual = column([float(place) for place in range(10)])
    assert usual_radius(usual, reached=0.5) == 2.0
    assert usual_radius(usual, reached=1.0) == 4.0


def test_samples_that_leave_raise_it_and_samples_that_stay_do_not() -> None:
    generator = np.random.default_rng(0)
    usual, same = generator.normal(size=(2, 400, 8))
    radius = usual_radius(usual)
    stays = cluster_separation(usual, same, radius)
    leaves = np.concatenate([same[:200], same[:200] + 10.0])
    assert cluster_separation(usual, leaves, radius) > 3.0 * stays


def test_what_has_no_index_is_told() -> None:
    with pytest.raises(ValueError, match="rows of one length"):
        cluster_separation(np.zeros((3, 2)), np.zeros((3, 1)), 1.0)
    with pytest.raises(ValueError, match="empty"):
        cluster_separation(np.zeros((0, 2)), np.zeros((3, 2)), 1.0)
    with pytest.raises(ValueError, match="at least 5 vectors"):
        usual_radius(column([1.0, 2.0]))
