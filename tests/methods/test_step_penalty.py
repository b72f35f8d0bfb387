"""beta of the methods that are rewarded by steps: it takes log(pi / pi_ref) off the outcome."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from overopt.methods.rollout import mrt, reward_clip, reward_delta

from . import stepped


@pytest.mark.parametrize("method", [mrt, reward_clip, reward_delta])
def test_advantages_fall_by_beta_times_the_log_ratio_over_the_others(method: ModuleType) -> None:
    """Log-ratios .4 and -.2, which are .6 and -.6 from one another: -.5 of that at every token."""
    seen = stepped.rollout(log_ratios=(0.4, -0.2))
    free, held = (method.advantages(method.Config(beta=beta), seen) for beta in (0.0, 0.5))
    mask_BNT = seen.sampled.mask
    expected_BNT = torch.tensor([[[-0.3], [0.3]]], dtype=torch.float64) * mask_BNT
    assert torch.allclose((held - free) * mask_BNT, expected_BNT)
    assert method.Config().beta == 0.0


def test_delta_weighs_the_steps_by_alpha_and_clips_them_at_eta() -> None:
    """2 min(p - .5, 0) of .9, .95, .4: 0, 0, -.2 to come; the outcome's share is 1."""
    config = reward_delta.Config(alpha=2.0, eta=0.5)
    found = reward_delta.advantages(config, stepped.rollout())
    assert found[0, 0].tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0, 0.8, 0.8])
