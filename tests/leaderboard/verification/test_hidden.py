"""Hidden prompts are new ones, and the test on them keeps its level and has power."""

from __future__ import annotations

import os

import numpy as np
import pytest

from overopt.leaderboard.verification.hidden import Shown, hidden_prompts, judge_hidden
from overopt.spec.world import WorldSpec
from overopt.worlds.contract import build

TIMES = int(os.environ.get("SIMULATION_TIMES", "1"))


def test_hidden_prompts_are_new() -> None:
    spec = WorldSpec(kind="tabular", seed=4, train_prompts=32, heldout_prompts=16)
    world = build(spec)
    found = hidden_prompts(spec, world, 64, np.random.default_rng(0))
    assert found is not None
    rows = {ids.tobytes() for ids in found.ids_NT}
    assert len(rows) == found.rows() == 64
    for known in (world.train_prompts, world.heldout_prompts):
        assert rows.isdisjoint({ids.tobytes() for ids in known.ids_NT})


def test_a_world_without_prompts_in_reserve_has_none() -> None:
    spec = WorldSpec(kind="tabular", seed=4, train_prompts=100, heldout_prompts=25)
    assert hidden_prompts(spec, build(spec), 64, np.random.default_rng(0)) is None


def shown(rng: np.random.Generator, excess: float = 0.0) -> Shown:
    """Skewed numbers of 16 and 64 prompts."""
    gain, kl = rng.exponential(size=80), rng.exponential(size=80)
    return Shown(gain[:16] + excess, gain[16:], kl[:16] - excess, kl[16:])


def alarms(times: int, level: float, worlds: int, excess: float) -> tuple[int, int]:
    rng = np.random.default_rng(8)
    p_R2 = np.array(
        [judge_hidden([shown(rng, excess) for _ in range(worlds)]) for _ in range(times)]
    )
    gold, kl = (p_R2 <= level).sum(axis=0)
    return int(gold), int(kl)


def test_false_alarms_keep_the_level() -> None:
    for worlds in (1, 3):
        times = 15 * TIMES
        bound = times * 0.05 + 3.5 * (times * 0.05 * 0.95) ** 0.5
        assert max(alarms(times, 0.05, worlds, 0.0)) <= bound


def test_what_was_learned_by_heart_is_found() -> None:
    gold, kl = alarms(10 * TIMES, 0.0033, 3, 1.5)
    assert min(gold, kl) >= 9.5 * TIMES


def test_what_does_not_vary_is_no_alarm() -> None:
    still = Shown(np.ones(16), np.ones(64), np.zeros(16), np.zeros(64))
    assert judge_hidden([still]) == (1.0, 1.0)


@pytest.mark.parametrize("third", ["too modest", "constant"])
def test_one_world_does_not_hide_what_others_show(third: str) -> None:
    rng = np.random.default_rng(2)

    def world(excess: float) -> Shown:
        gain, kl = rng.normal(size=320), rng.normal(size=320)
        return Shown(gain[:64] + excess, gain[64:], kl[:64] - excess, kl[64:])

    still = Shown(np.ones(64), np.ones(256), np.zeros(64), np.zeros(256))
    last = world(-0.7) if third == "too modest" else still
    assert max(judge_hidden([world(3.0), world(3.0), last])) <= 0.0025
