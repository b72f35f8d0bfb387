"""Length drift: responses grow or shrink against those of the initial policy.

Paper: Singhal, Goyal, Xu and Durrett 2023, "A Long Way to Go: Investigating Length Correlations in
RLHF" (https://arxiv.org/abs/2310.03716): much of the reward that RLHF gains comes from length. The
paper proposes no detector; this one is ours:
    statistic = |length / length of the initial policy - 1|
Deviations: as said. The default limit is the one of our callback, and is not tuned.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("length",)
ACTS = "alarm"


@dataclass(frozen=True)
class Config:
    """Settings of the length drift."""

    limit: float = param(0.5, help="share of the initial length above which it rings")


def statistic(config: Config, seen: Seen) -> float | None:
    """Change of the mean length as a share of that of the initial policy."""
    start, now = seen[0].length, seen[-1].length
    return None if not start or now is None else abs(now / start - 1.0)


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name both lengths."""
    start, now = seen[0].length, seen[-1].length
    return f"responses have {now:.3g} tokens, {start:.3g} at the start (changed by {value:.0%})"
