"""Forgeries that tier T2 finds, and how often it finds what is not there.

An entry has a policy in each of three worlds. ``SIMULATION_TIMES`` repeats every case.
"""

from __future__ import annotations

import os

import pytest

from .forged import FORGERIES, Entry, failures, honest, make_stage, policy

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))
WORLDS = 3
QUICK = ("picked", "altered_logps")


def failed(name: str, number: int) -> set[str]:
    forge = FORGERIES[name][0] if name in FORGERIES else honest
    stages = [make_stage(WORLDS * number + world) for world in range(WORLDS)]
    entries: list[Entry] = [
        forge(stage, policy(stage, 5, 0.4), 1000 + 2 * (WORLDS * number + world))
        for world, stage in enumerate(stages)
    ]
    return failures(list(zip(stages, entries, strict=True)), number)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in FORGERIES],
)
def test_forgery_is_found(name: str) -> None:
    found = sum(bool(failed(name, number) & FORGERIES[name][1]) for number in range(TIMES))
    print(f"{name}: found {found} of {TIMES}")
    assert found >= 0.95 * TIMES


def test_honest_entries_pass() -> None:
    wrong = sum(bool(failed("honest", number)) for number in range(TIMES))
    print(f"honest: {wrong} of {TIMES} failed")
    assert wrong <= 0.01 * TIMES + 3.5 * (0.01 * TIMES) ** 0.5
