"""The stacked engine of the rollout family: policies that sample together, and learn together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from overopt.engines.contract import RunInputs
from overopt.engines.method.loading import open_as
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.sample_data import steps_dealt
from overopt.engines.stacked.cell import longest_prompt, rectangle
from overopt.engines.stacked.learner import Heard
from overopt.engines.stacked.model import Said
from overopt.engines.stacked.rewards import StackedRewards, stackable
from overopt.engines.stacked.rollout_cell import RolloutCell
from overopt.engines.stacked.sampling import Ending, Span, sample_stack
from overopt.engines.stacked.serving import check_method
from overopt.engines.stacked.stack import Outcome, Stack, check_width, place_for
from overopt.execution.contract import Progress, silent
from overopt.models.logprobs import suppressed_ids
from overopt.models.sampling import stop_ids
from overopt.models.sequences import Batch
from overopt.spec.method import MethodSpec
from overopt.spec.rollout import RolloutSpec


def optimize(
    method: MethodSpec,
    settings: Mapping[str, object],
    cells: Sequence[RunInputs],
    width: int,
    kept: Path | None,
    progress: Progress,
) -> list[Outcome]:
    """Runs of this family; see ``optimize_stack``."""
    opened = open_as(OpenedRollout, method)
    spec = RolloutSpec.model_validate(settings)
    return optimize_stack(opened, spec, cells, width, kept=kept, progress=progress)


def optimize_stack(
    method: OpenedRollout,
    settings: RolloutSpec,
    cells: Sequence[RunInputs],
    width: int,
    rates: Sequence[float] | None = None,
    kept: Path | None = None,
    progress: Progress = silent,
    device: torch.device | None = None,
    reward_together: bool | None = None,
) -> list[Outcome]:
    """Optimize cells that differ in their proxies and randomness side by side.

    In every round all cells sample together, each is rewarded by its own proxy, reference and
    policy read all samples in one pass each, and every minibatch is one pass and one step of all
    cells. Draws, readings, KL and walks are those of the native engine, cell by cell. A cell whose
    reward, loss or KL is not finite fails alone.

    Args:
        method: which asks for nothing that is not served (``spec.stacked``).
        settings: learning rate, prompts per step, samples per prompt, number of steps.
        cells: what each is given, at most ``width`` of them, of one world.
        width: of the stack.
        rates: learning rate of each cell; by default that of the settings.
        kept: folder that outlives a killed process.
        progress: told the fraction done.
        device: of the stack; by default an accelerator where there is one.
        reward_together: whether rewards that are made of small models are computed in a stack, too;
            by default on an accelerator only, since a CPU is faster cell by cell.

    Raises:
        UserError: the method asks for more.
    """
    check_method("rollout", method)
    check_width(cells, width)
    place = place_for(device)
    own = [RolloutCell(method, settings, inputs, place) for inputs in cells]
    rate = method.training.module_rate
    modules = [cell.learner.module for cell in own if cell.learner.module is not None]
    stack = Stack(own, settings, width, rates, place, modules, rate)
    if reward_together is None:
        reward_together = place.type != "cpu"
    rewards = stackable([one.reward for one in cells], width, place) if reward_together else None
    rounds = _Rounds(stack, method, settings, cells[0], rewards)
    return stack.train(rounds.advance, kept, progress)


@dataclass(frozen=True)
class _Pass:
    """What the stack has said in one pass, place by place."""

    said: list[Heard]

    @classmethod
    def of(cls, said: Said) -> _Pass:
        logits = said.logits_CRLV.unbind(0)
        if said.states_JCRLD is None:
            return cls([Heard(of_cell, None) for of_cell in logits])
        layers = zip(*(layer.unbind(0) for layer in said.states_JCRLD), strict=True)
        return cls([Heard(*parts) for parts in zip(logits, layers, strict=True)])


class _Rounds:
    """Rollouts of all cells of a stack, and the steps on them.

    Args:
        stack: of the cells.
        method, settings: which give the shapes of a round with the world.
        some: what one of the cells is given.
        rewards: of all cells together; None where each has its own computed.
    """

    def __init__(
        self,
        stack: Stack[RolloutCell],
        method: OpenedRollout,
        settings: RolloutSpec,
        some: RunInputs,
        rewards: StackedRewards | None,
    ) -> None:
        self._rewards = rewards
        self._stack, self._training, self._inputs = stack, method.training, method.inputs
        self._max_steps = settings.max_steps
        shortest = int(np.min(some.prompts.length_N))
        self._span = Span(shortest, longest_prompt(some), some.max_new_tokens)
        self._ending = Ending(suppressed_ids(some.policy), stop_ids(some.policy))
        prompts = min(settings.prompts_per_step, some.prompts.rows())
        self._samples = settings.samples_per_prompt
        self._prompts, self._rows = prompts, prompts * self._samples
        self._steps = steps_dealt(prompts, method.training)

    def advance(self) -> None:
        """One rollout of every cell that is not over, and all steps on it."""
        stack = self._stack
        taken = stack.adam.steps_taken
        # a single minibatch is all rows in order, and uses the pass in which they are read
        at_once = self._training.minibatches == 1
        self._sample(at_once)
        for number in range(min(self._steps, self._max_steps - taken)):
            going = stack.going
            if not going:
                break
            read_before = at_once and number == 0
            if not read_before:
                batches = {place: cell.minibatch(number) for place, cell in going.items()}
                self._tell(self._pass(self._lay_out(batches)), None)
            losses = {place: cell.loss(number, read_before) for place, cell in going.items()}
            norms = stack.step(losses)
            for place, cell in going.items():
                with cell.failing_alone():
                    loss, weights = losses[place].item(), stack.weights_at(place)
                    cell.observe(number, loss, norms[place], weights)
        for cell in stack.going.values():
            cell.end_round()

    def _sample(self, with_gradient: bool) -> None:
        """Draw, reward and read the samples of a rollout."""
        stack = self._stack
        asked = [None if cell.over else cell.ask() for cell in stack.cells]
        asked += [None] * (stack.width - len(asked))
        drawn = sample_stack(stack.policy, stack.adam.weights, asked, self._span, self._ending)
        batches = {
            place: cell.receive(samples)
            for place, cell in stack.going.items()
            if (samples := drawn[place]) is not None
        }
        ids_CRL = self._lay_out(batches)
        if self._rewards is not None:
            texts = {place: cell.texts for place, cell in stack.going.items()}
            for place, raw_KR in self._rewards.score(ids_CRL, batches, texts).items():
                with stack.cells[place].failing_alone():
                    stack.cells[place].reward_R = self._rewards.combine(place, raw_KR)
        with torch.no_grad():
            states = "reference_states" in self._inputs
            reference = _Pass.of(stack.policy.read(stack.reference, ids_CRL, states))
        with torch.set_grad_enabled(with_gradient):
            self._tell(self._pass(ids_CRL), reference)
            for place, cell in stack.going.items():
                with cell.failing_alone():
                    cell.read(with_gradient, stack.weights_at(place))

    def _lay_out(self, batches: Mapping[int, Batch]) -> Tensor:
        """Rows of the cells at these places, in a rectangle of the world's size."""
        rows = max(len(batch.ids_BL) for batch in batches.values())
        length = self._span.longest + self._span.new_tokens
        given = [batches.get(place) for place in range(self._stack.width)]
        return rectangle(given, rows, length).to(self._stack.device)

    def _pass(self, ids_CRL: Tensor) -> _Pass:
        """The policies' pass over these rows."""
        policy, weights = self._stack.policy, self._stack.adam.weights
        return _Pass.of(policy.read(weights, ids_CRL, "policy_states" in self._inputs))

    def _tell(self, policy: _Pass, reference: _Pass | None) -> None:
        """Let every cell's learner hear what the stack has said."""
        stack = self._stack
        modules = {name: value.unbind(0) for name, value in stack.adam.modules.weights.items()}
        for place, cell in stack.going.items():
            own = {name: values[place] for name, values in modules.items()}
            heard = None if reference is None else reference.said[place]
            cell.learner.hear(policy.said[place], own, heard)
