"""The native engine of the rollout family: sample, score, step, and read the KL on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.descent import Descent
from overopt.engines.snapshots import Compute, KLWalk, Progress, RolloutRow, Trajectory
from overopt.methods.contract import Rollout, RolloutMethod, RolloutStep
from overopt.models.logprobs import choose_logps, predict_logps, rao_blackwell_kl
from overopt.models.sampling import sample
from overopt.models.sequences import align, join
from overopt.spec import RolloutSpec
from overopt.worlds.tokens import Tokens

RewardFunction = Callable[[Tokens, Tokens], npt.NDArray[np.float64]]
"""Proxy reward of each response to its prompt, shape (N,), in SDs of the initial policy."""


class Experience(NamedTuple):
    """One step's samples: the rollout, and what both policies say about every token of it.

    logp_BNT: log-probabilities now, with gradient.
    kl_nats: Rao-Blackwellised KL(policy || reference), mean over the responses.
    entropy_nats: entropy of the policy, summed over tokens, mean over the responses.
    length_mean: response tokens. tokens: prompt and response tokens of all responses.
    """

    rollout: Rollout
    logp_BNT: Tensor
    kl_nats: float
    entropy_nats: float
    length_mean: float
    tokens: int


def optimise_rollouts(
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
    """Optimise a policy against a reward on its own samples until the last budget or step.

    Every step samples afresh. The forward pass that carries the gradient and the reference's pass
    over the same tokens give the KL of the samples for nothing, so it is read at every step.

    Args:
        method: the module that supplies ``advantages`` and ``loss``.
        config: its ``Config``.
        settings: learning rate, prompts per step, samples per prompt, number of steps.
        policy: trained in place; it starts as the initial policy and has no dropout.
        reference: the initial policy.
        prompts: training prompts, visited in reshuffled epochs.
        reward: the proxy.
        max_new_tokens: limit of a response's length.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        generator: the order of the prompts and all sampling.
        progress: told the fraction done.

    Returns:
        Snapshots at the budgets (or of the final policy), and one ``RolloutRow`` per step, plus
        one for the samples of the final policy.

    Raises:
        FloatingPointError: if a reward, a loss, a gradient or a KL estimate is not finite.
    """
    name = method.__name__.rpartition(".")[2]
    descent = Descent(policy, settings, name)
    reference.to(descent.device)
    walk = KLWalk(budgets_nats, settings.max_steps)
    rows: list[RolloutRow] = []
    compute = Compute(0, 0, 0)
    for step, index_B in enumerate(_prompt_batches(prompts.rows(), settings, generator)):
        seen = _collect(
            policy, reference, prompts.take(index_B), reward, settings, max_new_tokens, generator
        )
        if not bool(torch.isfinite(seen.rollout.reward_BN).all()):
            raise FloatingPointError(f"{name}: a reward of step {step + 1} is not finite")
        walk.observe(step, seen.kl_nats, compute, policy)
        over = walk.finished or step == settings.max_steps
        loss = None if over else _loss(method, config, seen)
        gradient_norm = None if loss is None else descent.descend(loss)
        rows.append(
            RolloutRow(
                step=step,
                kl_nats=seen.kl_nats,
                loss=None if loss is None else loss.item(),
                gradient_norm=gradient_norm,
                reward_mean=seen.rollout.reward_BN.mean().item(),
                length_mean=seen.length_mean,
                entropy_nats=seen.entropy_nats,
            )
        )
        progress(walk.fraction(step), f"{name}: step {step}, KL {seen.kl_nats:.3g} nats")
        if over:
            break
        drawn = seen.rollout.reward_BN.numel()
        compute = Compute(
            descent.steps, compute.samples_drawn + drawn, compute.tokens_processed + seen.tokens
        )
    return Trajectory(walk.snapshots, walk.unreached_nats, tuple(rows), compute)


def _collect(
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    prompts: Tokens,
    reward: RewardFunction,
    settings: RolloutSpec,
    max_new_tokens: int,
    generator: torch.Generator,
) -> Experience:
    """Sample every prompt's group, score it, and run both policies over it."""
    samples = settings.samples_per_prompt
    drawn = sample(policy, prompts, samples, max_new_tokens, generator)
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), samples))
    reward_N = torch.from_numpy(np.asarray(reward(repeated, drawn.responses), np.float64))
    batch = join(repeated, drawn.responses, policy.device)
    logp_NKV = predict_logps(policy, batch)
    with torch.no_grad():
        reference_logp_NKV = predict_logps(reference, batch)
        kl_NT = align(rao_blackwell_kl(logp_NKV, reference_logp_NKV), batch)
        entropy_NT = align(-(logp_NKV.exp() * logp_NKV).sum(-1), batch)
    logp_NT = choose_logps(logp_NKV, batch)
    grouped = (prompts.rows(), samples, -1)
    rollout = Rollout(
        reward_BN=reward_N.to(logp_NT).view(grouped[:2]),
        sampled_logp_BNT=torch.from_numpy(drawn.logp_NT).to(logp_NT).view(grouped),
        reference_logp_BNT=choose_logps(reference_logp_NKV, batch).view(grouped),
        mask_BNT=batch.mask_BT.to(logp_NT).view(grouped),
    )
    return Experience(
        rollout=rollout,
        logp_BNT=logp_NT.view(grouped),
        kl_nats=kl_NT.sum(-1).mean().item(),
        entropy_nats=entropy_NT.sum(-1).mean().item(),
        length_mean=float(drawn.responses.length_N.mean()),
        tokens=int(repeated.length_N.sum() + drawn.responses.length_N.sum()),
    )


def _loss(method: RolloutMethod, config: Any, seen: Experience) -> Tensor:
    """Mean loss over the responses of a step."""
    with torch.no_grad():
        advantage = method.advantages(config, seen.rollout)
    return method.loss(config, RolloutStep(seen.rollout, seen.logp_BNT, advantage)).mean()


def _prompt_batches(
    prompts: int, settings: RolloutSpec, generator: torch.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of the prompts of one step after another, epoch after epoch, for ever."""
    size = min(settings.prompts_per_step, prompts)
    while True:
        order = torch.randperm(prompts, generator=generator).numpy()
        yield from order[: prompts // size * size].reshape(-1, size)
