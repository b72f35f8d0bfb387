import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import online_dpo
from overopt.methods.pairs import dpo

from . import pairs


def build(reward_BN: torch.Tensor) -> tuple[list[int], list[int]]:
    zero_BNT = torch.zeros(*reward_BN.shape, 1)
    rollout = Rollout(reward_BN, Reading(zero_BNT, zero_BNT, zero_BNT + 1))
    built = online_dpo.build(online_dpo.Config(), rollout)
    return built.chosen_P.tolist(), built.rejected_P.tolist()


def test_neighbors_are_paired_by_reward() -> None:
    assert build(torch.tensor([[1.0, 3.0, 2.0, 0.0], [5.0, 4.0, 6.0, 7.0]])) == (
        [1, 2, 4, 7],
        [0, 3, 5, 6],
    )


def test_ties_make_no_pair_and_an_odd_sample_stands_alone() -> None:
    assert build(torch.tensor([[1.0, 3.0, 9.0], [5.0, 5.0, 6.0]])) == ([1], [0])
    assert build(torch.ones(2, 4)) == ([], [])


def test_loss_is_dpos() -> None:
    batch = pairs.worked()
    loss_B = online_dpo.loss(online_dpo.Config(beta=0.5), SamplePairs(batch.chosen, batch.rejected))
    # margins 2 and -1: log(1 + e^-1), log(1 + e^0.5)
    assert loss_B.tolist() == pytest.approx([0.3132617, 0.9740770])
    assert torch.equal(loss_B, dpo.loss(dpo.Config(beta=0.5), batch))
