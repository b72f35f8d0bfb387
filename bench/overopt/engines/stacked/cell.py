"""One cell of a stack in training: its pairs, its order of them, its walk along KL."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import RunInputs, required
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import (
    LaidOutPairs,
    PairsRow,
    lay_out,
    pair_batches,
    score_reference,
)
from overopt.engines.walk.kl_walk import KLWalk
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.methods.contract.pairs import PairBatch
from overopt.models.logprobs import choose_logps, suppressed_ids, token_logps
from overopt.models.sequences import Batch, join
from overopt.models.weights import set_weights
from overopt.spec.pairs import PairsSpec
from overopt.worlds.tokens import concatenate


class Draft(NamedTuple):
    """The pairs of a step on their way through the stack."""

    pairs: LaidOutPairs
    batch: Batch


class StackedCell:
    """What is a cell's own while a stack trains.

    error: why it failed; None while all is well.

    Args:
        method: which supplies the loss.
        settings: batch size and number of steps.
        inputs: of the cell; its policy takes the cell's weights wherever they are measured or kept.
    """

    def __init__(self, method: OpenedPairs, settings: PairsSpec, inputs: RunInputs) -> None:
        self._method, self._settings, self._inputs = method, settings, inputs
        self._pairs = required(inputs.preferences, "preference data")
        self._reference_logps = score_reference(inputs.reference, self._pairs)
        self._batches = pair_batches(self._pairs, settings.batch_size, inputs.randomness.numpy)
        between = inputs.kl_probe.of_weights(inputs.reference)
        self.walk = KLWalk(inputs.budgets_nats, settings.max_steps, between)
        self.rows: list[PairsRow] = []
        self.compute = Compute(0, 0, 0)
        self.error: str | None = None
        self._suppressed = suppressed_ids(inputs.policy)

    @property
    def over(self) -> bool:
        """Whether it has crossed its last budget, taken its last step, or failed."""
        ended = self.compute.gradient_steps == self._settings.max_steps
        return ended or self.walk.finished or self.error is not None

    @property
    def trajectory(self) -> Trajectory:
        """What the cell leaves."""
        walk = self.walk
        return Trajectory(walk.snapshots, walk.unreached_nats, tuple(self.rows), self.compute)

    def skip(self, steps: int) -> None:
        """Pass over the batches of steps that were taken before."""
        for _ in range(steps):
            next(self._batches)

    def draft(self) -> Draft:
        """The next step's rows: the chosen responses of all pairs, then the rejected ones."""
        pairs = lay_out(self._pairs, self._reference_logps, next(self._batches))
        return Draft(pairs, join(concatenate([pairs.prompts, pairs.prompts]), pairs.responses))

    def read(self, draft: Draft, logits_RLV: Tensor) -> PairBatch:
        """The pairs as the cell's policy reads them, from the logits of its rows."""
        batch = draft.batch
        rows, length = batch.ids_BL.shape
        predicting = logits_RLV[:rows, batch.prompt_length_min - 1 : length - 1]
        logp_BKV = token_logps(predicting, self._suppressed)
        batch = batch._replace(
            ids_BL=batch.ids_BL.to(logp_BKV.device),
            prompt_length_B=batch.prompt_length_B.to(logp_BKV.device),
            mask_BT=batch.mask_BT.to(logp_BKV.device),
        )
        before = draft.pairs.before.map(lambda part: part.flatten(0, 1).to(logp_BKV.device))
        reading = before._replace(policy_logp=choose_logps(logp_BKV, batch))
        return PairBatch.of(reading.group(draft.pairs.prompts.rows()).unbind(0))

    def loss(self, pairs: PairBatch) -> Tensor:
        """Mean loss of the pairs."""
        return self._method.loss(pairs).mean()

    def observe(
        self,
        draft: Draft,
        pairs: PairBatch,
        loss: float,
        norm: float,
        weights: dict[str, Tensor],
    ) -> None:
        """Write down a step that was taken, and measure where the policy is if that is due.

        Raises:
            FloatingPointError: an estimate of KL is not finite.
        """
        step = self.compute.gradient_steps + 1
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"{self._method.name}: step {step}: loss {loss}, gradient norm {norm}; "
                "lower the learning rate"
            )
        inputs = self._inputs
        self.compute = Compute(step, 0, self.compute.tokens_processed + draft.pairs.tokens)
        held, kl_nats = _Held(inputs.policy, weights), None
        if self.walk.due(step):
            kl_nats = inputs.kl_probe(held.policy(), inputs.reference)
            self.walk.observe(step, kl_nats, self.compute, held)
        else:
            self.walk.pass_by(step, self.compute, held)
        chosen_B, rejected_B = (side.log_ratio.detach() for side in (pairs.chosen, pairs.rejected))
        row = PairsRow(
            step=step,
            kl_nats=kl_nats,
            loss=loss,
            gradient_norm=norm,
            chosen_log_ratio_nats=chosen_B.mean().item(),
            rejected_log_ratio_nats=rejected_B.mean().item(),
            accuracy=(chosen_B > rejected_B).float().mean().item(),
        )
        self.rows.append(row)


class _Held:
    """A cell's weights, which leave the stack only where somebody looks at them."""

    def __init__(self, policy: PreTrainedModel, weights: Mapping[str, Tensor]) -> None:
        self._policy, self._weights = policy, weights

    def policy(self) -> PreTrainedModel:
        """A policy with these weights."""
        set_weights(self._policy, self._weights)
        return self._policy

    def state_dict(self) -> Mapping[str, Any]:
        """The weights, by the names of a policy's folder."""
        state: Mapping[str, Any] = self.policy().state_dict()
        return state


def rectangle(drafts: list[Draft | None], rows: int, length: int) -> Tensor:
    """The tokens (C, R, L) of all cells; of one that has none, and on padding, token 0."""
    ids_CRL = torch.zeros(len(drafts), rows, length, dtype=torch.int64)
    for place, draft in enumerate(drafts):
        if draft is not None:
            own_BL = draft.batch.ids_BL
            ids_CRL[place, : own_BL.shape[0], : own_BL.shape[1]] = own_BL
    return ids_CRL


def longest_row(inputs: RunInputs) -> int:
    """Tokens of the longest prompt and response of the world, whatever is drawn of them."""
    return int(np.max(inputs.prompts.length_N)) + inputs.max_new_tokens
