"""Times and sizes in words."""

from __future__ import annotations

import pytest

from overopt.report.quantities import show_bytes, show_duration


@pytest.mark.parametrize(
    ("wall_s", "told"),
    [
        (0.0, "0 s"),
        (0.0123, "0.012 s"),
        (69.3, "69 s"),
        (89.9, "90 s"),
        (90.0, "1.5 min"),
        (3600.0, "60 min"),
        (5400.0, "1.5 h"),
        (14 * 3600.0, "14 h"),
        (12_345 * 3600.0, "12,000 h"),
    ],
)
def test_durations(wall_s: float, told: str) -> None:
    assert show_duration(wall_s) == told


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [(0, "0 MB"), (20_000, "0.02 MB"), (250e6, "250 MB"), (1.5e9, "1.5 GB"), (140e9, "140 GB")],
)
def test_sizes(size_bytes: float, told: str) -> None:
    assert show_bytes(size_bytes) == told


def test_sizes_in_more_digits() -> None:
    assert show_bytes(2.468e9, 3) == "2.47 GB"
