"""Real cells leave the same bytes whatever runs their stages, by the command line."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from benchmarks import real_cells


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        "workers",
        pytest.param(
            "ray",
            marks=pytest.mark.skipif(
                find_spec("ray") is None, reason="the extra overopt[ray] is not installed"
            ),
        ),
    ],
)
def test_real_cells_are_the_same_bytes(other: str) -> None:
    """It is told which ones where they are not."""
    real_cells.main(["local", other])
