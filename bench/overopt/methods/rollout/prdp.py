"""PRDP: log-ratios regress on reward differences, with proximal clipping.

Paper: Deng et al. 2024, "PRDP: Proximal Reward Difference Prediction for Large-Scale Reward
Finetuning of Diffusion Models" (https://arxiv.org/abs/2402.08714). For two samples of a prompt
    L = max( l(h), l(h_clip) ),   l(h) = (r1 - r2 - beta (h1 - h2))^2
    h = log(pi/pi_ref),   h_clip = log(pi_sampled/pi_ref) + clip( log(pi/pi_sampled), -e, e )
so that a pair teaches no more once its log-ratios have moved by e the way that the error asks for.
l is 0 where all r - beta h are equal, at pi_ref exp(r/beta)/Z. Without clipping l is CoPG's loss.
The regression and its optimum are checked against abstract and summaries; the paper's equations
and constants were not read, so that what is clipped and how the maximum is taken is from memory.
Deviations: responses take the place of denoising trajectories, and a response's log-ratio is
clipped as a whole, the paper's at each step; N samples give all N(N-1)/2 pairs; the loss is divided
by 2 beta, as is CoPG's here.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.pairing import squared_gaps
from overopt.methods.math.surrogates import response_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of PRDP."""

    beta: float = param(0.1, help="KL penalty", unit="reward SDs/nat", above=0.0)
    clip: float = param(
        0.2, help="e, largest change of a log-ratio that counts", unit="nats", above=0.0
    )
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs."""
    return Training(config.epochs)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """The rewards themselves, (B, N): the loss compares them."""
    return rollout.reward_BN


def loss(config: Config, step: RolloutStep) -> Tensor:
    """The larger of the plain and the clipped squared error of each pair over 2 beta, (B, N).

    Args:
        config: beta, clip.
        step: rewards (B, N), and the responses now and when sampled.

    Returns:
        Half of each pair's loss for each of its two responses, over N - 1.

    Reference:
        PRDP, https://arxiv.org/abs/2402.08714
    """
    moved_BN = response_log_ratio(step)
    back_BN = moved_BN.clamp(-config.clip, config.clip) - moved_BN
    plain_BN = step.advantage - config.beta * step.now.log_ratio
    clipped_BN = plain_BN - config.beta * back_BN
    return squared_gaps(plain_BN, clipped_BN) / (2 * config.beta)
