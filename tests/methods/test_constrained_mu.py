from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.math.constraints import Multipliers
from overopt.methods.rollout import constrained_mu
from tabular_optima import table

SECOND_R = torch.tensor([0.4, 0.9, -0.3, -1.1, 0.8, 0.2], dtype=torch.float64)
SCORE_RK = torch.stack([table.REWARD_R, SECOND_R], -1)


def rollout(score_BNK: Tensor, memory: Multipliers, ratio_BN: Tensor) -> Rollout:
    mask = torch.ones_like(ratio_BN)[..., None]
    sampled = Reading(ratio_BN[..., None], torch.zeros_like(mask), mask)
    return Rollout(score_BNK.mean(-1), sampled, memory, member_reward=score_BNK)


def test_multipliers_by_hand() -> None:
    """s'(0) = 1/4: slopes .25 (.5 - .44), .25 (.2 - .44); a second step adds a tenth of them."""
    config = constrained_mu.Config(theta=0.44)
    seen = rollout(
        torch.tensor([[[0.4, 0.1], [0.6, 0.3]]]),
        constrained_mu.begin(config, {}),
        torch.zeros(1, 2),
    )
    first = constrained_mu.observe(config, seen.memory, seen)
    assert first.u is not None and first.velocity is not None
    assert first.velocity.tolist() == pytest.approx([0.015, -0.06])
    assert first.u.tolist() == pytest.approx([-0.0015, 0.006])
    assert torch.sigmoid(first.u)[0].item() == pytest.approx(0.4996, abs=5e-5)
    second = constrained_mu.observe(config, first, seen)
    assert second.velocity is not None
    assert second.velocity.tolist() == pytest.approx([0.0165, -0.066], abs=1e-5)
    far = constrained_mu.observe(constrained_mu.Config(theta=-9.0), seen.memory, seen)
    assert far.velocity is not None and far.velocity.norm().item() == pytest.approx(0.5)


def test_advantages_by_hand() -> None:
    """Multipliers of 1/2, KL advantage .2, components 1 and -.5: .2 + .5 - .25 = .45."""
    memory = Multipliers(torch.zeros(2))
    config = constrained_mu.Config(standardized=False, kl_weight=0.2)
    # of two samples the leave-one-out advantage is the difference
    seen = rollout(torch.tensor([[[1.0, 0.0], [0.0, 0.5]]]), memory, torch.tensor([[0.0, 1.0]]))
    found = constrained_mu.advantages(config, seen)
    assert found[0].tolist() == pytest.approx([0.45, -0.45])


def test_standardized_advantages_do_not_know_the_scale_of_a_score() -> None:
    memory = Multipliers(torch.tensor([0.3, -0.2]))
    generator = torch.Generator().manual_seed(0)
    score_BNK = torch.randn(3, 4, 2, generator=generator)
    ratio_BN = torch.randn(3, 4, generator=generator)
    config = constrained_mu.Config()
    once = constrained_mu.advantages(config, rollout(score_BNK, memory, ratio_BN))
    scaled = score_BNK * torch.tensor([3.0, 0.5])
    assert torch.allclose(
        once, constrained_mu.advantages(config, rollout(scaled, memory, ratio_BN)), atol=1e-5
    )


def gradient(config: constrained_mu.Config, memory: Multipliers, at_R: Tensor) -> Tensor:
    """Of the expected loss in the logits, every response once and weighted by its probability."""
    logits_R = at_R.clone().requires_grad_()
    logp_R = torch.log_softmax(logits_R, -1)
    ratio_BN = (logp_R.detach() - table.REFERENCE_LOGP_R)[None]
    seen = rollout(SCORE_RK[None], memory, ratio_BN)
    now = seen.sampled._replace(policy_logp=logp_R[None, :, None])
    step = RolloutStep(seen, now, constrained_mu.advantages(config, seen))
    loss = (logp_R.detach().exp() * constrained_mu.loss(config, step)[0]).sum()
    (found,) = torch.autograd.grad(loss, logits_R)
    return found


def test_with_fixed_multipliers_it_comes_to_rest_at_a_tilt() -> None:
    """pi_ref exp( sum l_k r_k / ((K - sum l) w) ) / Z."""
    config = constrained_mu.Config(standardized=False, kl_weight=0.5)
    memory = Multipliers(torch.tensor([0.4, -0.8], dtype=torch.float64))
    multiplier_K = torch.sigmoid(torch.tensor([0.4, -0.8], dtype=torch.float64))
    expected_R = torch.log_softmax(
        table.REFERENCE_LOGP_R
        + SCORE_RK @ multiplier_K / ((2 - multiplier_K.sum()) * config.kl_weight),
        -1,
    )
    found_R = table.ascend(lambda at_R: gradient(config, memory, at_R), 0.2, 400)
    assert torch.allclose(found_R, expected_R, atol=1e-6)


def test_multipliers_come_to_rest_where_both_thresholds_are_met() -> None:
    """A reachable theta: each component's mean ends there, though both would rise further."""
    config = constrained_mu.Config(
        theta=0.3, standardized=False, kl_weight=0.5, multiplier_rate=0.5
    )
    logits_R, memory = table.REFERENCE_LOGP_R, Multipliers()
    for _ in range(3000):
        policy_R = torch.softmax(logits_R, -1)
        mean_11K = (policy_R @ SCORE_RK)[None, None]
        memory = constrained_mu.observe(
            config, memory, rollout(mean_11K, memory, torch.zeros(1, 1).double())
        )
        logits_R = logits_R - 0.2 * gradient(config, memory, logits_R) / policy_R
        logits_R = torch.log_softmax(logits_R, -1)
    assert (torch.softmax(logits_R, -1) @ SCORE_RK).tolist() == pytest.approx([0.3, 0.3], abs=1e-3)
