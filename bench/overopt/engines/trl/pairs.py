"""The trl engine of the pairs family: a method's loss inside TRL's trainer of preferences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.kl_walk import Compute, PairsRow, Trajectory
from overopt.engines.pairs import (
    ReferenceLogps,
    pad_rows,
    pair_batches,
    pair_tokens,
    score_reference,
)
from overopt.engines.trl.course import Course, check_options
from overopt.engines.trl.private_api import PairsTrainer, pairs_config
from overopt.engines.trl.steps import Pass, Seen, Step
from overopt.engines.trl.training import (
    Probe,
    Setup,
    adapters,
    configuration,
    isolated,
    ready,
    train,
)
from overopt.execution.contract import Progress
from overopt.methods.contract.pairs import PairBatch, PairsMethod
from overopt.spec.pairs import PairsSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import concatenate


class _Turn(NamedTuple):
    """One pass: which of this process's passes it is, and the pairs of the whole step."""

    number: int
    index_B: npt.NDArray[np.int64]


class PairsCourse(Course):
    """Pairs in the native engine's order, spread over processes and passes."""

    settings: PairsSpec

    def __init__(
        self,
        method: PairsMethod,
        config: Any,
        settings: PairsSpec,
        policy: PreTrainedModel,
        pairs: Preferences,
        probe: Probe,
        budgets_nats: Sequence[float],
        rng: np.random.Generator,
        passes: int,
        progress: Progress,
    ) -> None:
        super().__init__(method, config, settings, policy, budgets_nats, passes, progress)
        self.steps = settings.max_steps
        self._pairs, self._probe, self._rng = pairs, probe, rng
        self._passes: list[Pass] = []
        self._sums = torch.zeros(3, dtype=torch.float64)
        self._row: PairsRow | None = None
        self.reference_logps: ReferenceLogps | None = None

    def turns(self, first_step: int) -> Iterator[_Turn]:
        batches = pair_batches(self._pairs, self.settings.batch_size, self._rng)
        for index_B in islice(batches, first_step, self.steps):
            for number in range(self.micro_batches):
                yield _Turn(number, index_B)

    def prepare(self, turn: _Turn) -> Pass:
        if turn.number == 0:
            self._sums.zero_()
            self._tokens = pair_tokens(self._pairs, turn.index_B)
            self._passes = self.lay_out(self._step(turn.index_B))
        return self._passes[turn.number]

    def note(self, given: Pass, seen: Seen) -> None:
        log_ratio_B2 = (seen.logp_GNT - given.step.logp_GNT)[given.index_K].sum(-1)
        chosen_B, rejected_B = log_ratio_B2.unbind(1)
        seen_3B = torch.stack([chosen_B, rejected_B, (chosen_B > rejected_B).to(chosen_B)])
        self._sums += seen_3B.sum(1).to("cpu", torch.float64) / len(given.step.mask_GNT)

    def record(self, loss: float, gradient_norm: float) -> None:
        chosen, rejected, accuracy = self.total(self._sums.float().to(self.device)).tolist()
        step = self.step + 1
        self._row = PairsRow(step, None, loss, gradient_norm, chosen, rejected, accuracy)

    def advance(self) -> bool:
        assert self._row is not None and self._row.step == self.step
        step = self.step
        self.compute = Compute(step, 0, self.compute.tokens_processed + self._tokens)
        kl_nats = None
        if self.walk.due(step):
            kl_nats = self._probe(self.policy, self.reference)
            self.observe(kl_nats)
        self.rows.append(self._row._replace(kl_nats=kl_nats))
        self.progress(self.walk.fraction(step), f"{self.name}: step {step}")
        return self.walk.finished

    def _step(self, index_B: npt.NDArray[np.int64]) -> Step:
        """A step's pairs as groups of two rows, the chosen response first."""
        assert self.reference_logps is not None
        pairs, rows = self._pairs.take(index_B), len(index_B)
        in_turn_R = np.arange(2 * rows).reshape(2, rows).T.ravel()
        responses = concatenate([pairs.chosen, pairs.rejected]).take(in_turn_R)
        width = responses.ids_NT.shape[1]
        parts = [pad_rows(logp_PT, index_B, width) for logp_PT in self.reference_logps]
        reference_B2T = torch.stack(parts, dim=1).to(self.device)
        mask_B2T = torch.from_numpy(responses.mask_NT.reshape(rows, 2, width)).to(reference_B2T)

        def loss(seen: Seen) -> Tensor:
            chosen_kl_BT, rejected_kl_BT = _halves(seen.forward_kl_GNT)
            chosen_output_BTC, rejected_output_BTC = _halves(seen.output_GNTC)
            batch = PairBatch(
                seen.logp_GNT[:, 0],
                seen.logp_GNT[:, 1],
                reference_B2T[:, 0],
                reference_B2T[:, 1],
                mask_B2T[:, 0],
                mask_B2T[:, 1],
                chosen_kl_BT,
                rejected_kl_BT,
                chosen_output_BTC,
                rejected_output_BTC,
            )
            loss_B: Tensor = self.method.loss(self.config, batch)
            return loss_B

        return Step(pairs.prompts, responses, reference_B2T, mask_B2T, loss)


