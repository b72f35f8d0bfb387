"""ArmoRM: attributes are regressed on frozen states, and a gate on the prompt weighs them.

Paper: Wang et al. 2024, "Interpretable Preferences via Multi-Objective Reward Modeling and
Mixture-of-Experts" (https://arxiv.org/abs/2406.12845), checked against the authors' released code.
A trunk is trained by Bradley-Terry; then, on its frozen states h at the response's last token and
e at the prompt's,
    1. r_i = w_i . h by ridge regression of the ratings of each attribute i,
    2. r'_i = r_i - l_i r_verb, l_i the least on a grid with Spearman's corr(r'_i, r_verb) <= 0.03,
    3. g(e) = s softmax(MLP(e) / T), T = 10, by Bradley-Terry on R = sum_i g_i r'_i, s with it.
Attributes are the terms of the gold rule, whose ratings tell more of gold than a comparison does:
this system uses gold in training. Verbosity is one more, the response's length in tokens; less
itself it is 0, so that it has no part in R. As T grows the gate is uniform.
On the task reviews with a quarter of the labels flipped the gate does not always keep attributes
apart: of five seeds one gave all weight to one attribute, for every prompt, and the largest mean
weight of the others was .37 to .75, the SD over prompts .18 at most. R told .54 to .62 of held-out
pairs right, the uniform gate .54 to .60, ``single`` .62 to .65.
Deviations: the released script regresses without an intercept. Here the zero of ratings is
arbitrary, so that regressions have one; it is left out of r_i, where it would reward the prompt
alone. The script trains the gate on r, not on r', though the published model scores by r';
here the gate is trained on what it scores. Verbosity in the paper is a rating of its own.
The gate is 64 wide, not 1,024, has three hidden layers as there, and takes 200 steps at rate 0.01
on all comparisons at once, not 2,000 at 0.001 on parts; a cosine schedule and no weight decay are
the script's. There s starts at 1. Here it starts where it fits the comparisons best under the
uniform gate, and its rate is relative to that: attributes whose margins have an SD of 0.02 to 0.2
need a larger s, which from 1 is far away, and the gate got larger margins by leaving all attributes
but one. The ridge is chosen by the last fifth of the comparisons. The script chooses l_i among 24
values from 0 to 0.95, and 1 where none is enough; here the grid is of hundredths of the ratio of
SDs, by which ratings of any scale are served.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import rankdata
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import (
    HeadShape,
    HeadStates,
    ReadBatch,
    TrainedStates,
    given,
)
from overopt.spec.declare import param

LABELS = ("ratings",)
USES_GOLD = "training"

_RIDGES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)
_GRID_STEPS = 100
_SCALES = (0.1, 10.0)
"""Bounds of s at its start, times the root mean square of margins; at 0 no gate would learn."""


@dataclass(frozen=True)
class Config:
    """Settings of ArmoRM."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    temperature: float = param(10.0, help="T: of the gate", above=0.0)
    hidden: int = param(64, help="width of the gate's three hidden layers", at_least=1)
    dropout: float = param(0.2, help="in the gate, in training", at_least=0.0, at_most=0.9)
    steps: int = param(200, help="of the gate's training", at_least=1)
    learning_rate: float = param(0.01, help="of the gate's training", above=0.0)
    verbosity: float = param(
        0.03, help="largest rank correlation of an attribute with length; 1: any", at_least=0.0,
        at_most=1.0,
    )  # fmt: skip


