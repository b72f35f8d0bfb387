"""What a run leaves: the policies that it passed through, a row per step, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Compute(NamedTuple):
    """What a run has spent so far.

    gradient_steps: optimizer steps.
    samples_drawn: responses that the method sampled; those of KL probes are not the method's.
    tokens_processed: prompt and response tokens, once for each pass with gradient over them, twice
        where a second gradient is taken. Beside these count what is read without one: samples of a
        round that builds its data (family ``iterative``) and reference texts beside them, opponents
        that are only compared with, samples that a method of pairs draws of the policy or of the
        proxy's view, and batches whose values are targets of themselves.
    """

    gradient_steps: int
    samples_drawn: int
    tokens_processed: int


@dataclass(frozen=True)
class Snapshot:
    """The policy after ``step`` gradient steps.

    kl_nats: cheap estimate of KL(policy || reference) at that step.
    budgets_nats: the budgets that it is the nearest policy to; empty for an extra snapshot.
    compute: spent up to that step.
    state: copy of the policy's ``state_dict`` on the CPU.
    """

    step: int
    kl_nats: float
    budgets_nats: tuple[float, ...]
    compute: Compute
    state: Mapping[str, Tensor]


class Row(Protocol):
    """What was seen at one step; each family has its own columns, in the order of the fields."""

    @property
    def step(self) -> int:
        """Gradient steps before or after it, as the family says."""
        ...

    @property
    def kl_nats(self) -> float | None:
        """Estimate of KL(policy || reference); None where it was not measured."""
        ...

    @property
    def loss(self) -> float | None:
        """Mean loss of the step; None where none was taken."""
        ...

    def _asdict(self) -> dict[str, Any]:
        """All columns."""
        ...


@dataclass(frozen=True)
class Trajectory:
    """What a run leaves: snapshots in the order of their steps, and a row per step.

    unreached_nats: budgets that the run did not get to within its steps.
    """

    snapshots: tuple[Snapshot, ...]
    unreached_nats: tuple[float, ...]
    rows: tuple[Row, ...]
    compute: Compute
