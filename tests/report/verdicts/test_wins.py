"""Shares of prompts won, on arms whose curves are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from overopt.papers.contract import All, Between, Wins, more
from overopt.report.verdicts.arms import ArmRows, Measured, Scope
from overopt.report.verdicts.claims import Verdict
from overopt.stats.arrays import Floats

from .planted import HIGHER, HUMPED, STEADY, arm_rows
from .test_judging import value, verdict


def shifted(by: float, number: int, noise: float = 0.2) -> ArmRows:
    """Gold that rises by d, and so much more."""
    return arm_rows(lambda d: d + by * min(d, 1.0), number=number, noise=noise)


def wins(first: ArmRows, second: ArmRows, *, low: float = 0.5) -> Verdict:
    measured: Measured = {HIGHER: first, STEADY: second}
    return verdict(Between(Wins(HIGHER, STEADY), low, 1.0), measured)


def test_a_share_of_prompts_by_hand() -> None:
    """Two seeds, four prompts: ahead, behind, level, ahead; then behind thrice and level."""
    ahead = np.array([[1.0, -1.0, 0.0, 2.0], [-1.0, -2.0, -0.5, 0.0]])
    rows = arm_rows(lambda d: d, seeds=2, budgets=(1.0,))

    def planted(gain_SB: Floats) -> ArmRows:
        seeds = [
            replace(one, gain_KB=np.stack([np.zeros(4), gain_B]))
            for one, gain_B in zip(rows.worlds[0], gain_SB, strict=True)
        ]
        return replace(rows, worlds={0: tuple(seeds)})

    measured: Measured = {HIGHER: planted(ahead), STEADY: planted(np.zeros((2, 4)))}
    (table,) = Wins(HIGHER, STEADY).read(Scope(measured, (HIGHER, STEADY))).values()
    assert table.tolist() == [[1.0, 0.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.5]]
    assert value(Wins(HIGHER, STEADY), measured) == pytest.approx(3.0 / 8.0)


def test_who_is_ahead_wins_and_who_is_behind_loses() -> None:
    assert wins(shifted(0.2, 1), shifted(0.0, 2)).verdict == "reproduced"
    assert wins(shifted(0.0, 1), shifted(0.2, 2)).verdict == "contradicted"
    assert wins(shifted(0.0, 1), shifted(0.0, 2)).verdict == "not resolved at this scale"


def test_wins_without_gold_by_prompt_are_not_measured() -> None:
    found = wins(arm_rows(lambda d: d, prompts=False), shifted(0.0, 2))
    assert found.verdict == "not run here" and "same prompts" in found.reason


def test_larger_shares_are_ordered() -> None:
    measured: Measured = {
        HUMPED: shifted(0.0, 1),
        STEADY: shifted(0.1, 2),
        HIGHER: shifted(0.5, 3),
    }
    larger = more(Wins(HIGHER, HUMPED), Wins(STEADY, HUMPED))
    assert verdict(All((larger,)), measured).verdict == "reproduced"
    smaller = more(Wins(STEADY, HUMPED), Wins(HIGHER, HUMPED))
    assert verdict(All((smaller,)), measured).verdict == "contradicted"
