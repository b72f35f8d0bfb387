"""Samples of another policy than the one in training, for methods that play against it."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.drawn import DrawnSamples, draw_samples
from overopt.engines.learner import Learner
from overopt.execution.code.modules import load
from overopt.worlds.tokens import Tokens


def with_opponents(
    learner: Learner,
    drawn: DrawnSamples,
    prompts: Tokens,
    max_new_tokens: int,
    reward: Reward,
    generator: torch.Generator,
) -> DrawnSamples:
    """The samples with as many opponents of each prompt beside, where the method asks for some.

    Args:
        learner: policy, reference, anchor and method.
        drawn: the policy's own samples of these prompts.
        prompts: B prompts.
        max_new_tokens: limit of a response's length.
        reward: the proxy.
        generator: source of the samples.
    """
    sampler = _sampler(learner)
    if sampler is None:
        return drawn
    samples = drawn.rollout.reward_BN.shape[1]
    others = draw_samples(
        learner, prompts, samples, max_new_tokens, reward, generator, False, sampler
    )
    rollout = drawn.rollout._replace(opponents=others.rollout)
    return drawn._replace(rollout=rollout, opponents=others)


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
