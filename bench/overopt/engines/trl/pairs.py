"""The trl engine of the pairs family: a method's loss inside TRL's trainer of preferences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.engines.contract import RunInputs, required
from overopt.engines.method.loading import open_as
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import (
    PairsRow,
    ReferenceLogps,
    lay_out,
    pair_batches,
    read_anchor,
    score_reference,
    tell_step,
)
from overopt.engines.trl.private_api import PairsTrainer, pairs_config
from overopt.engines.trl.run import TrlRun
from overopt.engines.trl.steps import Pass, Step
from overopt.engines.trl.training import (
    TrlSetup,
    adapters,
    check_options,
    configuration,
    isolated,
    ready,
    train,
)
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.spec.method import MethodSpec
from overopt.spec.pairs import PairsSpec


class _PassIndex(NamedTuple):
    """One pass: which of this process's passes it is, and the pairs of the whole step."""

    number: int
    index_B: npt.NDArray[np.int64]


class PairsRun(TrlRun[PairsRow]):
    """Pairs in the native engine's order, spread over processes and passes."""

    reference_logps: ReferenceLogps

    def __init__(
        self,
        method: OpenedPairs,
        settings: PairsSpec,
        inputs: RunInputs,
        gradient_accumulation_steps: int,
    ) -> None:
        steps = settings.max_steps
        super().__init__(method, settings, inputs, steps, gradient_accumulation_steps, PairsRow)
        self.method, self.settings = method, settings
        self.trainer_steps = steps
        self.preferences = required(inputs.preferences, "preference data")
        self._laid_out: list[Pass] = []
        self._tokens = 0
        self._sums = torch.zeros(3, dtype=torch.float64)
        self._row: PairsRow | None = None

    def begin(self) -> None:
        """Score the reference too, each process a share of the pairs."""
        super().begin()
        self.reference_logps = self._score_shares()

    def train_inputs(self, first_step: int) -> Iterator[_PassIndex]:
        """The passes of every step from one on."""
        rng, coupled = self.inputs.randomness.numpy, self.method.couples_pairs
        batches = pair_batches(self.preferences, self.settings.batch_size, rng, coupled)
        for index_B in islice(batches, first_step, self.trainer_steps):
            for number in range(self.gradient_accumulation_steps):
                yield _PassIndex(number, index_B)

    def prepare_inputs(self, inputs: _PassIndex) -> Pass:
        """The tensors of a pass."""
        if inputs.number == 0:
            self._sums.zero_()
            self._laid_out = self.passes.lay_out(self._step(inputs.index_B))
        return self._laid_out[inputs.number]

    def note(self, given: Pass, now: Reading) -> None:
        """Sum up what the row says of this process's pairs."""
        chosen_B, rejected_B = now.take(given.index_K).log_ratio.unbind(1)
        seen_3B = torch.stack([chosen_B, rejected_B, (chosen_B > rejected_B).to(chosen_B)])
        self._sums += seen_3B.sum(1).to("cpu", torch.float64) / len(now.mask)

    def record(self, loss: float, gradient_norm: float) -> None:
        """Make the step's row, still without its KL."""
        sums = self.passes.total(self._sums.float().to(self.device))
        chosen, rejected, accuracy = sums.tolist()
        step = self.step + 1
        self._row = PairsRow(step, None, loss, gradient_norm, chosen, rejected, accuracy)

    def advance(self) -> bool:
        """Measure the KL where it is due, and keep the row."""
        assert self._row is not None and self._row.step == self.step
        step = self.step
        self.compute = Compute(step, 0, self.compute.tokens_processed + self._tokens)
        kl_nats = None
        if self.walk.due(step):
            kl_nats = self.inputs.kl_probe(self.policy, self.reference)
            self.observe(kl_nats)
        else:
            self.pass_by()
        self.rows.append(self._row._replace(kl_nats=kl_nats))
        self.inputs.progress(self.walk.fraction(step), tell_step(self.rows))
        return self.walk.finished

    def _step(self, index_B: npt.NDArray[np.int64]) -> Step:
        """A step's pairs as groups of two rows, the chosen response first."""
        laid_out = lay_out(self.preferences, self.reference_logps, index_B)
        pairs = read_anchor(laid_out, self.anchor)
        self._tokens = pairs.tokens
        in_turn_R = np.arange(2 * len(index_B)).reshape(2, -1).T.ravel()
        before = pairs.before.map(lambda part: part.transpose(0, 1).contiguous().to(self.device))

        def loss(now: Reading) -> Tensor:
            return self.method.loss(PairBatch.of(now.unbind(1)))

        return Step(pairs.prompts, pairs.responses.take(in_turn_R), before, loss)

    def _score_shares(self) -> ReferenceLogps:
        """The reference's log-probabilities of all pairs, a share of them from each process."""
        accelerator, pairs = self.trainer.accelerator, self.preferences
        mine_Q = np.arange(accelerator.process_index, pairs.rows(), accelerator.num_processes)
        own = score_reference(self.reference, pairs.take(mine_Q))
        parts = []
        for part_QT, responses in zip(own, (pairs.chosen, pairs.rejected), strict=True):
            all_PT = np.zeros(responses.ids_NT.shape, np.float32)
            all_PT[mine_Q, : part_QT.shape[1]] = part_QT
            summed_PT = self.passes.total(torch.from_numpy(all_PT).to(self.device))
            parts.append(summed_PT.cpu().numpy())
        return ReferenceLogps(*parts)


def optimize(
    method: MethodSpec, settings: Mapping[str, object], inputs: RunInputs, setup: TrlSetup
) -> Trajectory:
    """A run of this family; see ``engines.contract``."""
    opened = open_as(OpenedPairs, method)
    return optimize_pairs(opened, PairsSpec.model_validate(settings), inputs, setup)


def optimize_pairs(
    method: OpenedPairs, settings: PairsSpec, inputs: RunInputs, setup: TrlSetup
) -> Trajectory:
    """Descend a method's loss over preference pairs in TRL's trainer; see ``engines.pairs``.

    Batches, their order, learning rate, clipping and KL probe are the native engine's, so that the
    two engines differ in rounding only. The reference is scored once, each process taking a share.

    Args:
        method: which supplies ``loss``.
        settings: learning rate, batch size, number of steps.
        inputs: of the run, with preference data.
        setup: processes, precision, adapters, checkpoints.

    Raises:
        FloatingPointError: if a loss, a gradient or a KL estimate is not finite.
        UserError: an option that TRL does not have, or whose library is missing.
    """
    options = setup.options
    check_options(method, options)
    with isolated(int(inputs.policy.config.vocab_size)):
        rows = -(-settings.batch_size // options.processes)
        passes = -(-rows // (options.micro_batch or rows))
        run = PairsRun(method, settings, inputs, passes)
        shared = configuration("pairs", settings, setup, passes, run.trainer_steps)
        shared["per_device_train_batch_size"] = -(-rows // passes)
        run.trainer = PairsTrainer(
            run,
            model=ready(inputs.policy),
            args=pairs_config(**shared),
            processing_class=setup.tokenizer,
            peft_config=adapters(options),
        )
        run.begin()
        train(run, setup)
        return run.finish()
