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


def test_advantages_by_hand() -> None:
    """n = 3: 2 log F, F = 1/1001, 501/1001, 801/1001, less the mean of the others."""
    values = [2 * math.log(1 / 1001), 2 * math.log(501 / 1001), 2 * math.log(801 / 1001)]
    expected = [value - (sum(values) - value) / 2 for value in values]
    found = vbon.advantages(vbon.Config(n=3), rollout(LOG_REFERENCE_R))[0]
    assert found.tolist() == pytest.approx(expected)


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
    assert found_R.tolist() == pytest.approx(best, abs=2e-3)  # F adds one in a thousand
