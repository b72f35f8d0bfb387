"""What carries a run out: handed to commands that need runs of their own, by ``__main__``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from overopt.run.forecasts.stages import Forecast
from overopt.spec.run import RunSpec


class Runner(Protocol):
    """As ``bench run`` does: progress and what failed go to the standard error stream."""

    def __call__(
        self, spec: RunSpec, store: Path | None, out: Path, workers: int, quiet: bool
    ) -> list[Path]:
        """Run, write the results below ``out``, and return the run folders."""


class Foreseer(Protocol):
    """As ``bench plan`` does; nothing runs and nothing is printed."""

    def __call__(self, specs: Sequence[RunSpec], store: Path | None, workers: int) -> Forecast:
        """Estimate what runs cost together, less what the store has."""
