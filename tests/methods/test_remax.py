from __future__ import annotations

import pytest
import torch

from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import remax
from tabular_optima import table

from . import rollouts


def seen(reward: list[float], ratio: list[float], greedy: float) -> Rollout:
    one = rollouts.rollout([greedy])
    return rollouts.rollout(reward, ratio)._replace(opponents=one)


def test_advantages_by_hand() -> None:
    """Rewards 2, 1 less .5 x .4 and .5 x -.2, and less the greedy 1.5."""
    found = remax.advantages(remax.Config(beta=0.5), seen([2.0, 1.0], [0.4, -0.2], 1.5))
    assert found[0].tolist() == pytest.approx([0.3, -0.4])
    taken = rollouts.step(remax, remax.Config(beta=0.5), seen([2.0, 1.0], [0.4, -0.2], 1.5))
    assert rollouts.slopes(remax, remax.Config(beta=0.5), taken) == pytest.approx([-0.3, 0.4])


def test_one_sample_is_enough() -> None:
    assert remax.advantages(remax.Config(), seen([2.0], [0.0], 1.5)).tolist() == [[0.5]]


def test_greedy_samples_have_to_be_asked_for() -> None:
    assert remax.INPUTS == ("greedy_samples",)
    with pytest.raises(ValueError, match="greedy_samples was not computed"):
        remax.advantages(remax.Config(), rollouts.rollout([1.0, 2.0]))


def test_it_comes_to_rest_at_the_tilted_reference() -> None:
    """Every response once, weighted by its probability; the greedy one is the likeliest."""

    def gradient(logits_R: torch.Tensor) -> torch.Tensor:
        chance_R = logits_R.softmax(-1)
        ratio = (chance_R / rollouts.REFERENCE_R).log().tolist()
        greedy = float(rollouts.REWARD_R[chance_R.argmax()])
        gain_R = remax.advantages(
            remax.Config(beta=1.0), seen(rollouts.REWARD_R.tolist(), ratio, greedy)
        )[0]
        return -chance_R * (gain_R - (chance_R * gain_R).sum())

    found = table.ascend(gradient, 0.3, 300, rollouts.REFERENCE_R.log()).exp()
    assert found.tolist() == pytest.approx(rollouts.TILTED, abs=5e-5)
