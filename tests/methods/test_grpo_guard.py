from __future__ import annotations

import pytest
import torch

from overopt.methods.rollout import grpo, grpo_guard

from . import rollouts


def ratios(log_ratio: list[float], spread: float) -> list[float]:
    log_ratio_BNT = torch.tensor(log_ratio).view(1, -1, 1)
    guarded_BNT = grpo_guard.guarded(log_ratio_BNT, torch.ones_like(log_ratio_BNT), spread)
    return [float(value) for value in guarded_BNT.exp().flatten()]


def test_centered_ratios_by_hand() -> None:
    """Their mean is -.02."""
    assert ratios([0.05, -0.01, -0.10], 1.0) == pytest.approx([1.0725, 1.0101, 0.9231], abs=5e-5)


def test_wide_ratios_are_compressed_by_hand() -> None:
    """SD 1 becomes .2 about a mean of 3."""
    assert ratios([4.0, 2.0], 0.2) == pytest.approx([1.2214, 0.8187], abs=5e-5)


def test_padding_does_not_count() -> None:
    log_ratio_BNT = torch.tensor([[[0.3, 0.1], [0.2, 9.0]]])
    mask_BNT = torch.tensor([[[1.0, 1.0], [1.0, 0.0]]])
    found = grpo_guard.guarded(log_ratio_BNT, mask_BNT, 1.0)
    assert found[0, 0].tolist() == pytest.approx([0.1, -0.1])


def test_the_first_step_is_grpos() -> None:
    seen = rollouts.rollout([1.0, 2.0, 6.0], [0.3, -2.0, 1.0])
    mine, base = grpo_guard.Config(beta=0.4), grpo.Config(beta=0.4)
    first, second = rollouts.step(grpo_guard, mine, seen), rollouts.step(grpo, base, seen)
    assert grpo_guard.loss(mine, first).tolist() == grpo.loss(base, second).tolist()
    assert rollouts.slopes(grpo_guard, mine, first) == rollouts.slopes(grpo, base, second)


def test_a_shift_of_all_does_not_clip() -> None:
    """All responses .5 likelier: GRPO clips the good one, the guard none."""
    seen = rollouts.rollout([1.0, 3.0])
    mine, base = grpo_guard.Config(), grpo.Config()
    guarded = rollouts.slopes(grpo_guard, mine, rollouts.step(grpo_guard, mine, seen, [0.5, 0.5]))
    plain = rollouts.slopes(grpo, base, rollouts.step(grpo, base, seen, [0.5, 0.5]))
    assert plain[1] == 0.0
    assert guarded == pytest.approx([0.70706, -0.70706], abs=1e-4)
