from __future__ import annotations

import math

import pytest
import torch

from overopt.methods.pairs import pro

from . import lists

NO_LIKELIHOOD = pro.Config(likelihood_weight=0.0)


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 3.252858), (0.05, 3.452858)])
def test_loss_by_hand(weight: float, expected: float) -> None:
    """s (-1, -2, -.5), rewards (2, 1, 0): 2 + log(e^-2 + e^-2 + e^-1) = 1.551445 for the first,
    2 + log(e^-2 + e^-.5) = 1.701413 for the second, and 4 c for the best's likelihood."""
    config = pro.Config(likelihood_weight=weight)
    for logps, rewards in (
        ([-1.0, -2.0, -0.5], [2.0, 1.0, 0.0]),
        ([-0.5, -1.0, -2.0], [0.0, 2.0, 1.0]),
    ):
        found = pro.loss(config, lists.of_one_token([logps], [rewards])).item()
        assert found == pytest.approx(expected, abs=1e-5)


def test_a_list_of_two_is_a_pair_by_its_gap_in_reward() -> None:
    batch = lists.of_one_token([[-1.0, -0.5]], [[1.5, 0.0]])
    expected = math.log1p(math.exp(1.5 * 0.5))
    assert pro.loss(NO_LIKELIHOOD, batch).item() == pytest.approx(expected, abs=1e-6)


def test_equal_rewards_leave_a_constant() -> None:
    batch = lists.of_one_token([[-1.0, -0.5]], [[1.0, 1.0]])
    loss_B = pro.loss(NO_LIKELIHOOD, batch)
    assert loss_B.item() == pytest.approx(math.log(2))
    assert lists.slopes(loss_B, batch) == [[0.0, 0.0]]


def test_ranking_takes_means_and_likelihood_sums() -> None:
    batch = lists.of_tokens([[-0.5, -1.5], [-0.25, -0.75, -1.25]], [1.0, 0.0])
    ranking = math.log1p(math.exp(-0.75 + 1.0))
    found = pro.loss(pro.Config(likelihood_weight=1.0), batch).item()
    assert found == pytest.approx(ranking + 2.0, abs=1e-6)


def test_it_is_the_authors_formula_on_longer_lists() -> None:
    """Written out stage by stage, as their code does."""
    generator = torch.Generator().manual_seed(0)
    own_BM = -3 * torch.rand(4, 5, generator=generator)
    reward_BM = torch.randn(4, 5, generator=generator).sort(-1, descending=True).values
    batch = lists.of_one_token(own_BM.tolist(), reward_BM.tolist())
    total_B = torch.zeros(4)
    for stage in range(4):
        gap_BK = reward_BM[:, stage : stage + 1] - reward_BM[:, stage + 1 :]
        own_B = own_BM[:, stage] * gap_BK.max(1).values
        rivals_B = (own_BM[:, stage + 1 :] * gap_BK).exp().sum(1)
        total_B = total_B + (own_B.exp() + rivals_B).log() - own_B
    total_B = total_B - 0.05 * 16 * own_BM[:, 0]
    assert torch.allclose(pro.loss(pro.Config(), batch), total_B, atol=1e-5)
