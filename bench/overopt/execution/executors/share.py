"""What one stage takes of a machine, for executors that place stages by it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Processor cores and accelerators of one stage; fractions let several stages share one.

    A share decides where a stage is placed. Nothing holds the stage to it: accelerator memory in
    particular is not set apart.
    """

    cpus: float = 1.0
    gpus: float = 0.0

    def holds(self, shares: Collection[Share]) -> bool:
        """Whether there is room for all of these."""
        cpus, gpus = (sum(one.cpus for one in shares), sum(one.gpus for one in shares))
        return cpus <= self.cpus and gpus <= self.gpus


ONE_CORE = Share()