def _halves(value_B2: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Chosen and rejected rows of something that may not be there."""
    return (None, None) if value_B2 is None else (value_B2[:, 0], value_B2[:, 1])


def optimize_pairs(
    method: PairsMethod,
    config: Any,
    settings: PairsSpec,
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    pairs: Preferences,
    probe: Probe,
    budgets_nats: Sequence[float],
    rng: np.random.Generator,
    progress: Progress,
    setup: Setup,
) -> Trajectory:
    """Descend a method's loss over preference pairs in TRL's trainer; see ``native_pairs``.

    Batches, their order, learning rate, clipping and KL probe are the native engine's, so that the
    two engines differ in rounding only. The reference is scored once, each process taking a share.

    Args:
        method: the module that supplies ``loss``.
        config: its ``Config``.
        settings: learning rate, batch size, number of steps.
        policy: trained in place; it starts as the initial policy.
        reference: the initial policy.
        pairs: P preference pairs.
        probe: estimates KL(policy || reference) in nats.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        rng: the order of the pairs.
        progress: told the fraction done.
        setup: processes, precision, adapters, checkpoints.

    Raises:
        FloatingPointError: if a loss, a gradient or a KL estimate is not finite.
        UserError: an option that TRL does not have, or whose library is missing.
    """
    options = setup.options
    check_options(method, options)
    with isolated(int(policy.config.vocab_size)):
        rows = -(-settings.batch_size // options.processes)
        passes = -(-rows // (options.micro_batch or rows))
        course = PairsCourse(
            method, config, settings, policy, pairs, probe, budgets_nats, rng, passes, progress
        )
        shared = configuration("pairs", settings, setup, passes, course.steps)
        shared["per_device_train_batch_size"] = -(-rows // passes)
        course.trainer = PairsTrainer(
            course,
            model=ready(policy),
            args=pairs_config(**shared),
            processing_class=setup.tokenizer,
            peft_config=adapters(options),
        )
        course.begin(reference)
        course.reference_logps = _score_shares(course, pairs)
        train(course, setup)
        return course.finish()


def _score_shares(course: PairsCourse, pairs: Preferences) -> ReferenceLogps:
    """The reference's log-probabilities of all pairs, a share of them from each process."""
    accelerator = course.trainer.accelerator
    mine_Q = np.arange(
        accelerator.process_index, len(pairs.prompts.ids_NT), accelerator.num_processes
    )
    own = score_reference(course.reference, pairs.take(mine_Q))
    parts = []
    for part_QT, responses in zip(own, (pairs.chosen, pairs.rejected), strict=True):
        all_PT = np.zeros(responses.ids_NT.shape, np.float32)
        all_PT[mine_Q, : part_QT.shape[1]] = part_QT
        summed_PT = course.total(torch.from_numpy(all_PT).to(accelerator.device))
        parts.append(summed_PT.cpu().numpy())
    return ReferenceLogps(*parts)
