"""Forgeries that tier T2 finds, and how often it finds what is not there.

``SIMULATION_TIMES=100`` repeats every case as often as the page on verification says.
"""

from __future__ import annotations

import os

import pytest

from .forged import FORGERIES, failures, honest, make_stage, policy

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_found(name: str) -> None:
    forge, checks = FORGERIES[name]
    times = TIMES
    found = 0
    for number in range(times):
        stage = make_stage(number)
        model = policy(stage, 5, 0.4)
        found += bool(failures(stage, forge(stage, model, 1000 + 2 * number), number) & checks)
    print(f"{name}: found {found} of {times}")
    assert found >= 0.95 * times


def test_honest_entries_pass() -> None:
    times = 2 * TIMES
    wrong = 0
    for number in range(times):
        stage = make_stage(number)
        model = policy(stage, 5, 0.4)
        wrong += bool(failures(stage, honest(stage, model, 5000 + number), number))
    print(f"honest: {wrong} of {times} failed")
    assert wrong <= 0.01 * times + 3.5 * (0.01 * times) ** 0.5
