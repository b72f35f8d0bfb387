"""The native engine of the iterative family: sample, build data from it, learn, repeat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.batches import pair_batch, sample_batch
from overopt.engines.experience import Experience, RewardFunction, collect, deal, prompt_batches
from overopt.engines.kl_walk import Compute, KLWalk, RolloutRow, Trajectory
from overopt.engines.learner import Learner
from overopt.execution.contract import Progress
from overopt.methods.contract.iterative import IterativeMethod, KeptRows, RowPairs
from overopt.models.logprobs import choose_logps
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens


def optimize_iterations(
    method: IterativeMethod,
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
    """Iterate sampling, filtering and learning until the last budget or step.

    In every round the policy draws N samples for each of B prompts, the method's ``build`` picks
    rows or pairs of rows among them by their rewards, and its ``loss`` is descended over these for
    the epochs and minibatches that its ``training`` says. A round without data counts as a step.

    Args:
        method: the module that supplies ``build`` and ``loss``.
        config: its ``Config``.
        settings: learning rate, prompts per round, samples per prompt, number of gradient steps.
        policy: trained in place; it starts as the initial policy and has no dropout.
        reference: the initial policy.
        prompts: training prompts, visited in reshuffled epochs.
        reward: the proxy.
        max_new_tokens: limit of a response's length.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        generator: the order of the prompts, all sampling, and how minibatches are dealt.
        progress: told the fraction done.

    Returns:
        Snapshots at the budgets (or of the final policy), and one ``RolloutRow`` per round, plus
        one for the samples of the final policy.

    Raises:
        FloatingPointError: if a reward, a loss, a gradient or a KL estimate is not finite.
    """
    learner = Learner(method, config, settings, policy, reference)
    walk = KLWalk(budgets_nats, settings.max_steps)
    rows: list[RolloutRow] = []
    compute = Compute(0, 0, 0)
    step = 0
    for index_B in prompt_batches(prompts.rows(), settings, generator):
        seen = collect(
            learner, prompts.take(index_B), reward, settings, max_new_tokens, generator, False
        )
        walk.observe(step, seen.kl_nats, compute, policy)
        over = walk.finished or step == settings.max_steps
        learned = _Learned((), (), 0)
        if not over:
            learned = _learn(method, config, learner, seen, settings.max_steps - step, generator)
        rows.append(seen.row(step, _mean(learned.loss_K), _mean(learned.gradient_norm_K)))
        progress(walk.fraction(step), f"{learner.name}: step {step}, KL {seen.kl_nats:.3g} nats")
        if over:
            break
        step += max(1, len(learned.loss_K))
        compute = Compute(
            learner.descent.steps,
            compute.samples_drawn + seen.rollout.reward_BN.numel(),
            compute.tokens_processed + int(seen.tokens_R.sum()) + learned.tokens,
        )
    return Trajectory(walk.snapshots, walk.unreached_nats, tuple(rows), compute)


class _Learned(NamedTuple):
    """Loss and gradient norm of the K steps of a round, and the tokens that they went through."""

    loss_K: tuple[float, ...]
    gradient_norm_K: tuple[float, ...]
    tokens: int


def _mean(value_K: Sequence[float]) -> float | None:
    return sum(value_K) / len(value_K) if value_K else None


def _learn(
    method: IterativeMethod,
    config: Any,
    learner: Learner,
    seen: Experience,
    steps_left: int,
    generator: torch.Generator,
) -> _Learned:
    """All gradient steps of one round, at most ``steps_left``."""
    built = method.build(config, seen.rollout)
    items = len(built.row_K if isinstance(built, KeptRows) else built.chosen_P)
    losses: list[float] = []
    norms: list[float] = []
    tokens = 0
    if items:
        for index_K in deal(items, learner.training, generator):
            row_R = _rows(built, index_K)
            loss = _loss(method, config, learner, seen, built, row_R)
            norms.append(learner.descend(loss))
            losses.append(loss.item())
            tokens += seen.tokens(row_R)
            if len(losses) == steps_left:
                break
    return _Learned(tuple(losses), tuple(norms), tokens)


def _rows(built: KeptRows | RowPairs, index_K: Tensor) -> Tensor:
    """Rows of a minibatch: samples, or all chosen ones before all rejected ones."""
    if isinstance(built, KeptRows):
        return built.row_K[index_K]
    return torch.cat([built.chosen_P[index_K], built.rejected_P[index_K]])


def _loss(
    method: IterativeMethod,
    config: Any,
    learner: Learner,
    seen: Experience,
    built: KeptRows | RowPairs,
    row_R: Tensor,
) -> Tensor:
    """Mean loss over a minibatch."""
    judged = seen.judge(learner, row_R)
    reference_logp_RT = choose_logps(seen.reference.logp_BKV, seen.batch)[row_R]
    pack = sample_batch if isinstance(built, KeptRows) else pair_batch
    batch = pack(judged, reference_logp_RT, seen.batch.mask_BT[row_R])
    return method.loss(config, batch).mean()
