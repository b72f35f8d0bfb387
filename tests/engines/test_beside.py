"""Samples of other policies beside the policy's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.rollout import rloo
from overopt.worlds.tokens import Tokens

from . import tiny


class Watched:
    """RLOO that asks for something beside and records what its loss is handed."""

    __name__ = "watched"
    Config = rloo.Config

    def __init__(self, *inputs: str, share: float = 0.5) -> None:
        self.INPUTS, self._share = inputs, share
        self.steps: list[RolloutStep] = []

    def advantages(self, config: Any, rollout: Rollout, /) -> torch.Tensor:
        return rloo.advantages(rloo.Config(), rollout)

    def loss(self, config: Any, step: RolloutStep, /) -> torch.Tensor:
        self.steps.append(step)
        return rloo.loss(rloo.Config(), step)

    def mixture(self, config: Any, /) -> float:
        return self._share


def run(method: Any, max_steps: int = 8) -> Trajectory:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": max_steps, "learning_rate": 1e-2})
    return optimize_rollout(OpenedRollout(method, rloo.Config()), settings, inputs)


def opponents(step: RolloutStep) -> Rollout:
    assert step.rollout.opponents is not None
    return step.rollout.opponents


def test_opponents_of_the_reference_are_its_samples() -> None:
    method = Watched("reference_samples", "opponents_now")
    trajectory = run(method)
    assert trajectory.compute.samples_drawn == 2 * 8 * 8 * 4
    for step in method.steps:
        others = opponents(step)
        assert others.reward_BN.shape == step.rollout.reward_BN.shape == (8, 4)
        # what the sampler said of its samples is what the reference says of them
        assert torch.allclose(others.sampled.policy_logp, others.sampled.reference_logp, atol=1e-4)
        assert step.opponents is not None and step.opponents.policy_logp.requires_grad
    last = method.steps[-1]
    assert last.opponents is not None
    assert not torch.allclose(
        last.opponents.policy_logp, opponents(last).sampled.policy_logp, atol=0.05
    )


@pytest.mark.parametrize(("share", "which"), [(0.0, "policy"), (1.0, "reference")])
def test_a_mixture_of_one_is_that_one(share: float, which: str) -> None:
    method = Watched("mixture_samples", "opponents_now", share=share)
    run(method)
    last = method.steps[-1]
    assert last.opponents is not None
    said = {"policy": last.opponents.policy_logp, "reference": last.opponents.reference_logp}
    for name, logp in said.items():
        same = torch.allclose(opponents(last).sampled.policy_logp, logp, atol=1e-3)
        assert same == (name == which)


def test_opponents_of_the_anchor_are_those_of_the_reference_until_a_hook_sets_one() -> None:
    """From the third step on the anchor is the policy after the second."""

    class Anchored(Watched):
        def begin(self, config: Any, initial: Weights) -> None:
            return None

        def after_step(self, config: Any, memory: Any, weights: Weights, step: int) -> AfterStep:
            return AfterStep(None, anchor=weights if step == 2 else None)

    method = Anchored("anchor_samples")
    run(method, 6)
    for number, step in enumerate(method.steps, start=1):
        sampled = opponents(step).sampled
        as_reference = torch.allclose(sampled.policy_logp, sampled.reference_logp, atol=1e-3)
        assert as_reference == (number <= 2)
        if sampled.anchor_logp is not None:
            assert torch.allclose(sampled.policy_logp, sampled.anchor_logp, atol=1e-3)


def test_a_method_that_asks_for_none_has_none() -> None:
    method = Watched()
    trajectory = run(method, 2)
    assert trajectory.compute.samples_drawn == 2 * 8 * 4
    assert all(step.rollout.opponents is None for step in method.steps)
    with pytest.raises(ValueError, match="an opponent was not computed"):
        _ = method.steps[0].rollout.preference_BNN


def test_scores_of_single_members_stand_beside_the_reward() -> None:
    method = Watched("member_rewards")
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)

    def members(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.stack([tiny.reward(prompts, responses), responses.length_N.astype(np.float64)])

    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 2})
    opened = OpenedRollout(method, rloo.Config())
    optimize_rollout(opened, settings, replace(inputs, member_rewards=members))
    for step in method.steps:
        assert step.rollout.member_reward is not None
        first_BN, second_BN = step.rollout.member_reward.unbind(-1)
        assert torch.allclose(first_BN, step.rollout.reward_BN)
        assert torch.equal(second_BN, step.rollout.sampled.mask.sum(-1))
    with pytest.raises(ValueError, match="needs the members of its proxy"):
        optimize_rollout(opened, settings, inputs)


def test_a_proxy_that_compares_tells_how_each_sample_does_against_each_opponent() -> None:
    """A preference by length, and against it, that a score could not express."""
    method = Watched("reference_samples")
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)

    def prefer(prompts: Tokens, first: Tokens, second: Tokens) -> npt.NDArray[np.float64]:
        return np.asarray((prompts.length_N + first.length_N + 10 * second.length_N) / 100)

    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 2})
    opened = OpenedRollout(method, rloo.Config())
    optimize_rollout(opened, settings, replace(inputs, preference=prefer))
    for step in method.steps:
        own_BN = step.rollout.sampled.mask.sum(-1)
        theirs_BN = opponents(step).sampled.mask.sum(-1)
        chance_BNN = step.rollout.preference_BNN
        expected = own_BN[:, :, None] + 10 * theirs_BN[:, None, :]
        asked_BNN = 100 * chance_BNN - expected  # what is left is the prompt's length
        assert torch.allclose(asked_BNN, asked_BNN[:, :1, :1].expand_as(asked_BNN), atol=1e-3)
        assert (asked_BNN >= 2.5).all()
