from __future__ import annotations

import pytest
import torch
from torch import Tensor

from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import constrained_xi, nm_ppo

from . import rollouts


def scored(score_BNK: Tensor, ratio: list[float]) -> Rollout:
    seen = rollouts.rollout(score_BNK.mean(-1)[0].tolist(), ratio)
    return seen._replace(member_reward=score_BNK)


def observed(
    config: nm_ppo.Config, memory: nm_ppo.Memory, means: list[float], gold: float
) -> nm_ppo.Memory:
    memory = nm_ppo.observe_gold(config, memory, torch.full((1, 1), gold))
    return nm_ppo.observe(config, memory, scored(torch.tensor([[means]]).double(), [0.0]))


def asked(memory: nm_ppo.Memory) -> list[float]:
    assert memory.search is not None
    return [float(value) for value in memory.search.asked_K]


def test_an_evaluation_ends_after_its_rollouts_or_when_it_is_there() -> None:
    """Two rollouts at (.2, .2), one at (.4, .2), whose 5% are met at once; the last told is -2."""
    config = nm_ppo.Config(theta=0.2, spread=0.2, rollouts=2)
    # of the initial policy, which no threshold has trained, even if it is there
    memory = observed(config, nm_ppo.begin(config, {}), [0.2, 0.2], -99.0)
    assert asked(memory) == pytest.approx([0.2, 0.2]) and memory.spent == 0
    memory = observed(config, memory, [0.9, 0.9], -9.0)
    assert asked(memory) == pytest.approx([0.2, 0.2]) and memory.spent == 1
    memory = observed(config, memory, [0.9, 0.9], -3.0)
    assert asked(memory) == pytest.approx([0.4, 0.2]) and memory.spent == 0
    memory = observed(config, memory, [0.41, 0.199], -1.0)
    assert asked(memory) == pytest.approx([0.2, 0.4])
    for _ in range(2):
        memory = observed(config, memory, [0.9, 0.9], -2.0)
    # the simplex of the literals: 3, 1, 2, and then the reflection of (.2, .2)
    assert asked(memory) == pytest.approx([0.4, 0.4])
    assert memory.search is not None
    assert sorted(one.value for one in memory.search.vertices) == [1.0, 2.0, 3.0]


def test_multipliers_follow_the_threshold_that_is_tried() -> None:
    config = nm_ppo.Config(theta=0.44, rollouts=99, near=0.0)
    base = constrained_xi.Config(theta=0.44)
    mine, other = nm_ppo.begin(config, {}), constrained_xi.begin(base, {})
    for means in ([0.5, 0.2], [0.1, 0.3]):
        mine = observed(config, mine, means, 0.0)
        seen = scored(torch.tensor([[means]]).double(), [0.0])
        other = constrained_xi.observe(base, other, seen)
        assert mine.multipliers.u is not None and other.u is not None
        assert torch.equal(mine.multipliers.u, other.u)
    score_BNK = torch.tensor([[[1.0, 0.0], [0.0, 0.5]]]).double()
    found = nm_ppo.advantages(config, scored(score_BNK, [0.0, 1.0])._replace(memory=mine))
    expected = constrained_xi.advantages(base, scored(score_BNK, [0.0, 1.0])._replace(memory=other))
    assert torch.equal(found, expected)


def test_the_search_finds_the_threshold_of_most_gold() -> None:
    """A policy that is where it is told to be at once, and gold that falls beyond .8."""
    config = nm_ppo.Config(theta=0.2, spread=0.3, tolerance=1e-6)
    memory = observed(config, nm_ppo.begin(config, {}), [0.2], -abs(0.2 - 0.8))
    for _ in range(80):
        (at,) = asked(memory)
        memory = observed(config, memory, [at], -abs(at - 0.8))
    assert asked(memory) == pytest.approx([0.8], abs=1e-3)
