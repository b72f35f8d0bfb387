"""Claims about the course of a column along runs, planted true, false and drowned in noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from overopt.papers.contract import (
    All,
    AlongKl,
    Arm,
    Between,
    Claim,
    Equal,
    Form,
    HeldOut,
    JumpFromPeak,
    Largest,
    Last,
    Positive,
    more,
)
from overopt.report.verdicts.arms import ArmRows, Scope
from overopt.report.verdicts.claims import Rule
from overopt.report.verdicts.judging import judge
from overopt.stats.arrays import Floats

from .planted import HUMPED, STEADY, arm_rows, humped, saturating

BUDGETS = tuple(float(d) ** 2 for d in np.arange(0.2, 3.01, 0.2))
"""Every fifth of a unit of sqrt(KL), where the step is ten times that; gold peaks at step 20."""


def with_column(
    rows: ArmRows, name: str, value: Callable[[Floats], Floats], noise: float
) -> ArmRows:
    """Seeds with a further column, a function of their steps with some noise."""
    seeds = []
    for one in rows.worlds[0]:
        generator = np.random.default_rng((7, one.seed))
        step_K = one.column("step")
        column_K = value(step_K) + generator.normal(0.0, noise, step_K.size)
        seeds.append(replace(one, columns={**one.columns, name: column_K}))
    return replace(rows, worlds={0: tuple(seeds)})


def planted(value: Callable[[Floats], Floats], noise: float = 0.02) -> ArmRows:
    """Seeds that reach a KL within half a step of each other; equal ones show nothing."""
    rows = with_column(arm_rows(humped, budgets=BUDGETS), "csi", value, noise)
    seeds = []
    for one in rows.worlds[0]:
        off_K = np.random.default_rng((8, one.seed)).uniform(-0.25, 0.25, one.kl_K.size)
        seeds.append(replace(one, columns={**one.columns, "step": one.column("step") + off_K}))
    return replace(rows, worlds={0: tuple(seeds)})


def verdict(rule: Rule, measured: dict[Arm, ArmRows]) -> str:
    (found,) = judge([Claim("x-01", "a relation", "a number", "section 1", rule)], measured)
    return found.verdict


AT_PEAK = Equal(JumpFromPeak(HUMPED, "csi"), 0.1)


def jump_at(step: float) -> Callable[[Floats], Floats]:
    return lambda step_K: np.where(step_K > step, 1.0, 0.0)


def test_a_jump_at_the_peak_is_one_and_a_later_one_is_not() -> None:
    assert verdict(AT_PEAK, {HUMPED: planted(jump_at(20.0))}) == "reproduced"
    assert verdict(AT_PEAK, {HUMPED: planted(jump_at(26.5))}) == "contradicted"
    assert verdict(AT_PEAK, {HUMPED: planted(jump_at(9.0))}) == "contradicted"


def test_the_way_from_the_peak_to_the_jump_by_hand() -> None:
    clean = planted(jump_at(20.0))
    found_S1 = JumpFromPeak(HUMPED, "csi").read(Scope({HUMPED: clean}, (HUMPED,)))[0]
    # halfway from step 20, the peak, to 22, of 30
    assert found_S1 == pytest.approx(np.full((5, 1), 1.0 / 30.0), abs=0.02)


def test_a_jump_that_noise_hides_is_not_resolved() -> None:
    found = verdict(AT_PEAK, {HUMPED: planted(jump_at(20.0), noise=20.0)})
    assert found == "not resolved at this scale"


def test_a_column_that_never_rises_leaves_a_claim_open_and_one_that_was_not_stored_unrun() -> None:
    falls = {HUMPED: planted(lambda step_K: -step_K, noise=0.0)}
    (found,) = judge([Claim("x-01", "a relation", "a number", "section 1", AT_PEAK)], falls)
    assert found.verdict == "not resolved at this scale" and found.effect is None
    assert found.reason == f"csi of {HUMPED.name}, seed 0: it never rises"
    assert verdict(AT_PEAK, {HUMPED: arm_rows(humped, budgets=BUDGETS)}) == "not run here"


def test_the_largest_value_is_compared_wherever_it_lies() -> None:
    lower = with_column(arm_rows(saturating, number=2), "csi", lambda s: 1.0 - s / 100.0, 0.01)
    higher = with_column(arm_rows(humped, number=1), "csi", lambda s: s / 10.0, 0.01)
    rule = more(Largest(HUMPED, "csi"), Largest(STEADY, "csi"))
    assert verdict(rule, {HUMPED: higher, STEADY: lower}) == "reproduced"
    assert verdict(rule, {HUMPED: lower, STEADY: higher}) == "contradicted"
    same = with_column(arm_rows(saturating, number=3), "csi", lambda s: s / 10.0, 0.5)
    other = with_column(arm_rows(humped, number=4), "csi", lambda s: s / 10.0, 0.5)
    assert verdict(rule, {HUMPED: same, STEADY: other}) == "not resolved at this scale"
    tables = Largest(HUMPED, "csi").read(Scope({HUMPED: lower}, (HUMPED,)))
    assert tables[0] == pytest.approx(1.0, abs=0.05)  # at the initial policy


FALLS_THEN_RISES = All(
    (Positive(AlongKl(HUMPED, "mmd", "bend")), Positive(AlongKl(HUMPED, "mmd", "start"), sign=-1))
)


def distance(value: Callable[[Floats], Floats], noise: float = 0.02) -> dict[Arm, ArmRows]:
    """A column that is a function of KL; steps are ten times its root."""
    rows = arm_rows(humped, budgets=BUDGETS)
    return {HUMPED: with_column(rows, "mmd", lambda s: value((s / 10.0) ** 2), noise)}


def test_a_distance_that_falls_and_then_rises_is_told_from_others() -> None:
    assert verdict(FALLS_THEN_RISES, distance(lambda kl: (kl - 3.0) ** 2 / 10.0)) == "reproduced"
    assert verdict(FALLS_THEN_RISES, distance(lambda kl: kl - kl**2 / 20.0)) == "contradicted"
    only_rises = distance(lambda kl: kl / 10.0 + kl**2 / 10.0)
    assert verdict(Positive(AlongKl(HUMPED, "mmd", "bend")), only_rises) == "reproduced"
    assert verdict(FALLS_THEN_RISES, only_rises) == "contradicted"
    noise = distance(lambda kl: 0.0 * kl, noise=1.0)
    assert verdict(FALLS_THEN_RISES, noise) == "not resolved at this scale"


def along_forward(gold: Callable[[Floats], Floats], noise: float = 0.002) -> dict[Arm, ArmRows]:
    """Gold is a function of the root of the forward KL, which is 1.3 times KL's own root."""
    rows = with_column(
        arm_rows(humped, budgets=BUDGETS), "forward_kl_nats", lambda s: (0.13 * s) ** 2, 0.0
    )
    return {HUMPED: with_column(rows, "gold_mean", lambda s: gold(0.13 * s), noise)}


