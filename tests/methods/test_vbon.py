from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import vbon
from tabular_optima import table

from . import fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R

EACH_R = torch.arange(3)
BELOW_R = torch.tensor([0.0, 0.5, 0.8], dtype=torch.float64)


def rollout(logp_R: Tensor, reward_R: Tensor = REWARD_R) -> Rollout:
    """One of each response beside a thousand samples of the initial policy, in proportion."""
    drawn_M = torch.repeat_interleave(EACH_R, torch.tensor([500, 300, 200]))
    others = fresh.rollout(reward_R[drawn_M][None])
    return Rollout(reward_R[None], fresh.read(logp_R, EACH_R).group(3), opponents=others)


@pytest.mark.parametrize("n", [2, 5])
def test_the_exact_form_is_the_papers_sum(n: int) -> None:
    """1/n of it, for n = 2: (-.3466, .1312, .2939)."""
    found_R = vbon.log_best_of_n(BELOW_R.log(), LOG_REFERENCE_R, n)
    terms = sum(
        math.comb(n, i) * BELOW_R ** (n - i) * LOG_REFERENCE_R.exp() ** i for i in range(1, n + 1)
    )
    assert isinstance(terms, Tensor)
    assert torch.allclose(found_R, terms.log() - LOG_REFERENCE_R)
    if n == 2:
        assert (found_R / n).tolist() == pytest.approx([-0.3466, 0.1312, 0.2939], abs=5e-5)
        assert (found_R + LOG_REFERENCE_R).exp().tolist() == pytest.approx([0.25, 0.39, 0.36])


def test_the_exact_form_of_a_rare_response_is_the_plain_one() -> None:
    """n = 4, log F = -.5: log 4 - 1.5 = -.1137, whether p is e^-10, e^-40 or e^-300."""
    log_reference_R = torch.tensor([-10.0, -16.0, -40.0, -300.0])
    found = vbon.log_best_of_n(torch.full((4,), -0.5), log_reference_R, 4)
    assert found.tolist() == pytest.approx([-0.1137] * 4, abs=3e-4)


def test_advantages_by_hand() -> None:
    """n = 3, M = 4, of which 0, 2, 4 lie below: 2 (H_k - H_4) = -25/6, -7/6, 0.

    Less the means of the others: -43/12, 11/12, 32/12.
    """
    seen = fresh.rollout([[0.0, 2.0, 9.0]])._replace(
        opponents=fresh.rollout([[1.0, 1.5, 3.0, 4.0]])
    )
    found = vbon.advantages(vbon.Config(n=3), seen)[0]
    assert found.tolist() == pytest.approx([-43 / 12, 11 / 12, 32 / 12])


def binomial(chance_F: Tensor, samples: int) -> Tensor:
    """Chance of each count from 0 to M, (F, M + 1)."""
    count_K = torch.arange(samples + 1).double()
    ways_K = torch.tensor([math.comb(samples, k) for k in range(samples + 1)]).double()
    chance_F1 = chance_F[:, None]
    return ways_K * chance_F1**count_K * (1 - chance_F1) ** (samples - count_K)


@pytest.mark.parametrize("samples", [1, 2, 8])
def test_mean_of_log_f_is_its_series_cut_short(samples: int) -> None:
    chance_F = torch.tensor([0.05, 0.3, 0.5, 0.9], dtype=torch.float64)
    count_K = torch.arange(samples + 1).double()
    mean_F = binomial(chance_F, samples) @ vbon.log_chance_below(count_K, samples)
    series_F = -sum((1 - chance_F) ** j / j for j in range(1, samples + 1))
    assert torch.allclose(mean_F, torch.as_tensor(series_F), atol=1e-12)


@pytest.mark.parametrize(
    ("samples", "n", "kl"),
    [(8, 2, 0.165), (8, 4, 0.629), (8, 8, 1.204), (8, 32, 2.497), (2, 4, 0.493), (2, 8, 1.147)],
)
def test_kl_at_rest_over_uniform_f(samples: int, n: int, kl: float) -> None:
    """pi/pi_ref = exp( (n - 1) E[log F] )/Z of many responses; best-of-n has .193, .636, 1.204,
    2.497 at n = 2, 4, 8, 32.
    """
    chance_F = (torch.arange(20000).double() + 0.5) / 20000
    count_K = torch.arange(samples + 1).double()
    mean_F = binomial(chance_F, samples) @ vbon.log_chance_below(count_K, samples)
    log_ratio_F = (n - 1) * mean_F - torch.logsumexp((n - 1) * mean_F, 0) + math.log(20000)
    assert (log_ratio_F.exp() * log_ratio_F).mean().item() == pytest.approx(kl, abs=5e-4)


def test_only_ranks_of_the_reward_matter() -> None:
    config = vbon.Config(n=4)
    found = vbon.advantages(config, rollout(LOG_REFERENCE_R, REWARD_R.exp()))
    assert torch.equal(found, vbon.advantages(config, rollout(LOG_REFERENCE_R)))


@pytest.mark.parametrize(("n", "best"), [(2, [0.25, 0.39, 0.36]), (4, [0.0625, 0.3471, 0.5904])])
def test_it_comes_to_rest_at_best_of_n(n: int, best: list[float]) -> None:
    config = vbon.Config(n=n, exact=True)

    def gradient(logits_R: Tensor) -> Tensor:
        logits_R = logits_R.clone().requires_grad_()
        logp_R = torch.log_softmax(logits_R, -1)
        seen = rollout(logp_R.detach())
        now = fresh.read(logp_R, EACH_R).group(3)
        step = RolloutStep(seen, now, vbon.advantages(config, seen))
        loss = (logp_R.detach().exp() * vbon.loss(config, step)[0]).sum()
        (found,) = torch.autograd.grad(loss, logits_R)
        return found

    found_R = table.ascend(gradient, 0.3, 200, LOG_REFERENCE_R).exp()
    assert found_R.tolist() == pytest.approx(best, abs=2e-3)  # log F is cut after a thousand terms
