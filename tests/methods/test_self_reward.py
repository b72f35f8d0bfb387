from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import cream, self_reward

from . import fresh, trl_pairs


def seen(moved: float) -> Rollout:
    """Log-ratios .5, 0, -.5 of three samples, times ``moved``; per token the second is best."""
    mask = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]])
    reference = torch.tensor([[[-2.0, 0.0], [-0.5, 0.0], [-3.0, 0.0]]])
    policy = reference + moved * torch.tensor([[[0.5, 0.0], [0.0, 0.0], [-0.5, 0.0]]])
    return Rollout(torch.zeros(1, 3), Reading(policy, reference, mask))


def test_the_own_reward_ranks_once_the_policy_has_moved() -> None:
    """Below a log-ratio of .01 nats there is only rounding."""
    config = self_reward.Config()
    built = [self_reward.build(config, seen(moved)) for moved in (0.0, 0.01, 0.1, 1.0)]
    ends = [(each.chosen_P.item(), each.rejected_P.item()) for each in built]
    assert ends == [(1, 2), (1, 2), (0, 2), (0, 2)]


def test_loss_is_creams_where_it_has_no_doubt() -> None:
    pair = fresh.sides((9.0, 0.3), (-9.0, -0.1))
    found = self_reward.loss(self_reward.Config(beta=0.1), pair)
    assert found.item() == pytest.approx(0.6733, abs=5e-5)
    assert torch.equal(found, cream.loss(cream.Config(beta=0.1), pair))


def test_loss_is_trls_of_dpo_with_the_rounds_first_policy_as_the_reference(tmp_path: Path) -> None:
    config = self_reward.Config(beta=0.3)

    def loss(batch: Any) -> Any:
        sides = (side._replace(sampled_logp=side.reference_logp) for side in batch[:2])
        return self_reward.loss(config, SamplePairs(*sides))

    trl_pairs.assert_same(tmp_path, loss, ["sigmoid"], beta=0.3)
