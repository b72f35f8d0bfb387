from __future__ import annotations

import math

import pytest

from overopt.methods.rollout import grpo, sapo

from . import rollouts


def test_gate_by_hand() -> None:
    """w = 2: 4 s(1) of A > 0, 4/1.05 s(1.05) of A < 0, A = -+ .70706."""
    config = sapo.Config()
    taken = rollouts.step(sapo, config, rollouts.rollout([1.0, 3.0]), [math.log(2.0)] * 2)
    up, down = 4 / (1 + math.exp(-1)), 4 / 1.05 / (1 + math.exp(-1.05))
    found = sapo.loss(config, taken)[0].tolist()
    assert found == pytest.approx([0.70706 * down, -0.70706 * up], abs=1e-4)


def test_the_first_step_has_grpos_gradient() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    mine, base = sapo.Config(beta=0.4), grpo.Config(beta=0.4)
    found = rollouts.slopes(sapo, mine, rollouts.step(sapo, mine, seen))
    assert found == pytest.approx(rollouts.slopes(grpo, base, rollouts.step(grpo, base, seen)))


def test_gradients_fade_on_both_sides_and_faster_where_it_unlearns() -> None:
    config, seen = sapo.Config(other_sharpness=3.0), rollouts.rollout([1.0, 3.0])
    still, far = (
        rollouts.slopes(sapo, config, rollouts.step(sapo, config, seen, [by, by]))
        for by in (0.0, math.log(3.0))
    )
    assert still == pytest.approx([0.70706, -0.70706], abs=1e-4)
    # slope of the gate at w = 3, times w: 4 s(2) s(-2) x 3 and 4 s(6) s(-6) x 3
    assert far[1] / still[1] == pytest.approx(1.2599, abs=1e-3)
    assert far[0] / still[0] == pytest.approx(0.0296, abs=1e-3)
