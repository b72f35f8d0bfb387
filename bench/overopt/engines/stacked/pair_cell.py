"""One cell of a stack that learns from pairs: its pairs, and its order of them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from overopt.engines.contract import RunInputs, required
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import (
    LaidOutPairs,
    PairsRow,
    lay_out,
    pair_batches,
    score_reference,
)
from overopt.engines.stacked.cell import Held, StackedCell
from overopt.engines.walk.trajectory import Compute
from overopt.methods.contract.pairs import PairBatch
from overopt.models.logprobs import choose_logps, suppressed_ids, token_logps
from overopt.models.sequences import Batch, join
from overopt.spec.pairs import PairsSpec
from overopt.worlds.tokens import concatenate


class Draft(NamedTuple):
    """The pairs of a step on their way through the stack."""

    pairs: LaidOutPairs
    batch: Batch


class PairCell(StackedCell):
    """What is a cell's own while a stack learns from pairs.

    Args:
        method: which supplies the loss.
        settings: batch size and number of steps.
        inputs: of the cell, with preference data; numpy draws the order of the pairs.
    """

    ROW = PairsRow

    def __init__(self, method: OpenedPairs, settings: PairsSpec, inputs: RunInputs) -> None:
        super().__init__(method.name, settings.max_steps, inputs)
        self._method, self._max_steps = method, settings.max_steps
        self._pairs = required(inputs.preferences, "preference data")
        self._reference_logps = score_reference(inputs.reference, self._pairs)
        rng = inputs.randomness.numpy
        self._batches = pair_batches(self._pairs, settings.batch_size, rng, method.couples_pairs)
        self._suppressed = suppressed_ids(inputs.policy)

    @property
    def over(self) -> bool:
        """Whether it has crossed its last budget, taken its last step, or failed."""
        ended = self.compute.gradient_steps == self._max_steps
        return ended or self.walk.finished or self.error is not None

    def skip(self, rows: int) -> None:
        """Pass over the batches of steps that were taken before."""
        for _ in range(rows):
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
            FloatingPointError: a loss, a gradient or an estimate of KL is not finite.
        """
        self.check_step(loss, norm)
        step, inputs = self.compute.gradient_steps + 1, self.inputs
        self.compute = Compute(step, 0, self.compute.tokens_processed + draft.pairs.tokens)
        held, kl_nats = Held(inputs.policy, weights), None
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
