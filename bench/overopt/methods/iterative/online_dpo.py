"""Online DPO: the DPO loss on pairs of the policy's own fresh samples, labeled by the proxy.

Paper: Guo et al. 2024, "Direct Language Model Alignment from Online AI Feedback"
(https://arxiv.org/abs/2402.04792): draw two responses of the current policy for each prompt, let an
annotator prefer one, take a step on
    L = -log sigmoid( beta (r_w - r_l) ),   r = log pi(y|x) - log pi_ref(y|x)
(Rafailov et al. 2023, eq. 7), and draw anew. pi_ref is the initial policy throughout.
Deviations: the annotator is the proxy, which prefers the response of the higher reward; two equal
rewards make no pair. The task's N samples of a prompt are paired as they come, N / 2 pairs each,
which are as independent as two samples at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of online DPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Pairs of neighboring samples of a prompt, the one of the higher reward chosen.

    Args:
        config: unused here.
        rollout: rewards (B, N); an odd last sample is left out.

    Returns:
        Rows b N + n, shape (P,) each, P <= B N / 2.

    Reference:
        Direct Language Model Alignment from Online AI Feedback, https://arxiv.org/abs/2402.04792
    """
    prompts, samples = rollout.reward_BN.shape
    even = samples // 2 * 2
    row_BN = torch.arange(prompts * samples, device=rollout.reward_BN.device).view(prompts, -1)
    first_P, second_P = row_BN[:, :even].reshape(-1, 2).unbind(-1)
    reward_R = rollout.reward_BN.flatten()
    margin_P = reward_R[first_P] - reward_R[second_P]
    chosen_P = torch.where(margin_P > 0, first_P, second_P)
    rejected_P = torch.where(margin_P > 0, second_P, first_P)
    differs_P = margin_P != 0
    return RowPairs(chosen_P[differs_P], rejected_P[differs_P])


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """DPO loss of each pair, in nats: -log sigmoid(beta (r_w - r_l)).

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Direct Preference Optimization, eq. 7, https://arxiv.org/abs/2305.18290
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B)
