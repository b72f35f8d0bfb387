"""Forgeries that tier T2 finds, and how often it finds what is not there.

An entry has a policy in each of three worlds. ``SIMULATION_TIMES`` repeats every case.
``POWER_TIMES=200 pytest -m slow tests/leaderboard/verification/test_forgeries.py -k power``
counts what is found of a single policy, and prints exact intervals.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from scipy.stats import binomtest

from overopt.leaderboard.tiers.t2 import Looked
from overopt.leaderboard.verification.trial import Trial

from .forged import (
    FORGERIES,
    POINT,
    SMALLER,
    Entry,
    cell_of,
    failures,
    honest,
    make_stage,
    policy,
)

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))
POWER_TIMES = int(os.environ.get("POWER_TIMES", "50"))
ONE_POLICY = 0.95, {"temperature 0.5", "temperature 0.7", "picked", "other_policy"} | {
    "altered_logps", "wrong_reference", "scaled_weights"
}  # fmt: skip
"""The power, and the forgeries that have it in a single policy of 16 prompts x 64 samples."""
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


def test_tasks_that_share_a_world_are_judged_apart() -> None:
    """World 0 of two tasks, which have other prompts."""
    looked = Looked(Trial(folder=None, secret=1, deals=199))  # type: ignore[arg-type]
    for prompts, task in ((16, "one"), (8, "other")):
        stage = make_stage(1, prompts)._replace(task=task)
        entry = honest(stage, policy(stage, 5, 0.4), 1000)
        looked.judge_policy(stage, cell_of(0), POINT, entry.weights, entry.samples, task)
    (told,) = [one.words for one in looked.conclude() if one.check == "hidden_gold"]
    assert "in 2 worlds" in told


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_power_in_one_policy(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without hidden prompts, which are for what is right and was learned by heart."""
    by: Counter[str] = Counter()
    found = 0
    for number in range(POWER_TIMES):
        stage = make_stage(5000 + number)._replace(hidden=None)
        entry = SMALLER[name](stage, policy(stage, 5, 0.4), 9000 + 2 * number)
        failed_checks = failures([(stage, entry)], number)
        by.update(failed_checks)
        found += bool(failed_checks)
    exact = binomtest(found, POWER_TIMES).proportion_ci(0.95)
    with capsys.disabled():
        print(f"\n{name}: {found} of {POWER_TIMES} [{exact.low:.3f}, {exact.high:.3f}] {dict(by)}")
    least, strong = ONE_POLICY
    if name == "honest":
        assert found <= 0.01 * POWER_TIMES + 3.5 * (0.01 * POWER_TIMES) ** 0.5
    elif name in strong:
        assert exact.high >= least
