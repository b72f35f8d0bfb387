from __future__ import annotations

from typing import Any

import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.iterative import raft, superhf

from . import fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R

SEEN = fresh.rollout([[1.0, 3.0, 2.0, 0.0], [5.0, 9.0, 6.0, 7.0]])


def kept(**config: Any) -> list[int]:
    rows: list[int] = raft.build(raft.Config(**config), SEEN).row_K.tolist()
    return rows


def test_the_share_is_of_a_prompt_or_of_a_round() -> None:
    assert kept(share=0.25) == [1, 5]
    assert kept(share=0.01) == [1, 5]
    assert kept(share=0.5) == [1, 2, 5, 7]
    assert kept(share=0.9) == [1, 2, 0, 5, 7, 6]
    assert kept(share=1.0) == [1, 2, 0, 3, 5, 7, 6, 4]
    assert kept(share=0.25, ranking="round") == [5, 7]
    assert kept(share=0.01, ranking="round") == [5]
    assert sorted(kept(share=1.0, ranking="round")) == list(range(8))


def test_the_best_of_each_prompt_is_superhf_without_its_prior() -> None:
    assert kept(share=0.25) == superhf.build(superhf.Config(), SEEN).row_K.tolist()


def test_loss_by_hand() -> None:
    batch = Reading(
        torch.tensor([[-0.5, -1.0], [-3.0, -9.0]]),
        torch.zeros(2, 2),
        torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
    )
    assert raft.loss(raft.Config(), batch).tolist() == [1.5, 3.0]


def test_rounds_of_the_best_of_two_are_best_of_two_to_their_power() -> None:
    """(.25, .39, .36), then best of four: (.0625, .3471, .5904)."""
    config, start_R = raft.Config(share=0.5), LOG_REFERENCE_R
    for expected in ([0.25, 0.39, 0.36], [0.0625, 0.3471, 0.5904]):
        drawn_BN, chance_B = fresh.every_draw(start_R, 2)
        row_B = drawn_BN.flatten()[raft.build(config, fresh.rollout(REWARD_R[drawn_BN])).row_K]

        def loss(
            logp_R: torch.Tensor, row_B: torch.Tensor = row_B, chance_B: torch.Tensor = chance_B
        ) -> torch.Tensor:
            return (chance_B * raft.loss(config, fresh.read(logp_R, row_B))).sum()

        start_R = fresh.learned(loss, start_R)
        assert start_R.exp().tolist() == pytest.approx(expected, abs=5e-5)


def test_training_is_what_was_asked_for() -> None:
    assert raft.training(raft.Config(epochs=3, minibatches=2))[:2] == (3, 2)
