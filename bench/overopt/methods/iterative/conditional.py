"""Conditional training: learn all samples by likelihood, the poor ones after a control token.

Paper: Korbak et al. 2023, "Pretraining Language Models with Human Preferences"
(https://arxiv.org/abs/2302.08582): every text gets the prefix <|aligned|> or <|misaligned|> by
whether its score passes a threshold, all are learned by likelihood, prefixes included, and the
model is sampled after <|aligned|>. Its optimum is the distribution of the data among the good,
p(y)/p(good), at a KL of -log p(good) from the data. Checked against the authors' code, in which 1 %
of the prefixes are dropped.
Deviations: an online analogue. Each round labels the policy's fresh samples by the proxy, good
being the best share of the round; so conditioning repeats, and KL grows round after round. The
desired control is the prompt as it is, whose first token the other control takes the place of; so
the run starts at KL 0, and no prefix needs dropping. No guidance by the difference of both. A round
is one step on all samples, in which the good weigh as much as their share p. Of a normal reward z,
p E[z | good] is the density at the threshold, most at p = 1/2, so that KL falls from there on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("good_share", low=0.5, high=0.95, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of conditional training."""

    good_share: float = param(
        0.5, help="share of a round's samples that count as good", above=0.0, at_most=1.0
    )


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All samples, those below the round's quantile after the control token.

    Args:
        config: good_share.
        rollout: rewards (B, N); a sample at the quantile is good.

    Returns:
        Rows b N + n, shape (B N,), and whether each is read after the control token.

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    reward_R = rollout.reward_BN.flatten()
    good = max(1, round(config.good_share * len(reward_R)))
    threshold = reward_R.topk(good).values[-1]
    rows_R = torch.arange(len(reward_R), device=reward_R.device)
    return KeptRows(rows_R, control_K=reward_R < threshold)


def loss(config: Config, batch: Reading) -> Tensor:
    """Negative log-likelihood of each response after its control, nats, shape (B,).

    Reference:
        Pretraining Language Models with Human Preferences, https://arxiv.org/abs/2302.08582
    """
    return -(batch.policy_logp * batch.mask).sum(-1)
