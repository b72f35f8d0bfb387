"""Statistics of exams on planted marks: r2 by hand, and claims of kim2025 that are true or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from operator import mul

import numpy as np
import pytest

from overopt.papers.contract import Arm, Leading, Marked, Related, Squared, examined
from overopt.papers.kim2025 import BON, EXAMINED, PAPER, POINTS, PPO
from overopt.report.verdicts.arms import ArmRows, Measured, NotMeasured, OutOfReach, Scope, SeedRows
from overopt.report.verdicts.judging import judge
from overopt.report.verdicts.statistics import Tables

from .planted import arm_rows

ARMS = tuple(examined(Arm("bon", proxy_width=width)) for width in (8, 16, 32, 64))
Marks = dict[tuple[str, str], float]


def rows(marks: list[Marks]) -> ArmRows:
    """Seeds that sat an exam and did nothing else."""
    none = np.zeros(0)
    return ArmRows(
        {
            0: tuple(
                SeedRows(seed, none, none, {}, None, marks=one) for seed, one in enumerate(marks)
            )
        }
    )


def planted(of_arm: Callable[[int], Marks]) -> Measured:
    return {arm: rows([of_arm(number)]) for number, arm in enumerate(ARMS)}


@dataclass(frozen=True)
class Given:
    """Numbers of one seed."""

    value: float

    @property
    def arms(self) -> tuple[Arm, ...]:
        return ()

    @property
    def name(self) -> str:
        return "given"

    def read(self, scope: Scope) -> Tables:
        return {0: np.array([[self.value]])}


def test_r2_is_the_square_of_spearman() -> None:
    # ranks 1 2 3 4 against 2 1 4 3: rho = 1 - 6 * 4 / (4 * 15) = .6
    measured = planted(lambda arm: {("gap", "x"): [1.0, 2.0, 3.0, 4.0][arm],
                                    ("gap", "y"): [2.0, 1.0, 4.0, 3.0][arm]})  # fmt: skip
    pairs = tuple((Marked(arm, "gap", "x"), Marked(arm, "gap", "y")) for arm in ARMS)
    found = Squared(Related("both", pairs)).read(Scope(measured, ARMS))
    assert found[0].item() == pytest.approx(0.36)


def test_a_mark_that_is_not_there_is_told() -> None:
    scope = Scope(planted(lambda arm: {}), ARMS)
    with pytest.raises(NotMeasured, match="no x of the exam 'gap'"):
        Marked(ARMS[0], "gap", "x").read(scope)


def test_the_leading_coefficient_of_a_line_and_of_a_parabola() -> None:
    scope = Scope(planted(lambda arm: {}), ARMS)
    x = (0.1, 0.4, 0.7, 0.9)
    line = tuple((Given(one), Given(2.0 - 3.0 * one)) for one in x)
    bent = tuple((Given(one), Given(1.0 + one - 2.5 * one**2)) for one in x)
    assert Leading("l", line, 1).read(scope)[0].item() == pytest.approx(-3.0)
    assert Leading("b", bent, 2).read(scope)[0].item() == pytest.approx(-2.5)
    assert Leading("b", bent, 2, 0.9).read(scope)[0].item() == pytest.approx(-2.5)
    with pytest.raises(OutOfReach, match=r"the largest is 0\.9"):
        Leading("b", bent, 2, 0.95).read(scope)
    with pytest.raises(NotMeasured, match="fewer than 3"):
        Leading("b", bent[:2] * 3, 2).read(scope)


SEEDS = 6


def kim(told: Callable[[str, str], float], ppo: Callable[[str, str], float]) -> Measured:
    """All reward models, with marks that follow gamma, and gold of PPO, as far as is said.

    Reward model i of 15 has a proxy i times as far above gold. An accuracy is made of the ranks of
    gamma and of an order of PPO that has nothing to do with it, and of noise.
    """
    measured: dict[Arm, ArmRows] = {}
    generator = np.random.default_rng(0)
    ppo_order = np.random.default_rng(5).permutation(15)
    for number, (bon, exam, ppo_arm) in enumerate(zip(BON, EXAMINED, PPO, strict=True)):
        steep = 1.5 + 0.2 * number
        measured[bon] = arm_rows(
            lambda d: d * (1.0 - d / 8.0), partial(mul, steep), number=number, seeds=SEEDS
        )
        good = 1.0 + 0.1 * float(ppo_order[number])
        measured[ppo_arm] = arm_rows(partial(mul, good), number=number, seeds=SEEDS)
        seeds = []
        for _ in range(SEEDS):
            marks: Marks = {}
            for at in POINTS:
                marks[at] = (
                    -told(*at) * (number - 7.0)
                    + ppo(*at) * (float(ppo_order[number]) - 7.0)
                    + 2.0 * float(generator.standard_normal())
                )
            for place, name in enumerate(
                ("alike", "one-model", "other-model", "many-models", "diverse")
            ):
                marks[name, "diversity"] = 0.2 + 0.15 * place
            seeds.append(marks)
        measured[exam] = rows(seeds)
    return measured


STRENGTH = {
    "gap": 0.0, "gap-many": 0.1, "matched": 1.0, "matched-many": 1.0, "one-one": 0.05,
    "two-two": 0.5, "four-four": 3.0, "alike": 0.05, "one-model": 0.4, "other-model": 0.4,
    "many-models": 1.2, "diverse": 3.0,
}  # fmt: skip
"""How strongly all wins of a design follow gamma, as the paper has it."""


OPPOSITE = {
    "gap": 3.0, "gap-many": 3.0, "matched": 0.1, "matched-many": 0.1, "one-one": 3.0,
    "two-two": 0.5, "four-four": 0.1, "alike": 3.0, "one-model": 1.2, "other-model": 1.2,
    "many-models": 0.1, "diverse": 0.05,
}  # fmt: skip


def as_reported(design: str, of: str) -> float:
    return STRENGTH[design] * (1.0 if of == "all wins" else 0.25)


def prefers_mean(design: str, of: str) -> float:
    return 0.0 if of == "all wins" else 1.0


def verdicts(measured: Measured) -> dict[str, str]:
    claims = [claim for claim in PAPER.claims if claim.id not in ("kim-01", "kim-06")]
    return {one.claim.id: one.verdict for one in judge(claims, measured)}


def test_what_is_reported_is_reproduced() -> None:
    found = verdicts(kim(as_reported, prefers_mean))
    assert set(found.values()) == {"reproduced"}, found


def test_the_opposite_is_contradicted() -> None:
    found = verdicts(
        kim(
            lambda design, of: OPPOSITE[design] if of == "all wins" else 3.0,
            lambda design, of: 0.3 if of == "all wins" else 0.0,
        )
    )
    assert set(found.values()) == {"contradicted"}, found


def test_noise_is_not_resolved() -> None:
    found = verdicts(kim(lambda design, of: 0.0, lambda design, of: 0.0))
    assert set(found.values()) == {"not resolved at this scale"}, found


def turning(bend: float) -> str:
    """The verdict of kim-06 where r2 with PPO is a parabola of r2 with gamma."""
    (claim,) = [one for one in PAPER.claims if one.id == "kim-06"]
    x = np.linspace(0.05, 0.95, 12)
    noise = 0.02 * np.random.default_rng(0).standard_normal((SEEDS, 12))

    @dataclass(frozen=True)
    class Column:
        values: tuple[float, ...]
        arms: tuple[Arm, ...] = ARMS
        name: str = "column"

        def read(self, scope: Scope) -> Tables:
            return {0: np.array(self.values)[:, None]}

    points = tuple(
        (Column((float(one),) * SEEDS), Column(tuple(0.5 * one + bend * one**2 + noise[:, place])))
        for place, one in enumerate(x)
    )
    rule = claim.rule
    assert rule is not None
    curve = replace(rule, statistic=Leading("bend", points, 2, 0.9))  # type: ignore[type-var]  # a rule of one statistic
    measured = {arm: rows([{}] * SEEDS) for arm in ARMS}
    (found,) = judge([replace(claim, rule=curve)], measured)
    return found.verdict


@pytest.mark.parametrize(
    ("bend", "verdict"),
    [(-0.5, "reproduced"), (0.5, "contradicted"), (0.0, "not resolved at this scale")],
)
def test_a_curve_that_turns(bend: float, verdict: str) -> None:
    assert turning(bend) == verdict
