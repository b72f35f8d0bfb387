"""CREAM: a policy that rewards itself, and doubts itself where its last version ranked otherwise.

Paper: Wang et al. 2024, "CREAM: Consistency Regularized Self-Rewarding Language Models"
(https://arxiv.org/abs/2410.12735): rank a prompt's samples by the policy's own implicit reward log
pi_t - log pi_ref, and by that of the last round's policy; C = (Kendall's tau of the two + 1)/2. On
the first and last of the own ranking
    L = -C log sigmoid(z) - (1 - C) log sigmoid(-z),   z = beta (h_w - h_l),  h = log(pi / pi_t)
which is DPO with label smoothing 1 - C (equation number not verified). C = 1 is self-rewarding;
with C = 1/2 nothing moves. No proxy is used; it is measured only.
Checked against the authors' released code, in which C is averaged over the data of a round.
Deviations: the implicit reward is 0 while the policy is the initial one. There, likelihood averaged
over tokens ranks, as the code's previous model does in its first round (the paper starts from two
different models). A round is one rollout of the task's size, where the code goes over a round's
data once in many steps; here it has four (2 epochs, 2 minibatches), since at its first step the
margin is 0, where beta and C are only a factor of the gradient, which Adam removes. Samples are at
temperature 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training, Weights, given
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


class Memory(NamedTuple):
    """Rounds begun, and the policy at the start of this one."""

    rounds: int
    start: Weights


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def begin(config: Config, initial: Weights) -> Memory:
    """The first round starts from the initial policy."""
    return Memory(0, initial)


def observe(config: Config, memory: Memory, rollout: Rollout) -> Memory:
    """Another round has begun."""
    return memory._replace(rounds=memory.rounds + 1)


def after_round(config: Config, memory: Memory, weights: Weights, number: int) -> AfterStep:
    """The policy from which the round started ranks the samples of the next one, as the anchor."""
    return AfterStep(memory._replace(start=weights), anchor=memory.start)


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
    rounds, sampled = rollout.memory.rounds, rollout.sampled
    own_BN = sampled.log_ratio if rounds > 1 else _likelihood(sampled)
    last_BN = _anchor_reward(sampled) if rounds > 2 else _likelihood(sampled)
    consistency_B = (kendall_tau(own_BN, last_BN) + 1) / 2
    if not config.per_prompt:
        consistency_B = consistency_B.mean().expand_as(consistency_B)
    pairs = best_and_worst(own_BN)
    prompt_P = pairs.chosen_P // own_BN.shape[1]
    return pairs._replace(label_P=consistency_B[prompt_P])


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
    """Kendall's tau (a) of two scores of N samples, for each of B prompts, (B,)."""
    samples = first_BN.shape[-1]
    agree_BNN = torch.sign(first_BN[:, :, None] - first_BN[:, None, :]) * torch.sign(
        second_BN[:, :, None] - second_BN[:, None, :]
    )
    return agree_BNN.sum((1, 2)) / (samples * (samples - 1))


def _likelihood(sampled: Reading) -> Tensor:
    """Log-likelihood under the initial policy averaged over tokens, nats, (B, N)."""
    return (sampled.reference_logp * sampled.mask).sum(-1) / sampled.mask.sum(-1)


def _anchor_reward(sampled: Reading) -> Tensor:
    """log(pi_{t-1} / pi_ref) of each response, nats, (B, N)."""
    anchor = given(sampled.anchor_logp, "the last round's log-probability")
    return ((anchor - sampled.reference_logp) * sampled.mask).sum(-1)
