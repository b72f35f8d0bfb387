"""The native engine of the rollout family: sample, score, step, and read the KL on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.experience import (
    Experience,
    RewardFunction,
    collect,
    deal,
    group,
    prompt_batches,
)
from overopt.engines.kl_walk import Compute, KLWalk, RolloutRow, Trajectory
from overopt.engines.learner import Learner
from overopt.execution.contract import Progress
from overopt.methods.contract.rollout import RolloutMethod, RolloutStep
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens

__all__ = ["RewardFunction", "optimize_rollouts"]


def optimize_rollouts(
    method: RolloutMethod,
    config: Any,
    settings: RolloutSpec,
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    prompts: Tokens,
    reward: RewardFunction,
    max_new_tokens: int,
    budgets_nats: Sequence[float],
    generator: torch.Generator,
    progress: Progress,
) -> Trajectory:
    """Optimize a policy against a reward on its own samples until the last budget or step.

    Every rollout samples afresh, and the method's ``training`` says how many gradient steps follow
    (one, unless it says otherwise). The pass over the samples and the reference's pass over the
    same tokens give their KL for nothing, so it is read at every rollout.

    Args:
        method: the module that supplies ``advantages`` and ``loss``.
        config: its ``Config``.
        settings: learning rate, prompts per step, samples per prompt, number of gradient steps.
        policy: trained in place; it starts as the initial policy and has no dropout.
        reference: the initial policy.
        prompts: training prompts, visited in reshuffled epochs.
        reward: the proxy.
        max_new_tokens: limit of a response's length.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        generator: the order of the prompts, all sampling, and how minibatches are dealt.
        progress: told the fraction done.

    Returns:
        Snapshots at the budgets (or of the final policy), and one ``RolloutRow`` per rollout, the
        last of which is for the samples of the final policy.

    Raises:
        FloatingPointError: if a reward, a loss, a gradient or a KL estimate is not finite.
    """
    learner = Learner(method, config, settings, policy, reference)
    at_once = learner.training.minibatches == 1
    walk = KLWalk(budgets_nats, settings.max_steps)
    rows: list[RolloutRow] = []
    compute = Compute(0, 0, 0)
    for index_B in prompt_batches(prompts.rows(), settings, generator):
        step = learner.descent.steps
        seen = collect(
            learner, prompts.take(index_B), reward, settings, max_new_tokens, generator, at_once
        )
        walk.observe(step, seen.kl_nats, compute, policy)
        over = walk.finished or step == settings.max_steps
        learned = None
        if not over:
            learned = _learn(method, config, learner, seen, settings.max_steps - step, generator)
        rows.append(
            seen.row(
                step,
                None if learned is None else learned.loss,
                None if learned is None else learned.gradient_norm,
            )
        )
        progress(walk.fraction(step), f"{learner.name}: step {step}, KL {seen.kl_nats:.3g} nats")
        if learned is None:
            break
        compute = Compute(
            learner.descent.steps,
            compute.samples_drawn + seen.rollout.reward_BN.numel(),
            compute.tokens_processed + learned.tokens,
        )
    return Trajectory(walk.snapshots, walk.unreached_nats, tuple(rows), compute)


class _Learned(NamedTuple):
    """Means over the gradient steps on one rollout, and the tokens that they went through."""

    loss: float
    gradient_norm: float
    tokens: int


def _learn(
    method: RolloutMethod,
    config: Any,
    learner: Learner,
    seen: Experience,
    steps_left: int,
    generator: torch.Generator,
) -> _Learned:
    """All gradient steps on one rollout, at most ``steps_left``."""
    with torch.no_grad():
        advantage = method.advantages(config, seen.rollout)
    samples = seen.rollout.reward_BN.shape[1]
    losses: list[float] = []
    norms: list[float] = []
    tokens = 0
    for index_B in deal(seen.rollout.reward_BN.shape[0], learner.training, generator):
        row_K = (index_B[:, None] * samples + torch.arange(samples)).flatten()
        fresh = not losses and seen.judged.logp_RT.requires_grad
        judged = seen.judged if fresh else seen.judge(learner, row_K)
        step = RolloutStep(
            seen.rollout.take(index_B),
            group(judged.logp_RT, samples),
            advantage[index_B],
            _grouped(judged.output_RTC, samples),
            _grouped(judged.forward_kl_RT, samples),
        )
        loss = method.loss(config, step).mean()
        norms.append(learner.descend(loss))
        losses.append(loss.item())
        tokens += seen.tokens(row_K)
        if len(losses) == steps_left:
            break
    return _Learned(sum(losses) / len(losses), sum(norms) / len(norms), tokens)


def _grouped(value_RT: Tensor | None, samples: int) -> Tensor | None:
    return None if value_RT is None else group(value_RT, samples)
