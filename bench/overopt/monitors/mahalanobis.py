"""Mahalanobis outliers: samples leave the region in which the reward model knows its way.

Paper: Miao et al. 2025, "Information-Theoretic Reward Modeling for Stable RLHF: Detecting and
Mitigating Reward Hacking" (https://arxiv.org/abs/2510.13694), the Mahalanobis Outlier Probability:
    p(y) = 1 - chi2_D(d2(y)),   d2 = (h - mu)' S^-1 (h - mu),   MOP = share of samples with p < a
with mu and S of the initial policy's samples. The authors' released code was read (compute_mop.py).
Deviations: h is the hidden state at which a plain reward model reads its reward, not a latent
variable of InfoRM. The code first maps both sets to 75 dimensions by UMAP, rescales them and drops
outliers of the initial policy; here h is taken as it is. The level is 0.01; the code computes
p-values and stops there, and the level of the paper was not verified. States are not Gaussian, so
that the share is not 0.01 at the start; the monitor watches how far it has grown since.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.monitors.contract import Seen
from overopt.spec.declare import param

READS = ("outlier_share",)
ACTS = "stop"


@dataclass(frozen=True)
class Config:
    """Settings of the Mahalanobis outliers."""

    limit: float = param(0.1, help="growth of the share of outliers above which it rings")


def statistic(config: Config, seen: Seen) -> float | None:
    """Share of outliers above that of the initial policy."""
    start, now = seen[0].outlier_share, seen[-1].outlier_share
    return None if start is None or now is None else now - start


def reason(config: Config, seen: Seen, value: float) -> str:
    """Name both shares."""
    start, now = seen[0].outlier_share, seen[-1].outlier_share
    return f"{now:.0%} of the samples are outliers to the reward model, {start:.0%} at the start"
