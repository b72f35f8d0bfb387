"""IRPO: rounds of DPO on the best and worst fresh samples, with the likelihood of the best.

Paper: Pang et al. 2024, "Iterative Reasoning Preference Optimization"
(https://arxiv.org/abs/2404.19733), for pi_t the policy at the round's start:
    L = -log sigmoid( beta log( pi(w)/pi_t(w) ) - beta log( pi(l)/pi_t(l) ) ) - alpha log pi(w)/|w|
(equation number not verified). alpha = 0 is re-anchored iter-dpo. Checked against TRL's "sigmoid"
with "sft" on chosen responses of one length, since TRL averages over the tokens of a batch.
Deviations: w and l are the samples of the highest and the lowest reward by the proxy, where the
paper sets answers that gold calls right against wrong ones, several pairs of each prompt. A round
is one rollout of the task's size, and each goes on from the last. Below a beta of about 1 the
likelihood outweighs the pair, so that KL does not fall, or rises, with beta up to there.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.pairing import best_and_worst
from overopt.methods.math.responses import mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of IRPO."""

    beta: float = param(0.1, help="pull toward the round's first policy", unit="1/nats", above=0.0)
    alpha: float = param(
        1.0, help="weight of the best sample's likelihood", unit="tokens", at_least=0.0
    )
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """The samples of the highest and the lowest reward of each prompt; none where all are equal.

    Args:
        config: unused here.
        rollout: rewards (B, N).

    Returns:
        Rows b N + n, shape (P,) each, P <= B.

    Reference:
        Iterative Reasoning Preference Optimization, https://arxiv.org/abs/2404.19733
    """
    return best_and_worst(rollout.reward_BN)


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """DPO loss over the round's first policy and weighted likelihood of each pair, nats, (B,).

    Args:
        config: beta, per nat; alpha.
        batch: B pairs of per-token log-probabilities, nats, (B, T).

    Reference:
        Iterative Reasoning Preference Optimization, https://arxiv.org/abs/2404.19733
    """
    margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    likelihood_B = mean_log_likelihood(batch.chosen)
    return -logsigmoid(config.beta * margin_B) - config.alpha * likelihood_B
