"""DMoERM: a router reads the prompt, and the category's experts are mixed by their hidden states.

Paper: Quan 2024, "DMoERM: Recipes of Mixture-of-Experts for Effective Reward Modeling"
(https://arxiv.org/abs/2403.01197), checked against the authors' released code. A router sends each
prompt to its category, of which each has
    1. a base: r_0 = v . h, by the Bradley-Terry loss on the overall labels,
    2. an expert for each capability k: z_k = h + B_k A_k h, by Bradley-Terry on u_k . z_k and on
       labels of that capability, the base being frozen,
    3. r = w . PReLU(W [z_1, ..., z_K]), by Bradley-Terry on the overall labels, experts frozen.
h is the state at the response's last token; the mixture reads hidden states, not experts' scores.
Capabilities here are the terms of the gold rule, whose labels tell more of gold than a comparison
does: this system uses gold in training. The trunk starts as the initial policy, whatever a task's
proxies start from: a category has too few comparisons to teach a trunk to read.
Deviations: the phases are trained at once, with gradients stopped where the paper freezes, on all
comparisons, not on 60 and 40 %, and for as many steps as any proxy; the paper stops by held-out
comparisons. Of 1,024 comparisons of the task reviews a category has some 200. The mixture tells .71
to .76 of them right and .56 to .62 of held-out ones, an expert .52 to .60 of its labels; brought to
convergence, with a ridge of 0.01, the mixture tells all of them right and no more of the others.
One trunk serves router, categories and experts, and is moved by base and router; the paper has a
model for each, and adapts attention (rank 32 at width 2,048) where the experts here adapt the last
state. The option l1 (on W) is not the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid, one_hot

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, given
from overopt.spec.declare import param

START = "policy"
LABELS = ("category", "terms")
USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of the mixture."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    rank: int = param(4, help="of the experts' adapters", at_least=1)
    expert_weight: float = param(1.0, help="of the experts' loss, mean of all", at_least=0.0)
    router_weight: float = param(1.0, help="of the router's cross-entropy", at_least=0.0)
    l1: float = param(0.0, help="of the mean absolute weight of the mixing layer", at_least=0.0)


class Outputs:
    """Columns of the head's outputs, C = 1 + 3 G + G + G K for G categories and K experts.

    The routed reward; the router's logits, the base's, the mixture's reward and the mean |W| of
    each category; the score of each expert of each category.
    """

    def __init__(self, output_PC: Tensor, experts: int) -> None:
        categories = (output_PC.shape[1] - 1) // (4 + experts)
        sizes = [categories] * 4 + [categories * experts]
        parts = torch.split(output_PC[:, 1:], sizes, dim=1)
        self.logits_PG, self.base_PG, self.reward_PG, self.size_PG, expert_PC = parts
        self.expert_PGK = expert_PC.reshape(-1, categories, experts)


class Mixture(nn.Module):
    """Router, base heads, adapters and mixing layers; see the module's docstring."""

    def __init__(self, width: int, categories: int, experts: int, rank: int) -> None:
        super().__init__()

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape) / shape[-1] ** 0.5)

        self.router = nn.Linear(width, categories)
        self.base_GD = drawn(categories, width)
        self.down_GKRD = drawn(categories, experts, rank, width)
        self.up_GKDR = nn.Parameter(torch.zeros(categories, experts, width, rank))
        self.expert_GKD = nn.Parameter(self.base_GD.detach()[:, None].repeat(1, experts, 1))
        self.mix_GDC = drawn(categories, width, experts * width)
        self.slope_G = nn.Parameter(torch.full((categories,), 0.25))
        self.last_GD = drawn(categories, width)

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, C) in the order of ``Outputs``."""
        logits_BG = self.router(states.prompt_BD)
        base_BG = states.last_BD @ self.base_GD.T
        frozen_BD = states.last_BD.detach()
        low_BGKR = torch.einsum("bd,gkrd->bgkr", frozen_BD, self.down_GKRD)
        adapted_BGKD = torch.einsum("bgkr,gkdr->bgkd", low_BGKR, self.up_GKDR)
        expert_BGKD = frozen_BD[:, None, None] + adapted_BGKD
        score_BGK = (expert_BGKD * self.expert_GKD).sum(-1)
        mixed_BGD = torch.einsum("bgc,gdc->bgd", expert_BGKD.detach().flatten(2), self.mix_GDC)
        bent_BGD = torch.where(mixed_BGD > 0, mixed_BGD, self.slope_G[:, None] * mixed_BGD)
        reward_BG = (bent_BGD * self.last_GD).sum(-1)
        routed_B1 = reward_BG.gather(1, logits_BG.argmax(1, keepdim=True))
        size_BG = self.mix_GDC.abs().mean((1, 2)).expand_as(reward_BG)
        parts = (routed_B1, logits_BG, base_BG, reward_BG, size_BG, score_BGK.flatten(1))
        return torch.cat(parts, dim=1)


def make_head(config: Config, shape: HeadShape) -> Mixture:
    """The mixture for the world's categories and the gold rule's terms.

    Args:
        config: rank of the adapters.
        shape: width of the trunk; how many categories and terms there are.
    """
    return Mixture(shape.width, shape.labels["category"], shape.labels["terms"], config.rank)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Losses of base, mixture, experts and router of each comparison, added up, nats, (P,).

    Base, mixture and experts are those of the prompt's true category; an expert learns nothing
    from a pair that its term does not tell apart.

    Args:
        config: weights of the parts.
        batch: outputs of both sides, categories and terms.

    Reference:
        DMoERM, https://arxiv.org/abs/2403.01197
    """
    term_PK = batch.labels["terms"]
    chosen, rejected = (
        Outputs(given(side.output_PC, "output_PC"), term_PK.shape[1])
        for side in (batch.chosen, batch.rejected)
    )
    is_PG = one_hot(batch.labels["category"], chosen.logits_PG.shape[1]).to(term_PK)
    base_P = ((chosen.base_PG - rejected.base_PG) * is_PG).sum(1)
    mixed_P = ((chosen.reward_PG - rejected.reward_PG) * is_PG).sum(1)
    expert_PK = ((chosen.expert_PGK - rejected.expert_PGK) * is_PG[:, :, None]).sum(1)
    told_PK = -logsigmoid(term_PK * expert_PK) * term_PK.abs()
    router_P = cross_entropy(chosen.logits_PG, batch.labels["category"], reduction="none")
    told_P = -logsigmoid(base_P) - logsigmoid(mixed_P) + config.expert_weight * told_PK.mean(1)
    return told_P + config.router_weight * router_P + config.l1 * (chosen.size_PG * is_PG).sum(1)
