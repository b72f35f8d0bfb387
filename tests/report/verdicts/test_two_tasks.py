"""Differences over two tasks, on arms whose curves are known."""

from __future__ import annotations

import pytest

from overopt.papers.contract import Apart, Arm, Gold, Minus, more
from overopt.report.verdicts.arms import ArmRows, Measured
from overopt.report.verdicts.claims import Verdict

from .planted import arm_rows
from .test_judging import verdict


def shifted(by: float, number: int, noise: float = 0.2) -> ArmRows:
    """Gold that rises by d, and so much more."""
    return arm_rows(lambda d: d + by * min(d, 1.0), number=number, noise=noise)


HERE = {name: Arm(name) for name in ("itp", "bon")}
THERE = {name: Arm(name, task="arithmetic") for name in ("itp", "bon")}


def over_tasks(here: float, there: float, noise: float = 0.05) -> Verdict:
    """So much more gold of one method than of the other, on two tasks with other budgets."""
    elsewhere = (0.3, 1.2, 2.4)
    measured: Measured = {
        HERE["itp"]: shifted(here, 1, noise),
        HERE["bon"]: shifted(0.0, 2, noise),
        THERE["itp"]: arm_rows(lambda d: d + there, number=3, budgets=elsewhere, noise=noise),
        THERE["bon"]: arm_rows(lambda d: d, number=4, budgets=elsewhere, noise=noise),
    }
    one, other = (Apart(Minus(Gold(arms["itp"]), Gold(arms["bon"]))) for arms in (HERE, THERE))
    return verdict(more(one, other), measured)


def test_a_difference_may_be_larger_on_one_task_than_on_another() -> None:
    """Each task is read at an end of its own: they share no budget."""
    assert over_tasks(0.5, 0.1).verdict == "reproduced"
    assert over_tasks(0.1, 0.5).verdict == "contradicted"
    assert over_tasks(0.3, 0.3, noise=0.5).verdict == "not resolved at this scale"
    assert over_tasks(0.5, 0.1).effect == pytest.approx(0.4, abs=0.05)


def test_an_arm_names_the_task_that_is_not_the_grids() -> None:
    assert HERE["bon"].name == "bon, single, noise 0.25"
    assert THERE["bon"].name == "bon, single, noise 0.25, on arithmetic"