class Gated(nn.Module):
    """Outputs are the reward, and the one that the trunk is trained by; the same at first."""

    def __init__(self, width: int, attributes: int, config: Config) -> None:
        super().__init__()
        self.base = nn.Linear(width, 1, bias=False)
        layers: list[nn.Module] = []
        for entering in (width, config.hidden, config.hidden):
            layers += [nn.Linear(entering, config.hidden), nn.ReLU(), nn.Dropout(config.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(config.hidden, attributes))
        self.scale = nn.Parameter(torch.ones(()))
        self.temperature = config.temperature
        self.weight_KD: Tensor
        self.settled: Tensor
        self.register_buffer("weight_KD", torch.zeros(attributes, width))
        self.register_buffer("settled", torch.zeros(()))

    def gate(self, prompt_BD: Tensor) -> Tensor:
        """Weights (B, K) of the attributes, which add up to the scale."""
        logit_BK: Tensor = self.layers(prompt_BD)
        return self.scale * torch.softmax(logit_BK / self.temperature, dim=1)

    def score(self, states: HeadStates) -> Tensor:
        """R (B,) of each response."""
        attribute_BK = states.last_BD @ self.weight_KD.T
        return (self.gate(states.prompt_BD) * attribute_BK).sum(1)

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 2)."""
        base_B1: Tensor = self.base(states.last_BD)
        reward_B1 = self.score(states)[:, None] if bool(self.settled) else base_B1
        return torch.cat([reward_B1, base_B1], dim=1)


def make_head(config: Config, shape: HeadShape) -> Gated:
    """The head.

    Args:
        config: the gate.
        shape: width of the trunk; how many terms the gold rule has.
    """
    return Gated(shape.width, shape.labels["ratings"], config)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss of each comparison by the base reward, nats, (P,).

    Args:
        config: unused.
        batch: outputs of both sides.

    Reference:
        Interpretable Preferences, https://arxiv.org/abs/2406.12845
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    return -logsigmoid(chosen_PC[:, 1] - given(batch.rejected.output_PC, "output_PC")[:, 1])


def settle(config: Config, head: Gated, trained: TrainedStates) -> None:
    """Attributes by regression, less verbosity, and the gate by Bradley-Terry on the rest.

    Args:
        config: the gate's training; how much verbosity may stay.
        head: whose trunk is trained.
        trained: states, lengths and ratings of both sides.

    Reference:
        Interpretable Preferences, https://arxiv.org/abs/2406.12845
    """
    # a comparison's sides stand together, so that a part of the rows is a part of the comparisons
    state_P2D = torch.stack([trained.chosen.last_BD, trained.rejected.last_BD], dim=1).double()
    length_P2 = torch.stack([trained.chosen_length_P, trained.rejected_length_P], dim=1).double()
    state_ND = state_P2D.flatten(0, 1)
    rating_NK = trained.labels["ratings"].double().flatten(0, 1)
    verbose_D, _ = regress(state_ND, length_P2.flatten())
    verbose_N = state_ND @ verbose_D
    for attribute in range(rating_NK.shape[1]):
        weight_D, _ = regress(state_ND, rating_NK[:, attribute])
        share = untie(state_ND @ weight_D, verbose_N, config.verbosity)
        head.weight_KD[attribute] = weight_D - share * verbose_D
    apart_PD = trained.chosen.last_BD - trained.rejected.last_BD
    _train_gate(config, head, trained.chosen.prompt_BD, apart_PD @ head.weight_KD.T)
    head.settled.fill_(1.0)


def _train_gate(config: Config, head: Gated, prompt_PD: Tensor, apart_PK: Tensor) -> None:
    """The gate and s by Bradley-Terry, s from the best of a uniform gate, at a rate relative to it.

    Both sides of a comparison have one gate, that of their prompt, and so one draw of its dropout.
    """
    scale = fit_scale(apart_PK.mean(1))
    with torch.no_grad():
        head.scale.fill_(scale)
    rate = config.learning_rate
    groups = [
        {"params": list(head.layers.parameters()), "lr": rate},
        {"params": [head.scale], "lr": rate * scale},
    ]
    steps = torch.optim.AdamW(groups, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(steps, config.steps)
    head.train()
    for _ in range(config.steps):
        steps.zero_grad()
        margin_P = (head.gate(prompt_PD) * apart_PK).sum(1)
        torch.autograd.backward(-logsigmoid(margin_P).mean())
        steps.step()
        schedule.step()
    head.eval()


def fit_scale(margin_P: Tensor) -> float:
    """s > 0 of the least Bradley-Terry loss of margins (P,) times s; 1 where they are all 0.

    Within bounds: no s is large enough for margins that are all positive.
    """
    margin = margin_P.double().cpu().numpy()
    size = float(np.sqrt((margin**2).mean()))
    if size == 0:
        return 1.0

    def mean_loss(scale: float) -> float:
        return float(np.logaddexp(0.0, -scale * margin / size).mean())

    return float(minimize_scalar(mean_loss, bounds=_SCALES, method="bounded").x) / size


def regress(state_ND: Tensor, target_N: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (D,) and intercept of the ridge regression whose ridge serves the last fifth best.

    w = argmin |X w - y|^2 + ridge |w|^2, both centered; with the ridge chosen, over all rows.
    """
    kept = len(state_ND) - max(2, len(state_ND) // 5)
    misses = []
    for ridge in _RIDGES:
        weight_D, bias = _ridge(state_ND[:kept], target_N[:kept], ridge)
        misses.append(((state_ND[kept:] @ weight_D + bias - target_N[kept:]) ** 2).mean().item())
    return _ridge(state_ND, target_N, _RIDGES[int(np.argmin(misses))])


def _ridge(state_ND: Tensor, target_N: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    center_D, mean = state_ND.mean(0), target_N.mean()
    away_ND = state_ND - center_D
    gram_DD = away_ND.T @ away_ND + ridge * torch.eye(len(center_D)).to(away_ND)
    weight_D = torch.linalg.solve(gram_DD, away_ND.T @ (target_N - mean))
    return weight_D, mean - center_D @ weight_D


def untie(rating_N: Tensor, verbose_N: Tensor, limit: float) -> float:
    """l: how much of verbosity to take off so that the rank correlation with it is low enough.

    1 in SDs where none of the grid is enough; 0 where lengths do not vary.
    """
    rating, verbose = rating_N.cpu().numpy(), verbose_N.cpu().numpy()
    if not verbose.std() > 0:
        return 0.0
    ratio, verbose_rank = float(rating.std() / verbose.std()), rankdata(verbose)
    for share in np.linspace(0.0, ratio, _GRID_STEPS + 1):
        rank = rankdata(rating - share * verbose)
        if rank.std() == 0 or np.corrcoef(rank, verbose_rank)[0, 1] <= limit:
            return float(share)
    return ratio
