"""P3O: pairwise policy gradient on the difference of two responses' rewards.

Paper: Wu et al. 2023, "Pairwise Proximal Policy Optimization: Harnessing Relative Feedback for LLM
Alignment" (https://arxiv.org/abs/2310.00212). Of two samples of a prompt it ascends
    (R1 - R2)/2 grad( log pi(y1|x) - log pi(y2|x) ),   R = r - beta log(pi/pi_ref), held constant
which is blind to any reward that depends on the prompt only; its optimum is pi_ref exp(r/beta)/Z.
The gradient is checked against the authors' text; on fresh pairs it is half of RLOO's with two
samples.
Off policy, factors are clipped, separately (V1) or jointly (V2). The paper's clipped expressions
were not found in any source that could be opened: those here are analogues, with a = (R1 - R2)/2,
    separate: -min(w1 a, clip(w1) a) - min(-w2 a, -clip(w2) a)     joint: -min(w a, clip(w) a)
    w_i = pi/pi_sampled of response i,   w = w1/w2,   clip to [1 - e, 1 + e]
Deviations: the clipped forms; beta is 0 by default; N samples give N/2 pairs of neighbors, so N
has to be even; the number of passes over a rollout is that of PPO here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.pairing import neighbors
from overopt.methods.math.surrogates import clipped_surrogate, response_log_ratio
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of P3O."""

    beta: float = param(
        0.0, help="KL penalty inside the reward", unit="reward SDs/nat", at_least=0.0
    )
    clip: float = param(0.2, help="largest change of a ratio", above=0.0)
    form: str = param(
        "joint", help="what is clipped: a pair's ratio or each factor", one_of=("joint", "separate")
    )
    epochs: int = param(4, help="passes over the samples of one rollout", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs."""
    return Training(config.epochs)


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Half of what each response's penalized reward is above its neighbor's, (B, N)."""
    first_BP, second_BP = neighbors(rollout.reward_BN - config.beta * rollout.sampled.log_ratio)
    half_BP = (first_BP - second_BP) / 2
    return torch.stack([half_BP, -half_BP], -1).flatten(1)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """Clipped loss of each pair, shared by its two responses, (B, N), nats.

    Args:
        config: clip, form.
        step: advantage (B, N), log-probabilities (B, N, T) now and when sampled.

    Reference:
        Pairwise Proximal Policy Optimization, https://arxiv.org/abs/2310.00212
    """
    log_ratio_BN, advantage_BN = response_log_ratio(step), step.advantage
    if config.form == "joint":
        first_BP, second_BP = neighbors(log_ratio_BN)
        # each entry is half of its pair's loss
        log_ratio_BN = (first_BP - second_BP).repeat_interleave(2, -1)
        advantage_BN = neighbors(advantage_BN)[0].repeat_interleave(2, -1) / 2
    return clipped_surrogate(log_ratio_BN, advantage_BN, config.clip, config.clip)
