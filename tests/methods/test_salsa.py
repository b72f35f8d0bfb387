from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import salsa
from tabular_optima import table

FIRST_R = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
SECOND_R = torch.tensor([0.3, 0.3, 0.4], dtype=torch.float64)
REWARD_R = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)


def soup(share: float) -> Tensor:
    """Of tables of logits, whose average is the geometric mean of the policies."""
    weights = [{"logits": policy_R.log()} for policy_R in (FIRST_R, SECOND_R)]
    anchor = salsa.first_anchor(salsa.Config(second_share=share), *weights)
    return torch.softmax(anchor["logits"], -1)


def test_soup_by_hand() -> None:
    """sqrt(.7 x .3), sqrt(.2 x .3), sqrt(.1 x .4), normalized."""
    assert soup(0.5).tolist() == pytest.approx([0.5074, 0.2712, 0.2214], abs=5e-5)
    assert torch.allclose(soup(0.0), FIRST_R) and torch.allclose(soup(1.0), SECOND_R)


def test_advantages_by_hand() -> None:
    """Rewards 1 and 0, log-ratios to the soup .4 and -.2, beta .5: .8 - .1 = .7."""
    zero_BNT = torch.zeros(1, 2, 1)
    sampled = Reading(
        zero_BNT,
        zero_BNT - 9,
        zero_BNT + 1,
        anchor_logp=torch.tensor([[[-0.4], [0.2]]]),
    )
    found = salsa.advantages(salsa.Config(beta=0.5), Rollout(torch.tensor([[1.0, 0.0]]), sampled))
    assert found[0].tolist() == pytest.approx([0.7, -0.7])


@pytest.mark.parametrize("share", [0.5, 0.0])
def test_it_comes_to_rest_at_the_tilted_soup(share: float) -> None:
    config, anchor_R = salsa.Config(beta=1.0, second_share=share), soup(share)
    expected_R = torch.softmax(anchor_R.log() + REWARD_R, -1)
    mask = torch.ones(1, 3, 1, dtype=torch.float64)

    def gradient(at_R: Tensor) -> Tensor:
        logits_R = at_R.clone().requires_grad_()
        logp_R = torch.log_softmax(logits_R, -1)
        sampled = Reading(
            logp_R.detach()[None, :, None],
            FIRST_R.log()[None, :, None],
            mask,
            anchor_logp=anchor_R.log()[None, :, None],
        )
        rollout = Rollout(REWARD_R[None], sampled)
        now = sampled._replace(policy_logp=logp_R[None, :, None])
        step = RolloutStep(rollout, now, salsa.advantages(config, rollout))
        loss = (logp_R.detach().exp() * salsa.loss(config, step)[0]).sum()
        (found,) = torch.autograd.grad(loss, logits_R)
        return found

    found_R = table.ascend(gradient, 0.3, 300, FIRST_R.log()).exp()
    assert torch.allclose(found_R, expected_R, atol=1e-6)
    if share == 0.5:
        assert found_R.tolist() == pytest.approx([0.1761, 0.2559, 0.5680], abs=5e-5)
