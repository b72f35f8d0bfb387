"""What the documentation says of moved ranks is what a simulation finds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import overopt

from .manipulation import WEAK, Design, choose_cells, hide_by_weak_entries

PAGE = Path(overopt.__file__).parent / "docs" / "leaderboard.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d × \d ", line)
]


def _design(row: list[str]) -> Design:
    return Design(*(int(part) for part in row[0].split(" × ")))


def _near(share: float, told: str, studies: int) -> bool:
    """Whether both agree within 4 standard errors of two such simulations."""
    error = np.sqrt(2 * max(float(told) * (1 - float(told)), 0.02) / studies)
    return bool(abs(share - float(told)) <= 4 * error + 0.005)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if " " not in row[1]], ids=" ".join)
def test_weak_entries(row: list[str]) -> None:
    design, studies = _design(row), 100
    rng = np.random.default_rng(1)
    before, after, new = hide_by_weak_entries(design, int(row[1]), WEAK[design], studies, rng)
    assert _near(before, row[2], studies) and _near(after, row[3], studies)
    assert new == float(row[4]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS if " " in row[1]], ids=" ".join)
def test_chosen_cells(row: list[str]) -> None:
    studies = 300
    tried = int(row[1].split()[0])
    found = choose_cells(_design(row), tried, studies, np.random.default_rng(1))
    assert _near(found[0], row[2], studies) and _near(found[2], row[4], studies)
    assert found[1] == pytest.approx(float(row[3]), abs=0.1)


def test_choosing_seeds_is_told_by_fresh_ones() -> None:
    false, lead, fresh = choose_cells(Design(1, 5), 20, 60, np.random.default_rng(2))
    assert false > 0.8 and lead > 1.3 and fresh < 0.15


def test_the_tables_are_there() -> None:
    assert len(ROWS) == 15
