from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.math.step_returns import more_than_the_last, step_chance
from overopt.methods.rollout import mrt, rloo

from . import stepped


def test_progress_by_hand() -> None:
    """Chances .9, .95, .4: .9, .05, -.55, whose sum is the last."""
    progress_BNT = more_than_the_last(*step_chance(stepped.rollout()))
    assert progress_BNT[0, 0].tolist() == pytest.approx([0, 0.9, 0, 0.05, 0, -0.55])
    assert not progress_BNT[0, 1].any()


def test_advantages_by_hand() -> None:
    """Still to come: .4 in the first step, -.5 in the second, -.55; the outcome's is 1."""
    found = mrt.advantages(mrt.Config(alpha=2.0), stepped.rollout())
    assert found[0, 0].tolist() == pytest.approx([1.8, 1.8, 0.0, 0.0, -0.1, -0.1])
    assert found[0, 1].tolist() == pytest.approx([-1.8, -1.8, 0.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("chances", [(0.4,), (0.9, 0.4), (0.1, 0.9, 0.2, 0.4)])
def test_the_way_to_the_same_end_pays_the_same(chances: tuple[float, ...]) -> None:
    found = mrt.advantages(mrt.Config(), stepped.rollout(chances))
    assert found[0, 0, 0].item() == pytest.approx(1.4)


def test_without_progress_it_is_rloo() -> None:
    seen = stepped.rollout()
    mine = RolloutStep(seen, seen.sampled, mrt.advantages(mrt.Config(alpha=0.0), seen))
    base = RolloutStep(seen, seen.sampled, rloo.advantages(rloo.Config(), seen))
    assert torch.allclose(mrt.loss(mrt.Config(), mine), rloo.loss(rloo.Config(), base))
