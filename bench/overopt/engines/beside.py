"""What a method asks for beside the samples of a rollout: opponents, scores of single members."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import RunInputs, required
from overopt.engines.drawn import DrawnSamples, draw_samples
from overopt.engines.learner import Learner
from overopt.execution.code.modules import load
from overopt.worlds.tokens import Tokens


def with_all_asked(
    learner: Learner, drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs
) -> DrawnSamples:
    """The samples with what the method's INPUTS name beside.

    Args:
        learner: policy, reference, anchor and method.
        drawn: the policy's own samples of these prompts.
        prompts: B prompts.
        inputs: of the run, with a reward; torch draws the opponents.
    """
    if "member_rewards" in learner.inputs:
        drawn = _with_member_rewards(drawn, prompts, inputs)
    sampler = _sampler(learner)
    if sampler is None:
        return drawn
    others = draw_samples(
        learner,
        prompts,
        drawn.rollout.reward_BN.shape[1],
        inputs.max_new_tokens,
        required(inputs.reward, "a reward"),
        inputs.randomness.torch,
        False,
        sampler,
    )
    rollout = drawn.rollout._replace(
        opponents=others.rollout, preference=_preferences(drawn, others, prompts, inputs)
    )
    return drawn._replace(rollout=rollout, opponents=others)


def _preferences(
    drawn: DrawnSamples, others: DrawnSamples, prompts: Tokens, inputs: RunInputs
) -> Tensor | None:
    """P(sample i beats opponent j), (B, N, N), of a proxy that compares; None of one that scores.

    Raises:
        FloatingPointError: a preference is not finite.
    """
    if inputs.preference is None:
        return None
    reward_BN = drawn.rollout.reward_BN
    count = reward_BN.shape[1]
    first_P = np.repeat(np.arange(reward_BN.numel()), count)
    second_P = (first_P // count) * count + np.tile(np.arange(count), reward_BN.numel())
    asked = prompts.take(first_P // count)
    chance_P = inputs.preference(
        asked, drawn.responses.take(first_P), others.responses.take(second_P)
    )
    if not np.isfinite(chance_P).all():
        raise FloatingPointError("a preference of the proxy is not finite")
    return torch.from_numpy(np.asarray(chance_P)).to(reward_BN).view(*reward_BN.shape, count)


def _with_member_rewards(drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs) -> DrawnSamples:
    members = required(inputs.member_rewards, "the members of its proxy")
    reward_BN = drawn.rollout.reward_BN
    score_KR = np.asarray(members(drawn.repeat(prompts), drawn.responses), np.float64)
    if not np.isfinite(score_KR).all():
        raise FloatingPointError("a member of the proxy gives a score that is not finite")
    score_BNK = torch.from_numpy(score_KR).to(reward_BN).T.reshape(*reward_BN.shape, -1)
    return drawn._replace(rollout=drawn.rollout._replace(member_reward=score_BNK))


def _sampler(learner: Learner) -> PreTrainedModel | None:
    if "reference_samples" in learner.inputs:
        return learner.reference
    if "anchor_samples" in learner.inputs:
        return learner.reference if learner.anchor is None else learner.anchor
    if "mixture_samples" in learner.inputs:
        parts = [(learner.policy, 1 - learner.mixture), (learner.reference, learner.mixture)]
        mixture: PreTrainedModel = load("models", "composed").ComposedPolicy(parts)
        return mixture
    return None
