"""What is read where a run ends, and what a shared budget or equal samples make of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from overopt.papers.contract import OWN_END, AtSamples, FinalGold, Gold, Last, Peak, Wins
from overopt.report.verdicts.arms import ArmRows, NotMeasured, Scope
from overopt.stats.arrays import Floats

from .planted import HUMPED, STEADY, arm_rows, humped, saturating


def stopped(rows: ArmRows, at_nats: dict[int, float]) -> ArmRows:
    """Seeds that end at budgets of their own."""
    seeds = []
    for one in rows.worlds[0]:
        kept = one.kl_K <= at_nats.get(one.seed, np.inf)
        assert one.gain_KB is not None
        seeds.append(
            replace(
                one,
                kl_K=one.kl_K[kept],
                target_K=one.target_K[kept],
                columns={name: column[kept] for name, column in one.columns.items()},
                gain_KB=one.gain_KB[kept],
            )
        )
    return replace(rows, worlds={0: tuple(seeds)})


def having(rows: ArmRows, name: str, column_K: Floats) -> ArmRows:
    """Seeds with another column."""
    seeds = [replace(one, columns={**one.columns, name: column_K}) for one in rows.worlds[0]]
    return replace(rows, worlds={0: tuple(seeds)})


def test_one_seed_that_stops_early_moves_the_shared_budget_and_not_the_ends() -> None:
    rows = stopped(arm_rows(humped, noise=0.0), {2: 4.0})
    scope = Scope({HUMPED: rows}, (HUMPED,))
    assert Gold(HUMPED, OWN_END).read(scope)[0] == pytest.approx(np.ones((5, 24)))
    ends_SB = FinalGold(HUMPED).read(scope)[0]
    assert ends_SB[:, 0] == pytest.approx([0.75, 0.75, 1.0, 0.75, 0.75])
    assert ends_SB.shape == (5, 24)


def test_a_run_that_turns_back_ends_where_its_steps_do() -> None:
    """The last step is at 1 nat, the point of most KL at 9."""
    step_K = np.array([0.0, 1.0, 9.0, 3.0, 4.0, 5.0, 6.0])
    rows = having(arm_rows(humped, noise=0.0), "step", step_K)
    scope = Scope({HUMPED: rows}, (HUMPED,))
    last_SB = FinalGold(HUMPED).read(scope)[0]
    assert last_SB[:, 0] == pytest.approx(np.full(5, humped(1.0)))
    assert last_SB.mean() == pytest.approx(Last(HUMPED, "gold_mean").read(scope)[0].mean())
    furthest_SB = FinalGold(HUMPED, "kl_nats").read(scope)[0]
    assert furthest_SB[:, 0] == pytest.approx(np.full(5, humped(3.0)))


def test_a_method_without_steps_has_no_last_policy() -> None:
    rows = having(arm_rows(humped), "step", np.full(7, np.nan))
    with pytest.raises(NotMeasured, match="no step was stored"):
        FinalGold(HUMPED).read(Scope({HUMPED: rows}, (HUMPED,)))


def test_a_column_that_the_initial_policy_lacks_is_read_at_the_peak() -> None:
    column_K = np.array([np.nan, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    rows = having(arm_rows(humped, noise=0.0), "length_r2", column_K)
    found_S1 = Peak(HUMPED, "length_r2").read(Scope({HUMPED: rows}, (HUMPED,)))[0]
    assert found_S1 == pytest.approx(np.full((5, 1), 4.0))


def test_last_policies_win_whatever_their_kl() -> None:
    early = stopped(arm_rows(humped, number=1), dict.fromkeys(range(5), 4.0))
    scope = Scope({HUMPED: early, STEADY: arm_rows(humped, number=2)}, (HUMPED, STEADY))
    assert Wins(HUMPED, STEADY, last=True).read(scope)[0].mean() == 1.0  # 1 against .75
    assert 0.3 < Wins(HUMPED, STEADY).read(scope)[0].mean() < 0.7


def test_rewards_are_read_after_as_many_samples() -> None:
    """Both proxies are d; one run draws 100 samples for every unit of d, the other 50."""

    def drawing(rate: float, number: int) -> ArmRows:
        rows = arm_rows(saturating, number=number)
        return having(rows, "samples_drawn", rate * np.sqrt(rows.worlds[0][0].kl_K))

    scope = Scope({HUMPED: drawing(100.0, 1), STEADY: drawing(50.0, 2)}, (HUMPED, STEADY))
    # 150 samples are the end of the second, d = 3; the first has d = 1.5 by then
    many, few = (
        AtSamples(*arms, "proxy_mean").read(scope)[0]
        for arms in ((HUMPED, STEADY), (STEADY, HUMPED))
    )
    assert many == pytest.approx(np.full((5, 1), 1.5), abs=0.02)
    assert few == pytest.approx(np.full((5, 1), 3.0))
