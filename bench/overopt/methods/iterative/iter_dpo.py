"""Iterative DPO: rounds of DPO on the best and the worst of each prompt's fresh samples.

Paper: Dong et al. 2024, "RLHF Workflow: From Reward Modeling to Online RLHF"
(https://arxiv.org/abs/2405.07863): in each round draw K responses of the current policy, take those
of the highest and lowest reward as a pair, and descend
    L = -log sigmoid( beta (h_w - h_l) ),   h = log pi(y|x) - log pi_0(y|x)
for some epochs. pi_0 is the previous round's policy, as in the authors' released loop, which passes
the last model as the reference; with ``reanchor`` off it is the initial policy, as in LMFlow's
configuration of iterative DPO. Labels drawn from a Bradley-Terry model would lead a round to
pi_0 exp(r/beta)/Z, and t re-anchored rounds to pi_ref exp(t r/beta)/Z; ``soft_labels`` puts that
model's probability in place of the draw. With hard labels there is no finite optimum.
Checked against the released code: the pair, the re-anchoring, label smoothing as an option.
Deviations: a round is one rollout of the task's size instead of a third of all prompts, so that the
walk along KL is smooth; the learning rate is constant.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training, given
from overopt.methods.math.pairing import best_and_worst
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp",)


@dataclass(frozen=True)
class Config:
    """Settings of iterative DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the reference", unit="1/nats", above=0.0
    )
    reanchor: bool = param(True, help="refer to the round's first policy, not the initial one")
    soft_labels: bool = param(False, help="weight both orders by sigmoid of the reward difference")
    smoothing: float = param(
        0.0, help="chance that a label is taken to be wrong", at_least=0.0, at_most=0.5
    )
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """The samples of the highest and the lowest reward of each prompt; none where all are equal.

    Args:
        config: soft_labels, smoothing.
        rollout: rewards (B, N).

    Returns:
        Rows b N + n, shape (P,), P <= B, and the probability that the label is right.

    Reference:
        RLHF Workflow, section on iterative DPO, https://arxiv.org/abs/2405.07863
    """
    pairs = best_and_worst(rollout.reward_BN)
    reward_R = rollout.reward_BN.flatten()
    right_P = torch.ones_like(reward_R[pairs.chosen_P])
    if config.soft_labels:
        right_P = torch.sigmoid(reward_R[pairs.chosen_P] - reward_R[pairs.rejected_P])
    right_P = right_P * (1 - config.smoothing) + (1 - right_P) * config.smoothing
    return pairs._replace(label_P=right_P)


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Cross-entropy of each pair's label, in nats: -p log s(beta m) - (1 - p) log s(-beta m).

    Args:
        config: beta, per nat; reanchor.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels p (B,).

    Returns:
        Shape (B,); m is the difference of the two log-ratios.

    Reference:
        Direct Preference Optimization, eq. 7, https://arxiv.org/abs/2305.18290
    """
    if config.reanchor:
        margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    else:
        margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    right_B = given(batch.chosen.label, "a label")
    margin_B = config.beta * margin_B
    return -right_B * logsigmoid(margin_B) - (1 - right_B) * logsigmoid(-margin_B)
