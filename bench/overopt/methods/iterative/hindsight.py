"""Hindsight: learn every sample after the instruction that it did follow, and tell both apart.

Paper: Zhang et al. 2023, "The Wisdom of Hindsight Makes Language Models Better Instruction
Followers" (https://arxiv.org/abs/2302.05206): a sample that fails is learned after the instruction
to fail. For l+ and l- the log-likelihood, averaged over tokens, of a sample after the instruction
that it followed and after the other one, and d = l+ - l-,
    L = -l+ - w (1 - e) log sigmoid(d) - w e log sigmoid(-d)
(equation numbers not verified). Checked against the authors' code, whose two instructions ask for a
right and for a wrong answer (w 1, e .2).
Deviations: success is a reward of at least ``success`` by the proxy, not a right answer by gold.
The instruction to succeed is the prompt as it is; the control token takes the place of its first
token for the other. Samples are whole, where the code cuts pieces out of them; no bonus for entropy
(weight .001) and no smoothing over the vocabulary. Without w it is conditional with a threshold
that stays, so that a policy whose samples all succeed is at rest up to sampling noise. The higher
``success``, the more of what is learned stands after the instruction to fail: up to 1.5 SDs KL
rises with it while the reward falls, or hardly moves.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import Training
from overopt.methods.math.responses import mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("success", low=0.05, high=1.5, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of hindsight."""

    success: float = param(0.05, help="least reward of a sample that succeeds", unit="SDs")
    contrast: float = param(1.0, help="w, weight of telling both instructions apart", at_least=0.0)
    smoothing: float = param(
        0.2, help="e, chance that the other instruction is meant", at_least=0.0, at_most=1.0
    )
    epochs: int = param(1, help="passes over a round's samples", at_least=1)
    minibatches: int = param(1, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Every sample after the instruction that it followed, and after the other one.

    Args:
        config: success.
        rollout: rewards (B, N), SDs of the initial policy.

    Returns:
        Rows b N + n, shape (B N,), on both sides, and which are read after the control token.

    Reference:
        The Wisdom of Hindsight, https://arxiv.org/abs/2302.05206
    """
    row_P = rollout.row_BN.flatten()
    fails_P = rollout.reward_BN.flatten() < config.success
    return RowPairs(row_P, row_P, chosen_control_P=fails_P, rejected_control_P=~fails_P)


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """Likelihood after the right instruction, and cross-entropy of which one it is, nats, (B,).

    Args:
        config: contrast, smoothing.
        batch: B samples (B, T) under both instructions.

    Reference:
        The Wisdom of Hindsight, https://arxiv.org/abs/2302.05206
    """
    followed_B, other_B = mean_log_likelihood(batch.chosen), mean_log_likelihood(batch.rejected)
    apart_B = followed_B - other_B
    contrast_B = (1 - config.smoothing) * logsigmoid(apart_B)
    contrast_B = contrast_B + config.smoothing * logsigmoid(-apart_B)
    return -followed_B - config.contrast * contrast_B
