"""What is a cell's own while a stack trains, whatever its family: its walk along KL and its end."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.contract import RunInputs
from overopt.engines.walk.kl_walk import KLWalk
from overopt.engines.walk.trajectory import Compute, Row, Trajectory
from overopt.models.sequences import Batch
from overopt.models.weights import set_weights


class StackedCell(ABC):
    """A cell of a stack.

    Attributes:
        ROW: what it writes down of each step or rollout.
        walk, rows, compute: as in a native run.
        error: why it failed; None while all is well.

    Args:
        name: of the method, for messages.
        max_steps: gradient steps after which it ends at the latest.
        inputs: of the cell; its policy takes the cell's weights wherever they are measured or kept.
    """

    ROW: ClassVar[Any]

    def __init__(self, name: str, max_steps: int, inputs: RunInputs) -> None:
        self._name, self.inputs = name, inputs
        between = inputs.kl_probe.of_weights(inputs.reference)
        self.walk = KLWalk(inputs.budgets_nats, max_steps, between)
        self.rows: list[Row] = []
        self.compute = Compute(0, 0, 0)
        self.error: str | None = None

    @property
    @abstractmethod
    def over(self) -> bool:
        """Whether it has crossed its last budget, taken its last step, or failed."""

    @abstractmethod
    def skip(self, rows: int) -> None:
        """Draw again what was drawn for so many rows, and forget it."""

    @property
    def notes(self) -> tuple[Any, dict[str, Tensor]] | None:
        """What the method remembers, as JSON and tensors; None where that cannot be written."""
        return None, {}

    def recall_notes(self, told: Any, tensors: dict[str, Tensor]) -> None:
        """Let the method remember what ``notes`` told."""
        assert told is None and not tensors

    @property
    def trajectory(self) -> Trajectory:
        """What the cell leaves."""
        walk = self.walk
        return Trajectory(walk.snapshots, walk.unreached_nats, tuple(self.rows), self.compute)

    @contextmanager
    def failing_alone(self) -> Iterator[None]:
        """What is not finite in here ends this cell and no other."""
        try:
            yield
        except FloatingPointError as error:
            self.error = str(error)

    def check_step(self, loss: float, norm: float) -> None:
        """Refuse a step that was not finite.

        Raises:
            FloatingPointError: it names method and step.
        """
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise FloatingPointError(
                f"{self._name}: step {self.compute.gradient_steps + 1}: loss {loss}, gradient norm "
                f"{norm}; lower the learning rate"
            )


class Held:
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


def rectangle(batches: Sequence[Batch | None], rows: int, length: int) -> Tensor:
    """The tokens (C, R, L) of all cells; of one that has none, and on padding, token 0."""
    ids_CRL = torch.zeros(len(batches), rows, length, dtype=torch.int64)
    for place, batch in enumerate(batches):
        if batch is not None:
            own_BL = batch.ids_BL
            ids_CRL[place, : own_BL.shape[0], : own_BL.shape[1]] = own_BL
    return ids_CRL


def longest_prompt(inputs: RunInputs) -> int:
    """Tokens of the world's longest training prompt, whatever is drawn of them."""
    return int(np.max(inputs.prompts.length_N))
