"""Statistics of whole runs, by curves that are drawn by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from overopt.papers.contract import (
    Arm,
    Gamma,
    ResetDrop,
    RewardAtKl,
    StepShare,
    StepsToRegain,
    Trained,
)
from overopt.report.verdicts.arms import ArmRows, NotMeasured, OutOfReach, Scope, Undefined
from overopt.report.verdicts.statistics import Statistic
from overopt.report.verdicts.training import TAIL

from .planted import HUMPED, STEADY, arm_rows, humped, saturating

PERIOD = 20


def read(statistic: Statistic, rows: ArmRows, arm: Arm = HUMPED) -> float:
    tables = statistic.read(Scope({arm: rows}, (arm,)))
    return float(np.mean([one.mean() for one in tables.values()]))


def trained(column: str, of_step: Callable[[np.ndarray], np.ndarray]) -> ArmRows:
    """Planted curves whose training saw a column at the steps 1 to 100."""
    step_K = np.arange(1.0, 101.0)
    training = {"step": step_K, column: of_step(step_K)}
    planted = arm_rows(humped, number=1)
    worlds = {
        world: tuple(replace(seed, training=training) for seed in seeds)
        for world, seeds in planted.worlds.items()
    }
    return ArmRows(worlds, planted.estimator, planted.folders)


def test_the_change_in_training_is_read_at_its_last_fifth() -> None:
    rows = trained("loss", lambda step: -0.1 * step)
    assert TAIL == 0.2
    # the first is -0.1, the last twenty have the mean -0.1 (81 + 100) / 2
    assert read(Trained(HUMPED, "loss"), rows) == pytest.approx(-9.05 + 0.1)


def test_a_late_slope_forgets_the_first_half() -> None:
    rows = trained("kl_nats", lambda step: np.minimum(step, 40.0) + 0.02 * step)
    assert read(Trained(HUMPED, "kl_nats", "late-slope"), rows) == pytest.approx(2.0)


def test_what_a_reset_took_is_regained_within_a_share_of_the_period() -> None:
    """At a reset's own step the reward is 0; it rises by .25 a step for 4 steps, and stays at 1."""
    rows = trained("reward_mean", lambda step: np.minimum(1.0, 0.25 * (step % PERIOD)))
    # 95 % of the way from 0 to 1 is passed four steps after the reset, 30 % two steps after it
    assert read(StepsToRegain(HUMPED, PERIOD), rows) == pytest.approx(4 / PERIOD)
    assert read(StepsToRegain(HUMPED, PERIOD, share=0.3), rows) == pytest.approx(2 / PERIOD)


def test_a_reset_takes_what_the_end_of_the_period_had_more() -> None:
    rows = trained("kl_nats", lambda step: 0.1 * (step % PERIOD))
    # rows 17, 18 and 19 steps after the last reset, less the row of the reset itself, 0
    assert read(ResetDrop(HUMPED, PERIOD), rows) == pytest.approx(1.8)
    still = trained("kl_nats", lambda step: np.full_like(step, 0.7))
    assert read(ResetDrop(HUMPED, PERIOD), still) == pytest.approx(0.0)
    with pytest.raises(NotMeasured, match="no reset"):
        read(ResetDrop(HUMPED, 200), rows)


def test_rewards_are_compared_at_a_kl_that_both_runs_come_to() -> None:
    """Two runs with reward 2 d and 3 d; one of them turns back to a KL near 0 every 20 steps."""

    def ran(kl: Callable[[np.ndarray], np.ndarray], slope: float) -> ArmRows:
        rows = trained("kl_nats", kl)
        worlds = {
            world: tuple(
                replace(
                    one,
                    training={
                        **one.training,
                        "reward_mean": slope * np.sqrt(one.training["kl_nats"]),
                    },
                )
                for one in seeds
            )
            for world, seeds in rows.worlds.items()
        }
        return replace(rows, worlds=worlds)

    measured = {
        HUMPED: ran(lambda step: 0.2 * (step % PERIOD), 3.0),
        STEADY: ran(lambda step: 0.05 * step, 2.0),
    }
    scope = Scope(measured, (HUMPED, STEADY))
    # the upper fifths begin at 0.2 * 15 = 3 and at 0.05 * 80 = 4 nats
    at = np.sqrt(3.0)
    here = RewardAtKl(HUMPED, STEADY, after=PERIOD).read(scope)
    there = RewardAtKl(STEADY, HUMPED, other_after=PERIOD).read(scope)
    assert here[0] == pytest.approx(3.0 * at, abs=0.15)
    assert there[0] == pytest.approx(2.0 * at, abs=0.1)
    with pytest.raises(OutOfReach, match="hardly at"):
        far = {HUMPED: measured[HUMPED], STEADY: ran(lambda step: 40.0 + step * 0, 1.0)}
        RewardAtKl(STEADY, HUMPED).read(Scope(far, (HUMPED, STEADY)))


