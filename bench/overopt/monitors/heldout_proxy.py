"""Held-out proxy: the optimized reward climbs away from one that nobody optimizes.

Paper: Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences"
(https://arxiv.org/abs/1909.08593) labels fresh samples since a fixed reward model goes stale. A
reward model of other comparisons and another seed costs no labels along the run; the rule is ours:
    statistic = gain of the optimized proxy - gain of the held-out one, SDs of the initial policy
Deviations: the paper proposes no detector. Both learn from the same kind of labels, so that what
labels themselves get wrong stays unseen.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("reward", "heldout_proxy")
ACTS = "alarm"


@dataclass(frozen=True)
class Config:
    """Settings of the held-out proxy."""

    limit: float = param(0.5, help="gain that only the optimized proxy sees", unit="SDs")


def statistic(config: Config, seen: Seen) -> float | None:
    """Gain of the optimized proxy beyond that of the held-out one."""
    start, now = seen[0], seen[-1]
    assert now.reward is not None and start.reward is not None
    assert now.heldout_proxy is not None and start.heldout_proxy is not None
    return (now.reward - start.reward) - (now.heldout_proxy - start.heldout_proxy)


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name both gains."""
    return f"the proxy has gained {value:.3g} SDs more than one that nobody optimizes"
