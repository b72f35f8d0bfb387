"""KL threshold: stop once the policy is farther from the initial one than a budget.

Paper: Gao, Schulman and Hilton 2022, "Scaling Laws for Reward Model Overoptimization"
(https://arxiv.org/abs/2210.10760), which finds that a KL penalty in RL acts like early stopping;
stopping at a KL is that rule itself:
    statistic = KL(pi || pi_init), nats per response
Deviations: the paper proposes no limit. The default is the one of our callback, and is not tuned.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("kl_nats",)
ACTS = "stop"
FROM_INITIAL = False


@dataclass(frozen=True)
class Config:
    """Settings of the KL threshold."""

    limit: float = param(10.0, help="KL above which it rings", unit="nats")


def statistic(config: Config, seen: Seen) -> float | None:
    """KL of the last look, nats."""
    return seen[-1].kl_nats


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name the KL and the budget."""
    return f"KL is {value:.3g} nats, above {config.limit:.3g}"
