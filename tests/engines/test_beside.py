"""Samples of other policies beside the policy's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training, Weights
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


@pytest.mark.parametrize("inputs", [("reference_samples", "opponents_now"), ("reference_samples",)])
def test_opponents_count_once_learned_from_or_not(inputs: tuple[str, ...]) -> None:
    """As many opponents as samples, of about the same length."""
    alone = run(Watched()).compute.tokens_processed
    beside = run(Watched(*inputs)).compute.tokens_processed
    assert 1.9 * alone < beside < 2.1 * alone


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


def test_greedy_opponents_are_one_response_of_the_policys_likeliest_tokens() -> None:
    method = Watched("greedy_samples", "opponents_now")
    trajectory = run(method, 4)
    assert trajectory.compute.samples_drawn == 4 * 8 * (4 + 1)
    for step in method.steps:
        others = opponents(step)
        assert others.reward_BN.shape == (8, 1)
        # what the policy says of them when they are read is what it said when it chose them
        assert step.opponents is not None
        assert torch.allclose(step.opponents.policy_logp, others.sampled.policy_logp, atol=1e-4)
        mean_BN = step.rollout.sampled.policy_logp.sum(-1) / step.rollout.sampled.mask.sum(-1)
        best_BN = others.sampled.policy_logp.sum(-1) / others.sampled.mask.sum(-1)
        assert best_BN.mean() > mean_BN.mean()
        # P(sample i beats opponent j) of each sample and the one opponent
        gap_BN = step.rollout.reward_BN - others.reward_BN
        assert torch.allclose(step.rollout.preference_BNN[:, :, 0], torch.sigmoid(gap_BN))


def test_minibatches_find_the_greedy_opponents_of_their_prompts() -> None:
    class Dealt(Watched):
        def training(self, config: Any) -> Training:
            return Training(epochs=2, minibatches=3)

    method = Dealt("greedy_samples", "opponents_now")
    run(method, 6)
    assert len(method.steps) == 6
    for step in method.steps:
        others = opponents(step).sampled
        assert step.opponents is not None
        assert torch.equal(step.opponents.mask, others.mask)
        assert torch.equal(step.opponents.reference_logp, others.reference_logp)


def test_a_method_that_declares_it_hears_gold_before_it_observes() -> None:
    class Hears(Watched):
        def begin(self, config: Any, initial: Any) -> tuple[float, ...]:
            return ()

        def observe_gold(
            self, config: Any, memory: tuple[float, ...], gold_BN: Tensor
        ) -> tuple[float, ...]:
            assert gold_BN.shape == (8, 4)
            return (*memory, gold_BN.mean().item())

        def observe(
            self, config: Any, memory: tuple[float, ...], rollout: Any
        ) -> tuple[float, ...]:
            return (*memory, rollout.sampled.mask.sum(-1).mean().item())

    method, reference = Hears(), tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)

    def gold(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.asarray(3 * responses.length_N, np.float64)

    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 2})
    opened = OpenedRollout(method, rloo.Config())
    optimize_rollout(opened, settings, replace(inputs, gold=gold))
    heard = method.steps[-1].rollout.memory
    assert len(heard) == 4
    assert heard[0::2] == pytest.approx([3 * length for length in heard[1::2]], rel=1e-5)
    with pytest.raises(ValueError, match="needs gold"):
        optimize_rollout(opened, settings, inputs)


def test_scores_of_steps_stand_at_their_ends() -> None:
    method = Watched("step_rewards")
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)

    def steps(
        prompts: Tokens, responses: Tokens
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """A step at every liked word and at the end, which scores its id; NaN elsewhere."""
        last_NT = np.arange(responses.ids_NT.shape[1]) == responses.length_N[:, None] - 1
        end_NT = ((responses.ids_NT == tiny.LIKED) & responses.mask_NT) | last_NT
        return np.where(end_NT, responses.ids_NT, np.nan), end_NT

    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 2})
    opened = OpenedRollout(method, rloo.Config())
    optimize_rollout(opened, settings, replace(inputs, step_rewards=steps))
    for step in method.steps:
        end_BNT, score_BNT = step.rollout.step_end, step.rollout.step_reward_BNT
        assert end_BNT is not None and torch.isfinite(score_BNT).all()
        assert (score_BNT[~end_BNT] == 0).all() and (score_BNT[end_BNT] > 0).all()
        assert (end_BNT.any(-1)).all() and not end_BNT[step.rollout.sampled.mask == 0].any()
        length_BN = step.rollout.sampled.mask.sum(-1)
        liked_BN = ((score_BNT == tiny.LIKED) & end_BNT).sum(-1)
        # the reward is the liked words' share
        assert torch.allclose(liked_BN / length_BN, step.rollout.reward_BN)
    with pytest.raises(ValueError, match="needs a proxy that scores steps"):
        optimize_rollout(opened, settings, inputs)
