"""REINFORCE with its KL penalty in every form: which estimator, in the reward or in the loss.

Paper: Liu et al. 2025, "Rethinking KL Regularization in RLHF: From Value Estimation to Gradient
Optimization" (https://arxiv.org/abs/2510.01555), of which the abstract was read: an estimator in
the reward multiplies the score function, one in the loss is differentiated, and the two are not
the same penalty. The settings span what libraries do:
    estimator k1, place reward                      rloo, PPO of most libraries: exact
    estimator k3, place loss, ratio none            GRPO as published: the forward KL's gradient
    estimator k3, place loss, ratio token           DeepSeek-V3.2, and TRL's default since 2026
    estimator rb, place loss, ratio prefix          exact, with less variance
The formulas and what each leaves out stand in ``methods/math/kl_penalties.py``. The step is
REINFORCE with a leave-one-out baseline, as ``rloo``, whose run the first line repeats.
Deviations: it is a study's row, not a paper's method. Penalties are sums over a response's tokens
in nats, so that beta means the same in all forms; GRPO and its kin take means over tokens. Ratios
are of samples that the policy has just drawn, so that they are 1 and only their gradient counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.estimators import leave_one_out, reinforce
from overopt.methods.math.kl_penalties import ESTIMATORS, RATIOS, loss_penalty, reward_penalty
from overopt.spec.declare import knob, param

FAMILY = "rollout"
KNOB = knob("beta", low=0.003, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reverse_kl",)


@dataclass(frozen=True)
class Config:
    """Settings of the penalty."""

    beta: float = param(0.1, help="weight of the KL penalty", unit="reward SDs/nat", at_least=0.0)
    estimator: str = param(
        "k1", help="rb is the Rao-Blackwellized one", one_of=("k1", "k2", "k3", "rb")
    )
    place: str = param(
        "reward", help="in the loss its gradient is taken", one_of=("reward", "loss")
    )
    ratio: str = param("none", help="of a penalty in the loss", one_of=("none", "token", "prefix"))


def check(config: Config) -> None:
    """Refuse words that name no form of the penalty (ValueError)."""
    known = {"estimator": ESTIMATORS, "place": ("reward", "loss"), "ratio": RATIOS}
    for name, words in known.items():
        if getattr(config, name) not in words:
            raise ValueError(f"{name} = {getattr(config, name)}: choose one of {', '.join(words)}")
    if config.place == "reward" and config.ratio != "none":
        raise ValueError("ratio is one of a penalty in the loss; leave it none, or set place=loss")


def advantages(config: Config, rollout: Rollout) -> Tensor:
    """Reward, penalized if its place is there, less the mean of the prompt's others, (B, N).

    Args:
        config: beta, estimator, place.
        rollout: rewards (B, N) and log-probabilities (B, N, T).

    Raises:
        ValueError: the settings name no form of the penalty.

    Reference:
        Rethinking KL Regularization in RLHF, https://arxiv.org/abs/2510.01555
    """
    check(config)
    reward_BN = rollout.reward_BN
    if config.place == "reward":
        reward_BN = reward_BN - config.beta * reward_penalty(rollout.sampled, config.estimator)
    return leave_one_out(reward_BN)


def loss(config: Config, step: RolloutStep) -> Tensor:
    """REINFORCE loss of each response, and the weighted penalty if its place is there, (B, N).

    Args:
        config: beta, estimator, place, ratio.
        step: advantage (B, N), log-probabilities (B, N, T) now and when sampled.

    Reference:
        Rethinking KL Regularization in RLHF, https://arxiv.org/abs/2510.01555
    """
    policy_BN = reinforce(step.advantage, step.now.policy_logp, step.now.mask)
    if config.place == "reward":
        return policy_BN
    return policy_BN + config.beta * loss_penalty(step, config.estimator, config.ratio)
