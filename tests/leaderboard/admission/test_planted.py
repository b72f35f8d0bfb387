"""Planted worlds: the sound one passes, and each defect is told by the check that looks for it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from overopt.commands.admit.admit import judge_runs
from overopt.leaderboard.admission.checks import Apart, Gain, Measured, Verdict, judge
from overopt.leaderboard.admission.ledger import NO_RESULT, make_page

from .planted import SOUND, judged, plant


def test_a_sound_task_passes(tmp_path: Path) -> None:
    plant(tmp_path, SOUND, worlds=(0, 1, 2))
    row = judged(tmp_path)
    assert (row.verdict, row.reason) == ("PASS", "all checks hold")
    found = row.found
    assert found is not None
    assert found.gold.mean == pytest.approx(1.2, abs=0.1)
    assert found.proxy_random.mean == pytest.approx(0.7, abs=0.1)
    assert found.constant_kl_nats == 0.0
    assert "**PASS**" in make_page([row])


DEFECTS: dict[str, tuple[dict[str, tuple[float, ...]], Verdict]] = {
    "gold rises against itself": ({"control-gold": (0.0, 0.0, 0.0, 0.0)}, "DEGENERATE"),
    "random does nothing": ({"control-random": (0.3, 0.4, 0.4, 0.4)}, "DEGENERATE"),
    "constant gains nothing": ({"control-constant": (0.3, 0.4)}, "DEGENERATE"),
    "gold is more than length": ({"control-longest": (0.8, 1.2, 1.6, 2.0)}, "DEGENERATE"),
    "gold beats the proxy": ({"single": (0.8, 1.25, 1.2, 0.2)}, "FAIL"),
    "the proxy beats random": ({"single": (0.0, 0.0, 0.5, 0.2)}, "FAIL"),
    "gold rises": ({"single": (-0.1, 0.0, -0.2, -0.3)}, "FAIL"),
    "gold falls": ({"single": (0.5, 0.6, 0.7, 0.7)}, "FAIL"),
}


@pytest.mark.parametrize("check", DEFECTS)
def test_each_check_can_fail(tmp_path: Path, check: str) -> None:
    laws, verdict = DEFECTS[check]
    plant(tmp_path, {**SOUND, **laws})
    row = judged(tmp_path)
    assert row.verdict == verdict
    assert check in [one.name for one in row.checks if one.outcome != "holds"], row.reason


def test_a_constant_reward_that_moves_only_some_seeds_is_not_in_order() -> None:
    gain = Gain(1.0, 0.9, 1.1)
    apart = Apart(1.0, 0.001, 0.1)
    known: dict[str, Any] = dict.fromkeys(Measured._fields, gain)
    known |= {"task": "t", "whole": False, "worlds": (0,), "seeds": 5, "method": "bon"}
    known |= {name: 1.0 for name in Measured._fields if name.endswith("nats")}
    known |= dict.fromkeys(("gold_proxy", "proxy_random", "gold_longest"), apart)
    known["random"] = Gain(0.0, -0.1, 0.1)
    known["fall"] = Gain(-1.0, -1.1, -0.9)
    for constant, verdict in (
        (Gain(0.0, -0.1, 0.1), "PASS"),
        (Gain(math.nan, math.nan, math.nan), "DEGENERATE"),
    ):
        assert judge(Measured(**{**known, "constant_gold": constant}))[0] == verdict
    still = {**known, "constant_gold": Gain(math.nan, math.nan, math.nan), "constant_kl_nats": 0.0}
    assert judge(Measured(**still))[0] == "PASS"


def test_a_design_without_power_fails(tmp_path: Path) -> None:
    plant(tmp_path, SOUND, noise=0.9)
    row = judged(tmp_path)
    assert "power" in [one.name for one in row.checks if one.outcome == "fails"]


def test_few_seeds_and_few_worlds_fail(tmp_path: Path) -> None:
    plant(tmp_path, SOUND, seeds=3, worlds=(0, 1))
    missed = [one.name for one in judged(tmp_path).checks if one.outcome == "fails"]
    assert {"enough seeds", "enough worlds"} <= set(missed)


def test_one_world_is_no_task(tmp_path: Path) -> None:
    plant(tmp_path, SOUND)
    task, world = judge_runs(["tabular"], tmp_path)
    assert (task.scope, task.verdict) == ("task", "FAIL")
    assert task.reason == "enough worlds: worlds: 1; 3 are asked for"
    assert (world.scope, world.verdict, world.reason) == ("world", "PASS", "all checks hold")


def test_three_worlds_are_judged_together_and_alone(tmp_path: Path) -> None:
    plant(tmp_path, SOUND, worlds=(0, 1, 2))
    rows = judge_runs(["tabular", "tldr"], tmp_path)
    assert [(row.task, row.found.worlds if row.found else ()) for row in rows] == [
        ("tabular", (0, 1, 2)), ("tabular", (0,)), ("tabular", (1,)), ("tabular", (2,)),
        ("tldr", ()),
    ]  # fmt: skip
    assert [row.verdict for row in rows[1:]] == ["PASS", "PASS", "PASS", "NO RESULT"]
    assert rows[4].reason == NO_RESULT
