"""InfoRM: a reward read through an information bottleneck, and an outlier score in its latents.

Paper: Miao et al. 2024, "InfoRM: Mitigating Reward Hacking in RLHF via Information-Theoretic Reward
Modeling" (https://arxiv.org/abs/2402.09345), and its journal form
(https://arxiv.org/abs/2510.13694) with the penalty; checked against the authors' released code (the
papers' own equations were seen in notes only). An encoder without bias reads mean and log-variance
of d latents off the state at the response's last token, a decoder without bias the reward:
    s = mu + exp(log var / 2) eps in training, s = mu where it scores,   r = w . s
    L = -log sigmoid(r_w - r_l) + b KL(N(mu, var) || N(0, I)), the KL averaged over both sides
    KL = sum over d of (mu^2 + var - 1 - log var) / 2
    R = r - g D(mu),   D the Mahalanobis distance to latents of the initial policy's responses
The released code averages mu and log var over latents before it takes the KL: latents that cancel
cost nothing, a far weaker prior. ``averaged`` does as it does; both are equal at d = 1.
As b grows nothing gets through, and the reward is constant: with the code's b of 1 and 0.1 and
summed latents, proxies of the tabular task tell .48 to .56 of held-out pairs right, with 0.01 .59,
with 0.001 .59 and .64 (two seeds, ``single`` .59 and .64).
Deviations: b is by default 0.001 (0.1 and 1 in the code, for its averaged KL). Covariance and mean
of the initial policy's latents are those of the comparisons that it has learned from, plus 1e-6 I.
The code has g = 0.05 for one class of prompts and 0 for another; here one g, by default 0. Of the
diagnostics, shares of outliers (MOP) are not computed; clusters of a policy's latents (CSI) are
looked at where a run asks for it, and ``distance`` is what both start from.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import HeadShape, HeadStates, ReadBatch, TrainedStates, given
from overopt.spec.declare import param

_RIDGE = 1e-6


@dataclass(frozen=True)
class Config:
    """Settings of InfoRM."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    latents: int = param(128, help="d, latent numbers", at_least=1)
    weight: float = param(0.001, help="b: price of a nat through the bottleneck", at_least=0.0)
    averaged: bool = param(False, help="average over latents before the KL, as the code does")
    penalty: float = param(0.0, help="g: of the distance from usual latents", at_least=0.0)


class Bottleneck(nn.Module):
    """Encoder and decoder; outputs are the reward, the KL in nats, and the distance."""

    def __init__(self, width: int, config: Config) -> None:
        super().__init__()
        self.encoder = nn.Linear(width, 2 * config.latents, bias=False)
        self.decoder = nn.Linear(config.latents, 1, bias=False)
        self.averaged, self.penalty = config.averaged, config.penalty
        self.center_E: Tensor
        self.whitening_EE: Tensor
        self.register_buffer("center_E", torch.zeros(config.latents))
        self.register_buffer("whitening_EE", torch.zeros(config.latents, config.latents))

    def encode(self, states: HeadStates) -> tuple[Tensor, Tensor]:
        """Means and log-variances of the latents, (B, E) each."""
        mean_BE, log_variance_BE = self.encoder(states.last_BD).chunk(2, dim=1)
        return mean_BE, log_variance_BE

    def forward(self, states: HeadStates) -> Tensor:
        """Outputs (B, 3)."""
        mean_BE, log_variance_BE = self.encode(states)
        latent_BE = mean_BE
        if self.training:
            latent_BE = mean_BE + torch.randn_like(mean_BE) * (log_variance_BE / 2).exp()
        away_BE = mean_BE - self.center_E
        far_B = distance(away_BE, self.whitening_EE)
        reward_B = self.decoder(latent_BE).squeeze(1) - self.penalty * far_B
        if self.averaged:
            mean_BE, log_variance_BE = (x.mean(1, keepdim=True) for x in (mean_BE, log_variance_BE))
        return torch.stack([reward_B, divergence(mean_BE, log_variance_BE), far_B], dim=1)


def divergence(mean_BE: Tensor, log_variance_BE: Tensor) -> Tensor:
    """KL from a standard normal of normals that do not depend on each other, nats, (B,)."""
    return 0.5 * (mean_BE**2 + log_variance_BE.exp() - 1 - log_variance_BE).sum(1)


def distance(away_BE: Tensor, whitening_EE: Tensor) -> Tensor:
    """Mahalanobis distance, (B,), 0 before the covariance is known; not squared.

    Args:
        away_BE: latents less their mean.
        whitening_EE: W with W^T W the inverse covariance. Where there are more latents than the
            state has numbers the covariance is singular, and its inverse reaches one over the
            ridge: a form in it cancels in single precision, a sum of squares does not.
    """
    far_B: Tensor = (away_BE @ whitening_EE.T).norm(dim=1)
    return far_B


def make_head(config: Config, shape: HeadShape) -> Bottleneck:
    """The bottleneck.

    Args:
        config: how many latents; which KL; the penalty.
        shape: width of the trunk.
    """
    return Bottleneck(shape.width, config)


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Bradley-Terry loss and price of the bottleneck of each comparison, nats, (P,).

    Args:
        config: b.
        batch: rewards and outputs of both sides.

    Reference:
        InfoRM, https://arxiv.org/abs/2402.09345
    """
    chosen_PC = given(batch.chosen.output_PC, "output_PC")
    rejected_PC = given(batch.rejected.output_PC, "output_PC")
    through_P = (chosen_PC[:, 1] + rejected_PC[:, 1]) / 2
    return -logsigmoid(batch.chosen_P - batch.rejected_P) + config.weight * through_P


def settle(config: Config, head: Bottleneck, trained: TrainedStates) -> None:
    """Mean and whitening of latents of the initial policy's responses.

    Args:
        config: unused.
        head: whose distances are measured from there.
        trained: states of both sides of the comparisons, which the initial policy has written.

    Reference:
        InfoRM's journal form, https://arxiv.org/abs/2510.13694
    """
    with torch.no_grad():
        mean_NE = torch.cat([head.encode(side)[0] for side in (trained.chosen, trained.rejected)])
        head.center_E.copy_(mean_NE.mean(0))
        # not torch.cov, which has no matrix for a single latent
        away_NE = (mean_NE - mean_NE.mean(0)).double()
        covariance_EE = away_NE.T @ away_NE / (len(away_NE) - 1)
        ridge_EE = _RIDGE * torch.eye(len(covariance_EE)).to(covariance_EE)
        factor_EE = torch.linalg.cholesky(covariance_EE + ridge_EE)
        head.whitening_EE.copy_(torch.linalg.inv(factor_EE))
