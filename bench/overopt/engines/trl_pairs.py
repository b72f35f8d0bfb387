"""The trl engine of the pairs family: a method's loss inside TRL's trainer of preferences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.engines.native_pairs import (
    PreferencePairs,
    ReferenceLogps,
    pad_rows,
    pair_batches,
    pair_tokens,
    score_reference,
)
from overopt.engines.snapshots import Compute, PairsRow, Progress, Trajectory
from overopt.engines.trl_seams import PairsTrainer, fused_response_logps, pairs_config
from overopt.engines.trl_training import (
    Course,
    Probe,
    Setup,
    adapters,
    configuration,
    isolated,
    ready,
    reference_of,
    train,
)
from overopt.methods.contract import PairBatch, PairsMethod
from overopt.models.sequences import Batch, join
from overopt.spec import PairsSpec
from overopt.worlds.tokens import concatenate


class _Turn(NamedTuple):
    """One pass: the pairs of a process, and how many pairs the whole step has."""

    index_B: npt.NDArray[np.int64]
    step_index_B: npt.NDArray[np.int64]
    first: bool


class _Given(NamedTuple):
    """The tensors of a pass: chosen rows before rejected ones, and their reference."""

    batch: Batch
    reference_chosen_logp_BT: Tensor
    reference_rejected_logp_BT: Tensor
    weight_B: Tensor
    scale: float


class PairsCourse(Course):
    """Pairs in the native engine's order, spread over processes and passes."""

    settings: PairsSpec

    def __init__(
        self,
        method: PairsMethod,
        config: Any,
        settings: PairsSpec,
        pairs: PreferencePairs,
        probe: Probe,
        budgets_nats: Sequence[float],
        rng: np.random.Generator,
        passes: int,
        progress: Progress,
    ) -> None:
        name = method.__name__.rpartition(".")[2]
        super().__init__(name, settings, tuple(budgets_nats), progress)
        self.micro_batches = passes
        self.steps = settings.max_steps
        self._method, self._config = method, config
        self._pairs, self._probe, self._rng = pairs, probe, rng
        self._sums = torch.zeros(4, dtype=torch.float64)
        self._row: PairsRow | None = None
        self.reference: Any = None
        self.reference_logps: ReferenceLogps | None = None

    def turns(self, first_step: int) -> Iterator[_Turn]:
        batches = pair_batches(self._pairs, self.settings.batch_size, self._rng)
        for step_index_B in islice(batches, first_step, self.steps):
            for number, index_B in enumerate(self.share(step_index_B)):
                yield _Turn(index_B, step_index_B, number == 0)

    def prepare(self, turn: _Turn) -> _Given:
        assert self.reference_logps is not None
        if turn.first:
            self._sums.zero_()
            self._tokens = pair_tokens(self._pairs, turn.step_index_B)
        # a process without a pair takes any, with no weight, so that all processes take part
        index_B = turn.index_B if len(turn.index_B) else turn.step_index_B[:1]
        pairs = self._pairs.take(index_B)
        responses = concatenate([pairs.chosen, pairs.rejected])
        device = self.trainer.accelerator.device
        batch = join(concatenate([pairs.prompts, pairs.prompts]), responses, device)
        width = batch.mask_BT.shape[1]
        chosen_logp_PT, rejected_logp_PT = self.reference_logps
        return _Given(
            batch,
            pad_rows(chosen_logp_PT, index_B, width).to(device),
            pad_rows(rejected_logp_PT, index_B, width).to(device),
            torch.full((len(index_B),), float(len(turn.index_B) > 0), device=device),
            self.scale(len(turn.step_index_B)),
        )

    def loss(self, model: nn.Module, given: _Given) -> Tensor:
        chosen_logp_BT, rejected_logp_BT = fused_response_logps(model, given.batch).chunk(2)
        chosen_mask_BT, rejected_mask_BT = given.batch.mask_BT.to(chosen_logp_BT).chunk(2)
        batch = PairBatch(
            chosen_logp_BT,
            rejected_logp_BT,
            given.reference_chosen_logp_BT,
            given.reference_rejected_logp_BT,
            chosen_mask_BT,
            rejected_mask_BT,
        )
        loss_B = self._method.loss(self._config, batch) * given.weight_B
        chosen_B = batch.chosen_log_ratio_B * given.weight_B
        rejected_B = batch.rejected_log_ratio_B * given.weight_B
        seen_4B = torch.stack([loss_B, chosen_B, rejected_B, (chosen_B > rejected_B).to(loss_B)])
        passes = self.micro_batches * self.trainer.accelerator.num_processes
        scale = given.scale / passes
        self._sums += scale * seen_4B.detach().sum(1).to("cpu", torch.float64)
        return loss_B.sum() * given.scale

    def check(self, gradient_norm: float) -> None:
        device = self.trainer.accelerator.device
        loss, chosen, rejected, accuracy = self.total(self._sums.float().to(device)).tolist()
        self.check_finite(loss, gradient_norm)
        step = self.step + 1
        self._row = PairsRow(step, None, loss, gradient_norm, chosen, rejected, accuracy)

    def after_step(self) -> bool:
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


def optimise_pairs(
    method: PairsMethod,
    config: Any,
    settings: PairsSpec,
    policy: PreTrainedModel,
    reference: PreTrainedModel,
    pairs: PreferencePairs,
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
    with isolated(int(policy.config.vocab_size)):
        rows = -(-settings.batch_size // options.processes)
        passes = -(-rows // (options.micro_batch or rows))
        course = PairsCourse(
            method, config, settings, pairs, probe, budgets_nats, rng, passes, progress
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
        course.reference = reference_of(course, reference)
        course.reference_logps = _score_shares(course, pairs)
        train(course, setup)
        return course.finish()


def _score_shares(course: PairsCourse, pairs: PreferencePairs) -> ReferenceLogps:
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
