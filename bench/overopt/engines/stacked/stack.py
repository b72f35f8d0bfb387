"""A stack in training, whatever the family of its method: weights, dummies, end and memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from overopt.engines.contract import RunInputs
from overopt.engines.optimizer import OptimizerSettings
from overopt.engines.stacked.cell import StackedCell
from overopt.engines.stacked.memory import recall, remember
from overopt.engines.stacked.model import StackedPolicy, stack, unstack
from overopt.engines.stacked.optimizer import StackedAdam
from overopt.engines.walk.trajectory import Trajectory
from overopt.execution.contract import Progress
from overopt.models.weights import weights_of

REMEMBER_STEPS = 50
"""Steps after which a killed stack can be continued."""

Cell = TypeVar("Cell", bound=StackedCell)


@dataclass(frozen=True)
class Outcome:
    """What a cell leaves, or why it failed."""

    trajectory: Trajectory
    error: str | None


class Stack(Generic[Cell]):
    """Cells on ``width`` places; places without a cell, and cells that are over, are dummies.

    Attributes:
        policy: the forward pass. adam: the weights of all places, and the steps on them.
        reference: the weights of all places' initial policies.
        cells: in the order of their places.
        width, device: of the stack.

    Args:
        cells: what is each cell's own.
        settings: of the optimizer.
        width: places.
        rates: learning rate of each cell; by default that of the settings.
        device: by default an accelerator where there is one.
        modules: the method's own module of each cell; none by default.
        module_rate: their learning rate over the policies'.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        settings: OptimizerSettings,
        width: int,
        rates: Sequence[float] | None,
        device: torch.device,
        modules: Sequence[nn.Module] = (),
        module_rate: float = 1.0,
    ) -> None:
        self.cells, self.width, self.device = cells, width, device
        self.policy = StackedPolicy(cells[0].inputs.policy)
        self.reference = self._stacked([weights_of(cell.inputs.reference) for cell in cells])
        rate_C = [*(rates or [settings.learning_rate] * len(cells))]
        rate_C += [0.0] * (width - len(cells))
        self.adam = StackedAdam(
            self._stacked([weights_of(cell.inputs.policy) for cell in cells]),
            rate_C,
            settings.warmup_steps,
            settings.max_gradient_norm,
            self._stacked([dict(module.named_parameters()) for module in modules]),
            module_rate,
        )

    def _stacked(self, weights: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Weights of all places; those without a cell have the last one's."""
        if not weights:
            return {}
        filled = [weights[min(place, len(weights) - 1)] for place in range(self.width)]
        return {name: value.to(self.device) for name, value in stack(filled).items()}

    @property
    def going(self) -> dict[int, Cell]:
        """Cells that are not over, by their places."""
        return {place: cell for place, cell in enumerate(self.cells) if not cell.over}

    def weights_at(self, place: int) -> dict[str, Tensor]:
        """The weights of one policy; they share the stack's memory."""
        return unstack(self.adam.weights, place)

    def step(self, losses: Mapping[int, Tensor]) -> list[float]:
        """One step down the losses of the cells at these places; norm of each place's gradient."""
        active_C = torch.tensor([place in losses for place in range(self.width)])
        found: list[float] = self.adam.step(
            torch.stack(list(losses.values())).sum(), active_C
        ).tolist()
        return found

    def train(
        self, advance: Callable[[], None], kept: Path | None, progress: Progress
    ) -> list[Outcome]:
        """Go on until all cells are over.

        Args:
            advance: takes a step, or all steps on a rollout, of all cells that are not.
            kept: folder that outlives a killed process.
            progress: told the fraction done.
        """
        if kept is not None:
            recall(kept, self.adam, self.cells)
        while self.going:
            before = self.adam.steps_taken
            advance()
            steps = self.adam.steps_taken
            if kept is not None and steps // REMEMBER_STEPS > before // REMEMBER_STEPS:
                remember(kept, self.adam, self.cells)
            done = [1.0 if cell.over else cell.walk.fraction(steps) for cell in self.cells]
            told = f"step {steps}, {len(self.going)} of {len(self.cells)} cells on their way"
            progress(min(done), told)
        return [Outcome(cell.trajectory, cell.error) for cell in self.cells]


def place_for(device: torch.device | None) -> torch.device:
    """Where a stack lies; by default on an accelerator where there is one."""
    return device or torch.device("cuda" if torch.cuda.is_available() else "cpu")


def check_width(cells: Sequence[RunInputs], width: int) -> None:
    """Refuse more cells than there are places."""
    if len(cells) > width:
        raise ValueError(f"{len(cells)} cells do not fit into a stack of {width}")
