"""One cell of a stack that learns from its own samples: its draws, rewards and minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.engines.beside import with_all_asked
from overopt.engines.contract import RunInputs, required
from overopt.engines.drawn import read_responses
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rows import tokens_of
from overopt.engines.sample_data import RolloutRow, deal, prompt_batches
from overopt.engines.stacked.cell import Held, StackedCell
from overopt.engines.stacked.learner import StackedLearner
from overopt.engines.stacked.sampling import Asked
from overopt.engines.walk.trajectory import Compute
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.training import Training
from overopt.models.sampling import Samples
from overopt.models.sequences import Batch, join, take_rows
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens


class Draws(NamedTuple):
    """All random draws of a rollout, in the native engine's order.

    index_B: its prompts. uniform_RT: the number that draws each token. dealt: its minibatches.
    """

    index_B: npt.NDArray[np.int64]
    uniform_RT: Tensor
    dealt: tuple[Tensor, ...]


def _draws(settings: RolloutSpec, training: Training, inputs: RunInputs) -> Iterator[Draws]:
    """Rollout after rollout, for ever."""
    generator = inputs.randomness.torch
    batches = prompt_batches(inputs.prompts.rows(), settings.prompts_per_step, generator)
    for index_B in batches:
        shape = (len(index_B) * settings.samples_per_prompt, inputs.max_new_tokens)
        uniform_RT = torch.rand(shape, generator=generator, dtype=torch.float64)
        yield Draws(index_B, uniform_RT, tuple(deal(len(index_B), training, generator)))


class RolloutCell(StackedCell):
    """What is a cell's own while a stack learns from its samples.

    Attributes:
        texts: prompts and responses of its samples, row by row.
        reward_R: their rewards, where the stack has computed them.

    Args:
        method: which supplies the mathematics.
        settings: prompts per step, samples per prompt, number of steps.
        inputs: of the cell, with a reward; torch draws the prompts, the samples and how minibatches
            are dealt, all of it outside of the stack.
        device: of the stack.
    """

    ROW = RolloutRow

    def __init__(
        self,
        method: OpenedRollout,
        settings: RolloutSpec,
        inputs: RunInputs,
        device: torch.device,
    ) -> None:
        super().__init__(method.name, settings.max_steps, inputs)
        self._method, self._samples = method, settings.samples_per_prompt
        self._max_steps = settings.max_steps
        self.learner = StackedLearner(method, settings, inputs, device)
        self._rounds = _draws(settings, method.training, inputs)
        self.reward_R: npt.NDArray[np.float64] | None = None
        self._learned: list[tuple[float, float]] = []  # loss and gradient norm of each step

    @property
    def over(self) -> bool:
        """Whether its final policy was sampled, or it has failed."""
        # of the final policy's samples nothing is learned
        return self.error is not None or (bool(self.rows) and self.rows[-1].loss is None)

    def skip(self, rows: int) -> None:
        """Pass over the draws of rollouts that were made before."""
        for _ in range(rows):
            next(self._rounds)

    @property
    def notes(self) -> tuple[Any, dict[str, Tensor]] | None:
        """What the method remembers, as JSON and tensors; None where that cannot be written."""
        return self.learner.notes

    def recall_notes(self, told: Any, tensors: dict[str, Tensor]) -> None:
        """Let the method remember what ``notes`` told."""
        self.learner.recall_notes(told, tensors)

    def ask(self) -> Asked:
        """The prompts of the next rollout, and the numbers that draw its samples."""
        self._drawn_by = next(self._rounds)
        self._prompts = self.inputs.prompts.take(self._drawn_by.index_B)
        return Asked(self._prompts, self._drawn_by.uniform_RT)

    def receive(self, samples: Samples) -> Batch:
        """Take the samples; the rows that are to be read of them."""
        self._received = samples
        row_R = np.arange(samples.responses.rows()) // self._samples
        self.texts = self._prompts.take(row_R), samples.responses
        return join(*self.texts)

    def read(self, with_gradient: bool, weights: dict[str, Tensor]) -> None:
        """Reward the samples and read them, as the learner has heard of them.

        Args:
            with_gradient: whether the stack's pass had one.
            weights: of the cell's policy.

        Raises:
            FloatingPointError: a reward or an estimate of KL is not finite.
        """
        responses, logp_RT, _ = self._received
        drawn = read_responses(
            self.learner, self._prompts, responses, self._reward, logp_RT, with_gradient
        )
        self._learned, self._before = [], self.compute
        step = self.compute.gradient_steps
        self.walk.observe(step, drawn.kl_nats, self.compute, Held(self.inputs.policy, weights))
        if self.walk.finished or step == self._max_steps:
            self._drawn = drawn
            self.end_round()
            return
        drawn = with_all_asked(self.learner, drawn, self._drawn_by.index_B, self.inputs)
        memory = self.learner.observe(drawn.rollout)
        self._drawn = drawn._replace(rollout=drawn.rollout._replace(memory=memory))
        with torch.no_grad():
            self._advantage = self._method.advantages(self._drawn.rollout)

    def minibatch(self, number: int) -> Batch:
        """The rows of a minibatch."""
        return take_rows(self._drawn.batch, self._rows_of(number))

    def loss(self, number: int, read_before: bool) -> Tensor:
        """Mean loss of a minibatch, whose rows the learner has heard of.

        Args:
            number: of the minibatch.
            read_before: whether it is all rows, as they were read with the samples.
        """
        index_B, row_K, drawn = self._drawn_by.dealt[number], self._rows_of(number), self._drawn
        now = drawn.reading if read_before else drawn.read(self.learner, row_K)
        taken = drawn.rollout.take(index_B)
        step = RolloutStep(taken, now.group(self._samples), self._advantage[index_B])
        return self._method.loss(step).mean()

    def observe(self, number: int, loss: float, norm: float, weights: dict[str, Tensor]) -> None:
        """Take note of a step that was taken.

        Raises:
            FloatingPointError: a loss or a gradient is not finite.
        """
        self.check_step(loss, norm)
        self._learned.append((loss, norm))
        before, spent = self._before, self.compute
        self.compute = Compute(
            before.gradient_steps + len(self._learned),
            before.samples_drawn + self._drawn.rows,
            spent.tokens_processed + tokens_of(self._drawn, self._rows_of(number)),
        )
        held = Held(self.inputs.policy, weights)
        self.walk.pass_by(self.compute.gradient_steps, self.compute, held)

    def end_round(self) -> None:
        """Write down what was seen of the samples, and learned from them."""
        drawn, taken = self._drawn, len(self._learned)
        row = RolloutRow(
            step=self.compute.gradient_steps - taken,
            kl_nats=drawn.kl_nats,
            loss=sum(loss for loss, _ in self._learned) / taken if taken else None,
            gradient_norm=sum(norm for _, norm in self._learned) / taken if taken else None,
            reward_mean=drawn.rollout.reward_BN.mean().item(),
            length_mean=drawn.length_mean,
            entropy_nats=drawn.entropy_nats,
        )
        self.rows.append(row)

    def _rows_of(self, number: int) -> Tensor:
        """Rows of all samples of a minibatch's prompts."""
        index_B = self._drawn_by.dealt[number]
        return (index_B[:, None] * self._samples + torch.arange(self._samples)).flatten()

    def _reward(self, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        """The cell's own proxy's.

        Raises:
            FloatingPointError: it is not finite; names the step, which the learner does not know.
        """
        reward_R = self.reward_R
        if reward_R is None:
            reward_R = required(self.inputs.reward, "a reward")(prompts, responses)
        if not np.isfinite(reward_R).all():
            step = self.compute.gradient_steps + 1
            raise FloatingPointError(f"{self._name}: a reward of step {step} is not finite")
        return reward_R
