"""What one monitor says of one run."""

from __future__ import annotations

from typing import NamedTuple


class Verdict(NamedTuple):
    """One monitor on one run.

    Attributes:
        monitor: its name.
        step: where it rings first; None where it does not.
        reason: why it rings; empty where it does not.
        limit: the limit, which is that of its file.
        missing: what it reads and the run does not have, in words.
    """

    monitor: str
    step: int | None
    reason: str
    limit: float
    missing: tuple[str, ...]

    @property
    def line(self) -> str:
        """The verdict in one line."""
        if self.missing:
            return f"{self.monitor}: not computed, it needs {' and '.join(self.missing)}"
        if self.step is None:
            return f"{self.monitor}: silent"
        return f"{self.monitor}: rings at step {self.step}: {self.reason}"
