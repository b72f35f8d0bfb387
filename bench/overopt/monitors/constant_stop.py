"""Constant stop: end every run after the same number of steps, whatever is seen.

The control that a monitor has to beat: it reads nothing of the run at all.
    statistic = gradient steps
Deviations: none; there is no paper. Its limit is set on other runs as that of any monitor, so that
it is the best early stopping that needs no signal.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ()
ACTS = "stop"
FROM_INITIAL = False


@dataclass(frozen=True)
class Config:
    """Settings of the constant stop."""

    limit: float = param(1000.0, help="gradient steps after which it rings", unit="steps")


def statistic(config: Config, seen: Seen) -> float | None:
    """Gradient steps up to the last look."""
    return float(seen[-1].step)


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name the steps."""
    return f"{value:g} steps are done, more than {config.limit:.4g}"
