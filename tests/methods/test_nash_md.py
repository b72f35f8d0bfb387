from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import nash_md
from tabular_optima import table

REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
POLICY_R = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
CYCLE_RR = torch.tensor([[0.5, 0.8, 0.2], [0.2, 0.5, 0.8], [0.8, 0.2, 0.5]], dtype=torch.float64)


def mixed(policy_R: Tensor, share: float) -> Tensor:
    """pi^(1 - m) pi_ref^m / Z."""
    return torch.softmax((1 - share) * policy_R.log() + share * REFERENCE_R.log(), -1)


def every_response(logp_R: Tensor, preference_RR: Tensor, opponent_R: Tensor) -> Rollout:
    """Each response once; what each wins against opponents in their exact proportions."""
    count = len(logp_R)
    wins_R = preference_RR @ opponent_R
    sampled = Reading(
        logp_R[None, :, None],
        REFERENCE_R.log()[None, :, None],
        torch.ones(1, count, 1, dtype=torch.float64),
    )
    zero_BN = torch.zeros(1, count, dtype=torch.float64)
    return Rollout(zero_BN, sampled, preference=wins_R[None, :, None].expand(1, count, count))


def test_mixtures_by_hand() -> None:
    assert mixed(POLICY_R, 0.5).tolist() == pytest.approx([0.3391, 0.3217, 0.3391], abs=5e-5)
    assert nash_md.mixture(nash_md.Config(initial_share=0.25)) == 0.25


def test_advantages_by_hand() -> None:
    """Against the mixture of m = 1/2 on the cycle, with tau = .1."""
    rollout = every_response(POLICY_R.log(), CYCLE_RR, mixed(POLICY_R, 0.5))
    found = nash_md.advantages(nash_md.Config(tau=0.1), rollout)
    assert found[0].tolist() == pytest.approx([0.0864, 0.0, -0.0864], abs=1e-4)


def test_scores_make_a_transitive_preference() -> None:
    """sigmoid(2 - 1.5) = .6225."""
    zero_BNT = torch.zeros(1, 2, 1)
    still = Reading(zero_BNT, zero_BNT, zero_BNT + 1)
    opponents = Rollout(torch.tensor([[1.5, 2.0]]), still)
    rollout = Rollout(torch.tensor([[2.0, 0.0]]), still, opponents=opponents)
    assert rollout.preference_BNN[0, 0].tolist() == pytest.approx([0.6225, 0.5], abs=5e-5)
    (first, _) = nash_md.advantages(nash_md.Config(tau=1.0), rollout)[0].tolist()
    assert first == pytest.approx((0.6225 + 0.5) / 2 - 0.5, abs=5e-5)


@pytest.mark.parametrize(("tau", "share"), [(0.5, 0.125), (0.2, 0.5), (0.5, 0.0)])
def test_it_comes_to_rest_at_the_tilt_by_win_rates(tau: float, share: float) -> None:
    config = nash_md.Config(tau=tau, initial_share=share)

    def gradient(logits_R: Tensor) -> Tensor:
        logits_R = logits_R.clone().requires_grad_()
        logp_R = torch.log_softmax(logits_R, -1)
        policy_R = logp_R.detach().exp()
        rollout = every_response(logp_R.detach(), CYCLE_RR, mixed(policy_R, share))
        now = rollout.sampled._replace(policy_logp=logp_R[None, :, None])
        step = RolloutStep(rollout, now, nash_md.advantages(config, rollout))
        loss = (policy_R * nash_md.loss(config, step)[0]).sum()
        (found,) = torch.autograd.grad(loss, logits_R)
        return found

    found_R = table.ascend(gradient, 0.3, 600, REFERENCE_R.log()).exp()
    rest_R = torch.softmax(REFERENCE_R.log() + CYCLE_RR @ mixed(found_R, share) / tau, -1)
    assert torch.allclose(found_R, rest_R, atol=1e-6)
    if share == 0.0:  # the regularized Nash policy itself
        assert found_R.tolist() == pytest.approx([0.5097, 0.2559, 0.2344], abs=5e-5)
