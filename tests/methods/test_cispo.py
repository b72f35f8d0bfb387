from __future__ import annotations

import math

import pytest

from overopt.methods.rollout import cispo, grpo

from . import rollouts


def test_every_token_keeps_its_gradient() -> None:
    """A = -+ .70706: w = 4 counts as 2, w = .5 as it is; GRPO clips both away."""
    move = [math.log(0.5), math.log(4.0)]
    config, seen = cispo.Config(ceiling=2.0), rollouts.rollout([1.0, 3.0])
    found = rollouts.slopes(cispo, config, rollouts.step(cispo, config, seen, move))
    assert found == pytest.approx([0.5 * 0.70706, -2 * 0.70706], abs=1e-4)
    base = grpo.Config()
    assert rollouts.slopes(grpo, base, rollouts.step(grpo, base, seen, move)) == [0.0, 0.0]


def test_the_first_step_is_grpos() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    mine, base = cispo.Config(beta=0.4), grpo.Config(beta=0.4)
    found = rollouts.slopes(cispo, mine, rollouts.step(cispo, mine, seen))
    assert found == pytest.approx(rollouts.slopes(grpo, base, rollouts.step(grpo, base, seen)))
