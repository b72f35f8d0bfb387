"""What a ranking calls its ties."""

from __future__ import annotations

import numpy as np

from overopt.report.comparison.ranking import name_ties


def test_many_groups_of_ties_are_counted_and_not_lettered() -> None:
    """Methods on a line, each told from all but its two neighbors: 59 groups of two."""
    place = np.arange(60)
    far = np.abs(place[:, None] - place) > 1
    assert name_ties(far) == ["1 other", *["2 others"] * 58, "1 other"]
    assert name_ties(far[:4, :4]) == ["a", "ab", "bc", "c"]
    assert name_ties(~np.eye(60, dtype=np.bool_)) == ["0 others"] * 60