def rises_and_falls(d: Floats) -> Floats:
    return d * (1.0 - 0.8 * np.log(np.maximum(d, 1e-9)))


def test_a_form_is_held_out_over_another_divergence() -> None:
    arm, over = HUMPED, "forward_kl_nats"
    rule = more(HeldOut(arm, None, against=over), HeldOut(arm, Form.RL, against=over))
    assert verdict(rule, along_forward(rises_and_falls)) == "reproduced"
    flat = along_forward(lambda d: rises_and_falls(np.minimum(d, 1.2)))
    assert verdict(rule, flat) == "contradicted"
    noise = along_forward(lambda d: 0.0 * d, noise=1.0)
    assert verdict(rule, noise) != "reproduced"
    assert verdict(rule, {arm: arm_rows(humped, budgets=BUDGETS)}) == "not run here"


def test_what_ends_at_a_threshold_is_told_from_what_ends_above_it() -> None:
    """Columns that end, at step 30, at 1 and at 1.5; at steps before they are elsewhere."""
    at = planted(lambda s: s / 30.0, noise=0.005)
    above = planted(lambda s: s / 20.0, noise=0.005)
    near, least = (
        Between(Last(HUMPED, "csi"), 0.95, 1.05),
        Between(Last(HUMPED, "csi"), 0.95, float("inf")),
    )
    assert [verdict(rule, {HUMPED: at}) for rule in (near, least)] == ["reproduced"] * 2
    found = [verdict(rule, {HUMPED: above}) for rule in (near, least)]
    assert found == ["contradicted", "reproduced"]
    below = planted(lambda s: s / 60.0, noise=0.005)
    assert [verdict(rule, {HUMPED: below}) for rule in (near, least)] == ["contradicted"] * 2
    noise = planted(lambda s: s / 30.0, noise=2.0)
    assert verdict(near, {HUMPED: noise}) == "not resolved at this scale"
    (rows,) = at.worlds.values()
    gone = tuple(
        replace(one, columns={**one.columns, "csi": np.append(one.columns["csi"][:-1], np.nan)})
        for one in rows
    )
    assert verdict(near, {HUMPED: replace(at, worlds={0: gone})}) == "not run here"
