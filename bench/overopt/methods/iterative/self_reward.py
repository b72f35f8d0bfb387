"""Self-reward: rounds of DPO on the first and last of the policy's own ranking of its samples.

Paper: Yuan et al. 2024, "Self-Rewarding Language Models" (https://arxiv.org/abs/2401.10020): in
each round the policy draws samples, scores them as a judge by a prompt, and descends the DPO loss
on the highest and the lowest, with the round's first policy pi_t as the reference:
    L = -log sigmoid( beta log( pi(y_w)/pi_t(y_w) ) - beta log( pi(y_l)/pi_t(y_l) ) )
Checked against TRL's loss of DPO, and against cream, which it is without consistency (C = 1).
Deviations: an analogue. Policies here cannot read a judge's prompt; the own implicit reward
log pi_t - log pi_ref ranks, as in the self-rewarding baseline of CREAM
(https://arxiv.org/abs/2410.12735). It is 0 while the policy is the initial one, where likelihood
averaged over tokens ranks. No prompts are made up, and nothing trains the policy to judge. No proxy
is used; it is measured only. A round is one rollout, of four steps (2 epochs, 2 minibatches) as in
iter-dpo: at its first step the margin is 0, where beta is only a factor of the gradient, which Adam
removes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.own_reward import own_reward
from overopt.methods.math.pairing import best_and_worst
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"
READS_PROXY = False
INPUTS = ("sampled_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of self-reward."""

    beta: float = param(0.1, help="pull toward the round's first policy", unit="1/nats", above=0.0)
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """The first and the last of each prompt's own ranking.

    Args:
        config: unused here.
        rollout: log-probabilities (B, N, T) under the sampling and the initial policy; rewards are
            not looked at.

    Returns:
        Rows b N + n, shape (P,), P <= B.

    Reference:
        Self-Rewarding Language Models, https://arxiv.org/abs/2401.10020
    """
    return best_and_worst(own_reward(rollout.sampled.policy_logp, rollout.sampled))


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """DPO loss of each pair over the round's first policy, in nats, shape (B,).

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, (B, T).

    Reference:
        Self-Rewarding Language Models, https://arxiv.org/abs/2401.10020
    """
    margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    return -logsigmoid(config.beta * margin_B)
