"""Spreads a step over processes and passes, and computes the loss of each pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from overopt.engines.forward import ForwardPass
from overopt.engines.trl.head import fused_response_logps
from overopt.engines.trl.steps import Pass, Step, blank, is_row_wise, nothing, splice, stand_in
from overopt.methods.contract.reading import Reading
from overopt.models.sequences import Batch, join


class PassLoss(NamedTuple):
    """Loss of a pass, and the whole step as it was handed to the method, without gradient.

    The trainer's mean of the losses over passes and processes is the step's loss. ``now`` is None
    where the process has nothing to do.
    """

    loss: Tensor
    now: Reading | None


class Passes:
    """The passes of this process.

    Args:
        trainer: of TRL, which has the policy and knows of the other processes.
        forward: what the method asks of a pass.
        reference: the initial policy.
        count: forward and backward passes of a process in one step.
    """

    def __init__(self, trainer: Any, forward: ForwardPass, reference: Any, count: int) -> None:
        self._trainer, self._forward, self._reference = trainer, forward, reference
        self._count = count
        self._row_wise: bool | None = None
        self._loss = 0.0

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        device: torch.device = self._trainer.accelerator.device
        return device

    def share(self, index_G: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """This process's part of some groups, in as many nearly equal pieces as it makes passes."""
        accelerator = self._trainer.accelerator
        own_G = np.array_split(index_G, accelerator.num_processes)[accelerator.process_index]
        return np.array_split(own_G, self._count)

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes."""
        summed: Tensor = self._trainer.accelerator.reduce(value, "sum")
        return summed

    def read(self, model: Any, batch: Batch, before: Reading) -> Reading:
        """Some groups as the policy reads them now; with gradient if enabled.

        TRL's head is enough for log-probabilities; other inputs need the logits or the states.

        Args:
            model: the policy, as the trainer has wrapped it.
            batch: the groups' joined rows.
            before: an earlier reading of them, (K, N, T), which may be wider than the batch.
        """
        _, samples, tokens = before.mask.shape
        width = batch.mask_BT.shape[1]
        rows = before.map(lambda part: part.flatten(0, 1)[:, :width])
        if self._forward.reads_tokens_only:
            now = rows._replace(policy_logp=fused_response_logps(model, batch))
        else:
            reads = self._forward.reads_reference
            about = self._forward.run_reference(self._reference, batch) if reads else None
            now = self._forward.run(model, batch, rows, about).reading

        def widen(part_RT: Tensor) -> Tensor:
            more = (0, 0) * (part_RT.dim() - 2)
            return pad(part_RT, (*more, 0, tokens - width))

        return before._replace(**now.map_policy(widen).group(samples).policy_parts())

    def lay_out(self, step: Step) -> list[Pass]:
        """This process's passes over a step."""
        groups, samples, _ = step.before.mask.shape
        passes = []
        for index_K in self.share(np.arange(groups)):
            counts = len(index_K) > 0
            given_K = index_K if counts else np.zeros(1, np.int64)
            row_R = (given_K[:, None] * samples + np.arange(samples)).ravel()
            prompts = step.prompts.take(np.repeat(given_K, samples))
            batch = join(prompts, step.responses.take(row_R), self.device)
            passes.append(Pass(step, torch.from_numpy(given_K).to(self.device), batch, counts))
        if self._count > 1 and not self._row_wise:
            # the passes come one after another, and each needs to know of those after it
            with torch.no_grad():
                readings = [self._read(self._trainer.model, one) for one in passes]
            others = self._gather(passes, readings)
            passes = [one._replace(others=others) for one in passes]
            self._find_out(step, others)
        return passes

    def loss(self, model: nn.Module, given: Pass) -> PassLoss:
        """Loss of a pass."""
        step = given.step
        own = self._read(model, given)
        if given.others is not None:
            others = given.others
        elif self._row_wise:
            others = stand_in(step, own)
        else:
            others = self._gather([given], [own.map_policy(Tensor.detach)])
            self._find_out(step, others)
        if not given.counts:
            return PassLoss(nothing(own), None)
        now = splice(others, given.index_K, own)
        loss_G = step.loss(now)
        mine_K = loss_G[given.index_K]
        self._loss += float(mine_K.detach().double().sum()) / loss_G.numel()
        # other groups' losses may depend on these groups, unless that was ruled out
        loss = mine_K.sum() / loss_G.numel() if self._row_wise else loss_G.mean()
        spread = self._count * int(self._trainer.accelerator.num_processes)
        return PassLoss(loss * spread, now.map_policy(Tensor.detach))

    def take_loss(self) -> float:
        """Mean loss over all processes' passes since it was last taken."""
        loss = float(self.total(torch.tensor(self._loss, device=self.device)))
        self._loss = 0.0
        return loss

    def _read(self, model: Any, given: Pass) -> Reading:
        return self.read(model, given.batch, given.step.before.take(given.index_K))

    def _gather(self, passes: Sequence[Pass], readings: Sequence[Reading]) -> Reading:
        """All groups of the step as the policy reads them, out of every process's passes."""
        whole = blank(passes[0].step, readings[0])
        for one, reading in zip(passes, readings, strict=True):
            if one.counts:
                whole = splice(whole, one.index_K, reading)
        return whole.map_policy(self.total)

    def _find_out(self, step: Step, now: Reading) -> None:
        """At the first step, whether later ones can do without the others' numbers."""
        if self._row_wise is None:
            self._row_wise = is_row_wise(step, now)