def test_a_reward_that_does_not_come_back_counts_as_a_whole_period() -> None:
    rows = trained("reward_mean", lambda step: -(step // PERIOD))
    assert read(StepsToRegain(HUMPED, PERIOD), rows) == 1.0


def test_training_that_was_not_stored_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="no loss in the training of seed"):
        read(Trained(HUMPED, "loss"), arm_rows(humped, number=1))


def test_gamma_is_0_where_gold_follows_the_proxy_and_grows_with_the_gap() -> None:
    together = arm_rows(humped, humped, number=1, noise=0.0)
    assert read(Gamma(HUMPED), together) == pytest.approx(0.0, abs=1e-9)
    apart = arm_rows(saturating, lambda d: saturating(d) + 0.5 * d, number=1, noise=0.0)
    further = arm_rows(saturating, lambda d: saturating(d) + 1.0 * d, number=1, noise=0.0)
    assert 0.1 < read(Gamma(HUMPED), apart) < read(Gamma(HUMPED), further)
    ordered = Gamma(HUMPED, ordered=True)
    assert read(ordered, apart) < read(ordered, further) < 0.0
    assert read(ordered, apart) == pytest.approx(-1.0 / read(Gamma(HUMPED), apart), rel=1e-3)
    falling = arm_rows(lambda d: -d, lambda d: d, number=1, noise=0.0)
    assert read(ordered, falling) > 0.0
    with pytest.raises(Undefined, match="gold has no area"):
        read(Gamma(HUMPED), falling)


def test_gamma_of_the_claims_is_over_the_root_of_kl() -> None:
    """To 4 nats: 7/8 over d, and 21/19 over KL, where it would rank behind a gold of half d."""
    budgets = (0.5, 1.0, 2.0, 4.0)
    falling, half = (
        arm_rows(gold, number=1, noise=0.0, budgets=budgets)
        for gold in (lambda d: d - 0.35 * d**2, lambda d: 0.5 * d)
    )
    assert read(Gamma(HUMPED), falling) == pytest.approx(7 / 8)
    assert read(Gamma(HUMPED), half) == pytest.approx(1.0)
    assert read(Gamma(HUMPED, ordered=True), falling) == pytest.approx(-8 / 7)


def _with_steps(steps: list[float]) -> ArmRows:
    rows = arm_rows(humped, seeds=1, budgets=(1.0, 2.0))
    (one,) = rows.worlds[0]
    columns = {**one.columns, "gradient_steps": np.array(steps)}
    return ArmRows({0: (replace(one, columns=columns),)}, rows.estimator, rows.folders)


def test_steps_are_a_share_of_those_of_all_others() -> None:
    other, third = Arm("rloo"), Arm("ppo")
    rows = {
        HUMPED: _with_steps([np.nan, 20.0, 50.0]),
        other: _with_steps([np.nan, 60.0, 80.0]),
        third: _with_steps([np.nan, 120.0, 120.0]),
    }
    share = StepShare(HUMPED, (other, third))
    (table,) = share.read(Scope(rows, share.arms)).values()
    assert table.tolist() == [[0.25]]
    rows[other] = _with_steps([np.nan, np.nan, np.nan])
    with pytest.raises(NotMeasured, match="no gradient steps"):
        share.read(Scope(rows, share.arms))
