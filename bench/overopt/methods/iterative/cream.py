"""CREAM: a policy that rewards itself, and doubts itself where its last version ranked otherwise.

Paper: Wang et al. 2024, "CREAM: Consistency Regularized Self-Rewarding Language Models"
(https://arxiv.org/abs/2410.12735): rank a prompt's samples by the policy's own implicit reward log
pi_t - log pi_ref, and by that of the last round's policy; C = (Kendall's tau of the two + 1)/2. On
the first and last of the own ranking
    L = -C log sigmoid(z) - (1 - C) log sigmoid(-z),   z = beta (h_w - h_l),  h = log(pi / pi_t)
which is DPO with label smoothing 1 - C (equation number not verified). C = 1 is self-rewarding;
with C = 1/2 nothing moves. No proxy is used; it is measured only.
Checked against the authors' released code, in which equal scores rank in the samples' order, and C
is averaged over the pairs of a round.
Deviations: the implicit reward is 0 while the policy is the initial one. There, likelihood averaged
over tokens ranks, as the code's previous model does in its first round (the paper starts from two
different models). So it does for the last policy in the first round of a run that starts from
another policy than the initial one. A round is one rollout of the task's size, where the code goes
over a round's data once in many steps; here it has four (2 epochs, 2 minibatches), since at its
first step the margin is 0, where beta and C are only a factor of the gradient, which Adam removes.
Samples are at temperature 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training, Weights, given
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
    """Settings of CREAM."""

    beta: float = param(
        0.1, help="strength of the pull toward the round's first policy", unit="1/nats", above=0.0
    )
    per_prompt: bool = param(False, help="one C for each prompt instead of one for each round")
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def begin(config: Config, initial: Weights) -> Weights:
    """The memory is the policy from which the round at hand starts, which is not known yet."""
    return initial


def before_steps(config: Config, memory: Weights, weights: Weights, number: int) -> AfterStep:
    """Keep the policy from which the round starts."""
    return AfterStep(weights)


def after_round(config: Config, memory: Weights, weights: Weights, number: int) -> AfterStep:
    """The policy from which the round started ranks the samples of the next one, as the anchor."""
    return AfterStep(memory, anchor=memory)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """The first and the last of each prompt's own ranking, with the consistency C.

    Args:
        config: per_prompt.
        rollout: log-probabilities (B, N, T) under the sampling policy, the anchor (the last
            round's policy) and the initial policy; rewards are not looked at.

    Returns:
        Rows b N + n, shape (P,), P <= B, and C of each.

    Reference:
        CREAM, section on consistency, https://arxiv.org/abs/2410.12735
    """
    sampled = rollout.sampled
    anchor_BNT = sampled.reference_logp if sampled.anchor_logp is None else sampled.anchor_logp
    own_BN = own_reward(sampled.policy_logp, sampled)
    consistency_B = (kendall_tau(own_BN, own_reward(anchor_BNT, sampled)) + 1) / 2
    pairs = best_and_worst(own_BN)
    consistency_P = consistency_B[pairs.chosen_P // own_BN.shape[1]]
    if not config.per_prompt:
        consistency_P = consistency_P.mean().expand_as(consistency_P)
    return pairs._replace(label_P=consistency_P)


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Smoothed DPO loss of each pair, in nats; the reference is the round's first policy.

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, (B, T), with labels C (B,).

    Returns:
        Shape (B,).

    Reference:
        CREAM, https://arxiv.org/abs/2410.12735
    """
    margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    consistency_B, z_B = given(batch.chosen.label, "a label"), config.beta * margin_B
    return -consistency_B * logsigmoid(z_B) - (1 - consistency_B) * logsigmoid(-z_B)


def kendall_tau(first_BN: Tensor, second_BN: Tensor) -> Tensor:
    """Kendall's tau of two rankings of N samples, for each of B prompts, (B,).

    Args:
        first_BN, second_BN: scores. Of equal ones the sample that comes first ranks below, in both.
    """
    samples = first_BN.shape[-1]
    one_BN, other_BN = (
        score_BN.argsort(dim=-1, stable=True).argsort(-1) for score_BN in (first_BN, second_BN)
    )
    agree_BNN = torch.sign(one_BN[:, :, None] - one_BN[:, None, :]) * torch.sign(
        other_BN[:, :, None] - other_BN[:, None, :]
    )
    return agree_BNN.sum((1, 2)) / (samples * (samples - 1))
