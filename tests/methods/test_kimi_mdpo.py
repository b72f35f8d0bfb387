from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import kimi_mdpo

from . import rollouts


def test_loss_by_hand() -> None:
    """r = 2, 1, D = .3, -.1, tau .5: (.5 - .15)^2 and (-.5 + .05)^2, over 2 tau = 1."""
    config = kimi_mdpo.Config(tau=0.5)
    taken = rollouts.step(kimi_mdpo, config, rollouts.rollout([2.0, 1.0]), [0.3, -0.1])
    assert kimi_mdpo.loss(config, taken)[0].tolist() == pytest.approx([0.1225, 0.2025])
    assert rollouts.slopes(kimi_mdpo, config, taken) == pytest.approx([-0.35, 0.45])


def test_the_first_step_is_reinforce_with_the_mean() -> None:
    config = kimi_mdpo.Config(tau=7.0)
    taken = rollouts.step(kimi_mdpo, config, rollouts.rollout([1.0, 2.0, 6.0]))
    assert rollouts.slopes(kimi_mdpo, config, taken) == pytest.approx([2.0, 1.0, -3.0])


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_an_iteration_lies_between_kl_and_chi_squared(tau: float) -> None:
    """r - mean r = tau log rho + c rho, and less far than exp(r/tau) goes."""
    policy_R = torch.tensor(
        rollouts.regressed(kimi_mdpo, kimi_mdpo.Config(tau=tau), rollouts.REFERENCE_R),
        dtype=torch.float64,
    )
    rho_R = policy_R / rollouts.REFERENCE_R
    slope_R = (rollouts.REWARD_R - 1 - tau * rho_R.log()) / rho_R
    assert slope_R.tolist() == pytest.approx([slope_R[0].item()] * 3, abs=1e-5)
    best_R = (rollouts.REFERENCE_R.log() + rollouts.REWARD_R / tau).softmax(-1)
    assert (policy_R * rho_R.log()).sum() < (best_R * (best_R / rollouts.REFERENCE_R).log()).sum()
    assert policy_R[2] > rollouts.REFERENCE_R[2]
