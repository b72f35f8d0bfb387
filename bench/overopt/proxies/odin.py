"""ODIN: one head takes what length explains, the other one is the reward.

Paper: Chen et al. 2024, "ODIN: Disentangled Reward Mitigates Hacking in RLHF"
(https://arxiv.org/abs/2402.07319), checked against the authors' released code and their second one
on another code base (the paper's equations from memory). Two linear heads without bias, whose
weights are centered and of length 1, read the state at the response's last token:
    L = -log sigmoid((q_w + l_w) - (q_l + l_l))
        + a (|corr(q, length)| + 1 - corr(l, length)) + o |cos(w_q, w_l)|,   a = o = 1
and the reward is q alone. Correlations are over all responses of a batch, of both sides; length is
counted in tokens, the end included.
Weights are drawn as in the first code, by a linear layer. Read at length 1, those that are drawn
ten times longer turn ten times less in a step of Adam, and stay where they are drawn.
In the 64 steps of the task reviews, from random weights, a trunk learns length before all else:
with a quarter of the labels flipped q tells .51 to .59 of held-out pairs right (five seeds), length
alone .60 to .65, and ``single`` .62 to .65.
Deviations: the first code also holds the correlation of q + l with length down, against the term
that raises it; neither the second code nor, as far as is known, the paper does, and it is left out.
Batches hold responses of similar length, here, so that correlations of a batch tell less of those
over all; where all lengths or all scores of a batch are equal, their correlation counts as 0.
Lengths in the code are those of prompt and response. Trunks start from what the task says; the
paper's is a tuned language model.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Settings of ODIN."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    length_weight: float = param(1.0, help="a: of the correlations with length", at_least=0.0)
    ortho_weight: float = param(1.0, help="o: of the cosine of both heads", at_least=0.0)


class TwoHeads(nn.Module):
    """Outputs are quality, length, and the cosine of the two weights."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight_2D = nn.Linear(width, 2, bias=False).weight

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 3)."""
        unit_2D = normalize(self.weight_2D - self.weight_2D.mean(1, keepdim=True), dim=1)
        score_B2 = states.last_BD @ unit_2D.T
        cosine_B1 = (unit_2D[0] @ unit_2D[1]).expand(len(score_B2), 1)
        return torch.cat([score_B2, cosine_B1], dim=1)


def make_head(config: Config, shape: HeadShape) -> TwoHeads:
    """The two heads.

    Args:
        config: unused.
        shape: width of the trunk.
    """
    return TwoHeads(shape.width)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison by both heads, and the batch's penalties, (P,).

    Args:
        config: weights of the penalties.
        batch: outputs and lengths of both sides.

    Reference:
        ODIN, https://arxiv.org/abs/2402.07319
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    rejected_PC = given(batch.rejected.output_PC, "output_PC")
    both_NC = torch.cat([chosen_PC, rejected_PC])
    length_N = torch.cat(
        [given(side.length_P, "length_P") for side in (batch.chosen, batch.rejected)]
    )
    quality, length = (correlation(both_NC[:, head], length_N) for head in (0, 1))
    penalty = config.length_weight * (quality.abs() + 1 - length)
    penalty = penalty + config.ortho_weight * both_NC[0, 2].abs()
    margin_P = chosen_PC[:, :2].sum(1) - rejected_PC[:, :2].sum(1)
    return -logsigmoid(margin_P) + penalty


def correlation(first_N: Tensor, second_N: Tensor) -> Tensor:
    """Pearson's, from -1 to 1, a single number; 0 where either does not vary."""
    first_N, second_N = first_N - first_N.mean(), second_N - second_N.mean()
    square = (first_N @ first_N) * (second_N @ second_N)
    return (first_N @ second_N) / (square + 1e-12).sqrt()
