"""Policy gradients under exact expectations: where they come to rest is known in closed form."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import chi2_rl, ppo, rloo

from . import table

POOL = 4000


def gradient_of(loss: Tensor, logits_R: Tensor) -> Tensor:
    (gradient_R,) = torch.autograd.grad(loss, logits_R)
    return gradient_R


def rloo_gradient(config: rloo.Config, logits_R: Tensor) -> Tensor:
    """Over all ordered pairs of samples, each with its probability."""
    free_R = logits_R.clone().requires_grad_()
    logp_R = torch.log_softmax(free_R, -1)
    first, second = torch.cartesian_prod(*[torch.arange(table.RESPONSES)] * 2).unbind(-1)
    drawn_BN = torch.stack([first, second], -1)
    now_BNT = logp_R[drawn_BN].unsqueeze(-1)
    reference_BNT = table.REFERENCE_LOGP_R[drawn_BN].unsqueeze(-1)
    now = Reading(now_BNT, reference_BNT, torch.ones_like(now_BNT))
    seen = Rollout(table.REWARD_R[drawn_BN], now.map(Tensor.detach))
    step = RolloutStep(seen, now, rloo.advantages(config, seen))
    probability_B = logp_R.detach()[drawn_BN].sum(-1).exp()
    return gradient_of((probability_B * rloo.loss(config, step).mean(-1)).sum(), free_R)


def ppo_gradient(config: ppo.Config, logits_R: Tensor) -> Tensor:
    """Over all responses, one per prompt, with the exact value of the one prefix there is."""
    free_R = logits_R.clone().requires_grad_()
    logp_R = torch.log_softmax(free_R, -1)
    p_R, now_BNT = logp_R.detach().exp(), logp_R.view(-1, 1, 1)
    penalized_R = table.REWARD_R - config.beta * (logp_R.detach() - table.REFERENCE_LOGP_R)
    value_BNTC = (p_R * penalized_R).sum().expand(table.RESPONSES, 1, 1, 1)
    reference_BNT = table.REFERENCE_LOGP_R.view(-1, 1, 1)
    now = Reading(now_BNT, reference_BNT, torch.ones_like(now_BNT), output=value_BNTC)
    seen = Rollout(table.REWARD_R[:, None], now.map(Tensor.detach))
    step = RolloutStep(seen, now, ppo.advantages(config, seen))
    return gradient_of((p_R[:, None] * ppo.loss(config, step)).sum(), free_R)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_rloo_reaches_the_tilted_reference(beta: float) -> None:
    config = rloo.Config(beta=beta)
    logp_R = table.ascend(lambda logits: rloo_gradient(config, logits), 0.5 / beta, 60)
    assert torch.allclose(logp_R, table.tilted(beta), atol=1e-9)


@pytest.mark.parametrize("beta", [0.3, 1.0, 4.0])
def test_ppo_reaches_the_tilted_reference(beta: float) -> None:
    config = ppo.Config(beta=beta, normalize=False)
    logp_R = table.ascend(lambda logits: ppo_gradient(config, logits), 0.5 / beta, 60)
    assert torch.allclose(logp_R, table.tilted(beta), atol=1e-9)


def chi2_optimum(coefficient: float) -> Tensor:
    """pi of max E_pi[r] - c sqrt(chi^2): pi_ref a (r - nu)_+ with a c = sqrt(chi^2), by nu."""

    def ratios(nu: float) -> Tensor:
        above_R = (table.REWARD_R - nu).clamp(min=0.0)
        return above_R / (table.REFERENCE_R * above_R).sum()

    def gap(nu: float) -> float:
        slope = 1 / (table.REFERENCE_R * (table.REWARD_R - nu).clamp(min=0.0)).sum()
        chi2 = (table.REFERENCE_R * ratios(nu).square()).sum() - 1
        return float(slope * coefficient - chi2.sqrt())

    return table.REFERENCE_R * ratios(float(brentq(gap, -1.2, 2.29)))


def chi2_advantage(config: chi2_rl.Config, logits_R: Tensor, samples: int = POOL) -> Tensor:
    """Advantage of each response, from a stratified rollout of one prompt."""
    logp_R = torch.log_softmax(logits_R, -1)
    edges_R = (logp_R.exp().cumsum(0) * samples).round().long().clamp(max=samples)
    count_R = torch.diff(edges_R, prepend=torch.zeros(1, dtype=torch.long))
    drawn_N = torch.repeat_interleave(torch.arange(table.RESPONSES), count_R)
    sampled = Reading(
        logp_R[drawn_N].view(1, -1, 1),
        table.REFERENCE_LOGP_R[drawn_N].view(1, -1, 1),
        torch.ones(1, len(drawn_N), 1, dtype=torch.float64),
    )
    seen = Rollout(table.REWARD_R[drawn_N][None], sampled)
    advantage_N = chi2_rl.advantages(config, seen)[0]
    sums_R = torch.zeros(table.RESPONSES, dtype=torch.float64).index_add(0, drawn_N, advantage_N)
    return sums_R / count_R.clamp(min=1)


def chi2_converged(config: chi2_rl.Config, start: Tensor, steps: int) -> Tensor:
    """Natural-gradient ascent: the logits move by the advantage."""
    logits_R, mean_R = start, torch.zeros(table.RESPONSES, dtype=torch.float64)
    for step in range(steps):
        logits_R = torch.log_softmax(logits_R + 0.02 * chi2_advantage(config, logits_R), -1)
        if step >= steps // 2:
            mean_R = mean_R + logits_R.exp() / (steps - steps // 2)
    return mean_R


def test_chi2_rl_climbs_its_objective() -> None:
    """Advantages times probabilities are the gradient of E[r] - c sqrt(chi^2) in the logits."""
    free_R = table.tilted(0.8).requires_grad_()
    p_R = torch.softmax(free_R, -1)
    chi2 = (p_R.square() / table.REFERENCE_R).sum() - 1
    objective = (p_R * table.REWARD_R).sum() - 0.4 * chi2.sqrt()
    true_R = gradient_of(objective, free_R)
    advantage_R = chi2_advantage(chi2_rl.Config(coefficient=0.4), free_R.detach(), 1_000_000)
    assert torch.allclose(p_R.detach() * advantage_R, true_R, atol=2e-5)


@pytest.mark.parametrize("coefficient", [0.5, 0.8])
def test_chi2_rl_reaches_its_own_optimum(coefficient: float) -> None:
    """Some responses lose all probability, and the ratios of the rest are linear in the reward.

    To 0.03 only: samples do not show the part of pi_ref that the policy has left, by which the
    mean of rho + 1/rho - 2 falls short of chi^2.
    """
    optimum_R = chi2_optimum(coefficient)
    assert (optimum_R == 0).any()
    assert (optimum_R - table.REFERENCE_R).abs().max() > 0.2
    p_R = chi2_converged(chi2_rl.Config(coefficient=coefficient), table.REFERENCE_LOGP_R, 2000)
    assert (p_R - optimum_R).abs().max() < 0.03


def test_a_price_above_the_proxys_sd_returns_to_the_start() -> None:
    """Laidlaw et al. 2024: at c = sigma sqrt(1 - k^2) and k = 0, nothing is worth moving for."""
    mean = (table.REFERENCE_R * table.REWARD_R).sum()
    sd = float((table.REFERENCE_R * (table.REWARD_R - mean).square()).sum().sqrt())
    config = chi2_rl.Config(coefficient=1.3 * sd)
    p_R = chi2_converged(config, table.tilted(1.5), 2000)
    assert (p_R - table.REFERENCE_R).abs().max() < 0.01
