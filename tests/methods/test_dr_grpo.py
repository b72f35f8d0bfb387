from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import dr_grpo

from . import rollouts


def test_advantages_by_hand() -> None:
    """1, 2, 4 less 7/3."""
    found = dr_grpo.advantages(dr_grpo.Config(), rollouts.rollout([1.0, 2.0, 4.0]))
    assert found[0].tolist() == pytest.approx([-1.3333, -0.3333, 1.6667], abs=5e-5)


def test_a_long_response_counts_by_its_length() -> None:
    """Three tokens and one, A = -1 and 1, L = 8: 3/8 and -1/8."""
    seen = rollouts.rollout([1.0, 3.0])
    mask_BNT = torch.tensor([[[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]]).double()
    zero_BNT = torch.zeros_like(mask_BNT)
    sampled = seen.sampled._replace(policy_logp=zero_BNT, reference_logp=zero_BNT, mask=mask_BNT)
    config = dr_grpo.Config(divisor=8.0)
    taken = rollouts.step(dr_grpo, config, seen._replace(sampled=sampled))
    assert dr_grpo.loss(config, taken)[0].tolist() == pytest.approx([0.375, -0.125])


def test_it_comes_to_rest_at_the_forward_kl_optimum() -> None:
    """Of responses of one token, where k3's gradient is that of the whole KL. With two samples A is
    half of the gain, so that it maximizes E r - 2 beta KL(pi_ref || pi):
    pi = pi_ref 2 beta/(l - r), here with 2 beta = 1.
    """
    policy_R = torch.tensor(rollouts.rest(dr_grpo, dr_grpo.Config(beta=0.5), 4.0)).double()
    level_R = rollouts.REFERENCE_R / policy_R + rollouts.REWARD_R
    assert level_R.tolist() == pytest.approx([level_R[0].item()] * 3, abs=1e-5)
    assert policy_R[2] > 0.4


def test_corrected_it_comes_to_rest_at_the_tilted_reference() -> None:
    """Then, of responses of one token, it maximizes E r - 2 beta KL(pi || pi_ref)."""
    config = dr_grpo.Config(beta=0.5, corrected=True)
    assert rollouts.rest(dr_grpo, config, 4.0) == pytest.approx(rollouts.TILTED, abs=5e-5)
