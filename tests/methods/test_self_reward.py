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


def seen(rounds: int) -> Rollout:
    """Log-ratios .5, 0, -.5 of three samples; per token the second is the likeliest."""
    mask = torch.tensor([[[1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]])
    policy = torch.tensor([[[-1.5, 0.0], [-0.5, 0.0], [-3.5, 0.0]]])
    reference = torch.tensor([[[-2.0, 0.0], [-0.5, 0.0], [-3.0, 0.0]]])
    return Rollout(torch.zeros(1, 3), Reading(policy, reference, mask), rounds)


def test_the_own_reward_ranks_from_the_second_round_on() -> None:
    config = self_reward.Config()
    built = [self_reward.build(config, seen(rounds)) for rounds in (1, 2, 3)]
    assert [(b.chosen_P.item(), b.rejected_P.item()) for b in built] == [(1, 2), (0, 2), (0, 2)]


def test_rounds_are_counted() -> None:
    config = self_reward.Config()
    memory = self_reward.begin(config, {})
    assert self_reward.observe(config, memory, seen(0)) == 1


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
