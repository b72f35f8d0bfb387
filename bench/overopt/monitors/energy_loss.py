"""Energy loss: the policy's last layer loses more and more of what comes in.

Paper: Miao et al. 2025, "The Energy Loss Phenomenon in RLHF: A New Perspective on Mitigating Reward
Hacking" (https://arxiv.org/abs/2501.19358): an excessive increase marks reward hacking. As the
authors' released code computes it (utils_hr.py, ``energy_loss``), of each token of a response, then
averaged over them:
    E = mean_i |x_i| - mean_j |z_j|
with x what enters and z what leaves the down projection of the last block's MLP.
    statistic = (E - E_init) / SD of E over the initial policy's responses
Deviations: the paper writes L1 norms, the code means of absolute values; the code is followed. The
paper compares single responses by eye and penalizes |E - E_init| in the reward; the scale by an SD
and the limit are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("energy_loss",)
ACTS = "alarm"


@dataclass(frozen=True)
class Config:
    """Settings of the energy loss."""

    limit: float = param(1.0, help="growth above which it rings", unit="SDs")


def statistic(config: Config, seen: Seen) -> float | None:
    """Growth of the energy loss, in SDs of the initial policy's responses."""
    return seen[-1].energy_loss


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name the growth."""
    return f"the last layer loses {value:.3g} SDs more energy than at the start"
