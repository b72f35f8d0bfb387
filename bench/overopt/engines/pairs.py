"""The native engine of the pairs family: pairs in, a policy that walks through KL out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.batches import pair_batch
from overopt.engines.kl_walk import Compute, KLWalk, PairsRow, Trajectory
from overopt.engines.learner import Learner
from overopt.execution.contract import Progress
from overopt.methods.contract.pairs import PairBatch, PairsMethod
from overopt.models.logprobs import score_logps
from overopt.models.sequences import join, shuffle_batches
from overopt.spec.pairs import PairsSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import concatenate


class ReferenceLogps(NamedTuple):
    """Log-probability of every response token under the reference, nats, float32, 0 on padding."""

    chosen_logp_PT: npt.NDArray[np.float32]
    rejected_logp_PT: npt.NDArray[np.float32]


def score_reference(reference: PreTrainedModel, pairs: Preferences) -> ReferenceLogps:
    """Score all pairs under the reference, once, so that no step has to run it again."""
    return ReferenceLogps(
        score_logps(reference, pairs.prompts, pairs.chosen),
        score_logps(reference, pairs.prompts, pairs.rejected),
    )


def optimize_pairs(
    method: PairsMethod,
    config: Any,
    settings: PairsSpec,
    policy: PreTrainedModel,
    pairs: Preferences,
    reference_logps: ReferenceLogps,
    kl_probe: Callable[[PreTrainedModel], float],
    budgets_nats: Sequence[float],
    rng: np.random.Generator,
    progress: Progress,
    reference: PreTrainedModel | None = None,
) -> Trajectory:
    """Descend a method's loss over preference pairs until the last KL budget or the last step.

    Every epoch is reshuffled, with pairs of similar length in one batch; chosen and rejected
    responses go through the policy in one forward pass.

    Args:
        method: the module that supplies ``loss``.
        config: its ``Config``.
        settings: learning rate, batch size, number of steps.
        policy: trained in place; it starts as the initial policy and has no dropout.
        pairs: P preference pairs.
        reference_logps: of these pairs, from ``score_reference``.
        kl_probe: estimates KL(policy || reference) in nats.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        rng: the order of the pairs.
        progress: told the fraction done.
        reference: the initial policy; None for what the policy is when it is handed in.

    Returns:
        Snapshots at the budgets (or of the final policy), and one ``PairsRow`` per step.

    Raises:
        FloatingPointError: if a loss, a gradient or a KL estimate is not finite.
    """
    start = copy.deepcopy(policy) if reference is None else reference
    learner = Learner(method, config, settings, policy, start)
    walk = KLWalk(budgets_nats, settings.max_steps)
    rows: list[PairsRow] = []
    compute = Compute(0, 0, 0)
    for step, index_B in enumerate(pair_batches(pairs, settings.batch_size, rng), start=1):
        batch = _pair_batch(learner, pairs.take(index_B), reference_logps, index_B)
        loss = method.loss(config, batch).mean()
        chosen_B, rejected_B = batch.chosen_log_ratio_B, batch.rejected_log_ratio_B
        gradient_norm = learner.descend(loss)
        compute = Compute(step, 0, compute.tokens_processed + pair_tokens(pairs, index_B))
        kl_nats = kl_probe(policy) if walk.due(step) else None
        if kl_nats is not None:
            walk.observe(step, kl_nats, compute, policy)
        rows.append(
            PairsRow(
                step=step,
                kl_nats=kl_nats,
                loss=loss.item(),
                gradient_norm=gradient_norm,
                chosen_log_ratio_nats=chosen_B.mean().item(),
                rejected_log_ratio_nats=rejected_B.mean().item(),
                accuracy=(chosen_B > rejected_B).float().mean().item(),
            )
        )
        progress(walk.fraction(step), f"{learner.name}: step {step}")
        if walk.finished or step == settings.max_steps:
            break
    return Trajectory(walk.snapshots, walk.unreached_nats, tuple(rows), compute)


def _pair_batch(
    learner: Learner,
    pairs: Preferences,
    reference: ReferenceLogps,
    index_B: npt.NDArray[np.integer],
) -> PairBatch:
    """Log-probabilities of chosen and rejected responses from one forward pass of the policy."""
    responses = concatenate([pairs.chosen, pairs.rejected])
    batch = join(concatenate([pairs.prompts, pairs.prompts]), responses, learner.policy.device)
    judged = learner.judge(batch, learner.consult(batch) if learner.reads_reference else None)
    width = batch.mask_BT.shape[1]
    chosen_BT = pad_rows(reference.chosen_logp_PT, index_B, width)
    rejected_BT = pad_rows(reference.rejected_logp_PT, index_B, width)
    reference_RT = torch.cat([chosen_BT, rejected_BT]).to(judged.logp_RT)
    return pair_batch(judged, reference_RT, batch.mask_BT)


def pad_rows(
    logp_PT: npt.NDArray[np.float32], index_B: npt.NDArray[np.integer], width: int
) -> Tensor:
    """These rows, brought to ``width`` columns; what is cut or added is padding."""
    rows_BT = torch.from_numpy(logp_PT[index_B, :width])
    return torch.nn.functional.pad(rows_BT, (0, width - rows_BT.shape[1]))


def pair_batches(
    pairs: Preferences, batch_size: int, rng: np.random.Generator
) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of one batch after another, epoch after epoch, for ever."""
    length_P = pairs.prompts.length_N + np.maximum(pairs.chosen.length_N, pairs.rejected.length_N)
    while True:
        yield from shuffle_batches(length_P, batch_size, rng)


def pair_tokens(pairs: Preferences, index_B: npt.NDArray[np.integer]) -> int:
    """Tokens of a batch: the prompt counts twice, once before each response."""
    return int(
        2 * pairs.prompts.length_N[index_B].sum()
        + pairs.chosen.length_N[index_B].sum()
        + pairs.rejected.length_N[index_B].sum()
    )
