"""What a method asks for beside the samples of a rollout, and what a proxy says of these."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import RunInputs, required
from overopt.engines.drawn import DrawnSamples, draw_samples, read_responses
from overopt.engines.learner import Learner
from overopt.execution.code.modules import load
from overopt.worlds.tokens import Tokens


def with_all_asked(
    learner: Learner, drawn: DrawnSamples, index_B: npt.NDArray[np.int64], inputs: RunInputs
) -> DrawnSamples:
    """The samples with what the method's INPUTS name beside.

    Args:
        learner: policy, reference, anchor and method.
        drawn: the policy's own samples.
        index_B: which training prompts they answer.
        inputs: of the run, with a reward; torch draws the opponents.

    Raises:
        FloatingPointError: the proxy says something that is not finite.
    """
    prompts = inputs.prompts.take(index_B)
    if "member_rewards" in learner.inputs:
        drawn = _with_member_rewards(drawn, prompts, inputs)
    if "step_rewards" in learner.inputs:
        drawn = _with_step_rewards(drawn, prompts, inputs)
    if "demonstrations" in learner.inputs:
        texts = required(inputs.demonstrations, "reference texts").take(index_B)
        reward = required(inputs.reward, "a reward")
        shown = read_responses(learner, prompts, texts, reward)
        rollout = drawn.rollout._replace(demonstrations=shown.rollout)
        drawn = drawn._replace(rollout=rollout, demonstrations=shown)
    return _with_opponents(learner, drawn, prompts, inputs)


def _with_opponents(
    learner: Learner, drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs
) -> DrawnSamples:
    for asked in ("revised", "searched"):
        if f"{asked}_samples" in learner.inputs:
            draw = load("engines", asked).draw_opponents
            drawn_too: DrawnSamples = draw(learner, drawn, prompts, inputs)
            return drawn_too
    greedy = "greedy_samples" in learner.inputs
    sampler = learner.policy if greedy else _sampler(learner)
    if sampler is None:
        return drawn
    others = draw_samples(
        learner,
        prompts,
        1 if greedy else max(drawn.rollout.reward_BN.shape[1], learner.training.opponents),
        inputs.max_new_tokens,
        required(inputs.reward, "a reward"),
        inputs.randomness.torch,
        False,
        sampler,
        0.0 if greedy else 1.0,
    )
    rollout = drawn.rollout._replace(
        opponents=others.rollout, preference=_preferences(drawn, others, prompts, inputs)
    )
    return drawn._replace(rollout=rollout, opponents=others)


def _preferences(
    drawn: DrawnSamples, others: DrawnSamples, prompts: Tokens, inputs: RunInputs
) -> Tensor | None:
    """P(sample i beats opponent j), (B, N, M), of a proxy that compares; None of one that scores.

    Raises:
        FloatingPointError: a preference is not finite.
    """
    if inputs.preference is None:
        return None
    reward_BN = drawn.rollout.reward_BN
    count, each = reward_BN.shape[1], others.rollout.reward_BN.shape[1]
    first_P = np.repeat(np.arange(reward_BN.numel()), each)
    prompt_P = first_P // count
    second_P = prompt_P * each + np.tile(np.arange(each), reward_BN.numel())
    chance_P = inputs.preference(
        prompts.take(prompt_P), drawn.responses.take(first_P), others.responses.take(second_P)
    )
    _check_finite(chance_P, "a preference of the proxy")
    return torch.from_numpy(np.asarray(chance_P)).to(reward_BN).view(*reward_BN.shape, each)


def _with_member_rewards(drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs) -> DrawnSamples:
    members = required(inputs.member_rewards, "the members of its proxy")
    reward_BN = drawn.rollout.reward_BN
    score_KR = np.asarray(members(drawn.repeat(prompts), drawn.responses), np.float64)
    _check_finite(score_KR, "the score of a member of the proxy")
    score_BNK = torch.from_numpy(score_KR).to(reward_BN).T.reshape(*reward_BN.shape, -1)
    return drawn._replace(rollout=drawn.rollout._replace(member_reward=score_BNK))


def _with_step_rewards(drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs) -> DrawnSamples:
    steps = required(inputs.step_rewards, "a proxy that scores steps")
    score_RT, end_RT = steps(drawn.repeat(prompts), drawn.responses)
    shown_RT = np.where(end_RT, score_RT, 0.0)
    _check_finite(shown_RT, "the score of a step")
    reward_BN = drawn.rollout.reward_BN
    score_BNT = torch.from_numpy(shown_RT).to(reward_BN).view(*reward_BN.shape, -1)
    end_BNT = torch.from_numpy(end_RT).to(reward_BN.device).view(score_BNT.shape)
    rollout = drawn.rollout._replace(step_reward=score_BNT, step_end=end_BNT)
    return drawn._replace(rollout=rollout)


def _check_finite(value: npt.NDArray[np.float64], what: str) -> None:
    if not np.isfinite(value).all():
        raise FloatingPointError(f"{what} is not finite")


def _sampler(learner: Learner) -> PreTrainedModel | None:
    """The other policy that opponents are drawn from; None where none is asked for."""
    if "reference_samples" in learner.inputs:
        return learner.reference
    if "anchor_samples" in learner.inputs:
        return learner.reference if learner.anchor is None else learner.anchor
    if "mixture_samples" in learner.inputs:
        parts = [(learner.policy, 1 - learner.mixture), (learner.reference, learner.mixture)]
        mixture: PreTrainedModel = load("models", "composed").ComposedPolicy(parts)
        return mixture
    return None
