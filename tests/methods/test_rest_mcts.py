from __future__ import annotations

import numpy as np
import pytest
import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.search import Children
from overopt.methods.contract.training import HiddenStates, StateShape
from overopt.methods.iterative import rest_mcts
from overopt.methods.selection import mcts

from . import corpus, fresh
from .three_responses import LOG_REFERENCE_R, REWARD_R
from .trees import searched


def test_finished_traces_are_kept_and_told_apart() -> None:
    """Two prompts, two families of two: samples are rows 0 to 3, nodes 4 to 11."""
    rollout = searched(
        [[[1.0, 0.2], [0.6, 0.5]], [[2.0, 3.0], [9.0, 9.0]]],
        [[[0, 0], [1, 1]], [[1, 1], [1, 1]]],
        [[True, True], [True, False]],
    )
    built = rest_mcts.build(rest_mcts.Config(success=0.6), rollout)
    assert built.row_K.tolist() == [6, 7, 8, 9]
    assert built.weight_K is not None and built.label_K is not None
    assert built.weight_K.tolist() == pytest.approx([0.6, 0.5, 2.0, 3.0])
    assert built.label_K.tolist() == [1.0, 0.0, 1.0, 1.0]


def test_a_search_without_an_end_leaves_nothing_to_learn() -> None:
    rollout = searched([[[1.0, 2.0]]], [[[0, 0]]], [[True]])
    assert len(rest_mcts.build(rest_mcts.Config(), rollout).row_K) == 0


def test_loss_by_hand() -> None:
    """Success: 1.5 + 2 (.5 (2 - 1)^2 + .5 (2 - 0)^2) = 6.5; a failure leaves the value alone."""
    logp = torch.tensor([[-0.5, -1.0, 0.0]]).repeat(2, 1)
    mask = torch.tensor([[1.0, 1.0, 0.0]]).repeat(2, 1)
    batch = Reading(logp, torch.zeros(2, 3), mask)._replace(
        output=torch.tensor([1.0, 0.0, 9.0]).repeat(2, 1).unsqueeze(-1),
        weight=torch.tensor([2.0, 2.0]),
        label=torch.tensor([1.0, 0.0]),
    )
    found = rest_mcts.loss(rest_mcts.Config(value_weight=2.0), batch)
    assert found.tolist() == pytest.approx([6.5, 5.0])


def test_a_round_leads_to_the_policy_among_the_successes() -> None:
    """One walk of one step: (.5, .3, .2) with rewards 0, 1, 2 and success 1 give (0, .6, .4)."""
    config = rest_mcts.Config(success=1.0, value_weight=0.0)
    reward_N = REWARD_R[corpus.DRAWN_N]
    ended = torch.ones(1, 1, 10).tolist()
    built = rest_mcts.build(config, searched(reward_N[None, None].tolist(), ended, [[True]], own=1))
    assert built.label_K is not None
    row_K, label_K = corpus.DRAWN_N[built.row_K - 1], built.label_K.double()

    def mean(logp_R: torch.Tensor) -> torch.Tensor:
        reading = fresh.read(logp_R, row_K)._replace(
            output=torch.zeros(10, 1, 1), weight=built.weight_K, label=label_K
        )
        return rest_mcts.loss(config, reading).mean()

    found = fresh.learned(mean, LOG_REFERENCE_R).exp()
    assert found.tolist() == pytest.approx([0.0, 0.6, 0.4], abs=1e-3)


def test_it_searches_as_mcts_does() -> None:
    """N = 4, n = (1, 0): 1 + .7 sqrt(2 ln 4) = 2.1655; a child not visited has its value + 1."""
    children = Children(np.array([[1.0, 0.5]]), np.array([[1, 0]]), np.array([4]))
    found = rest_mcts.priority(rest_mcts.Config(), children)
    assert found[0].tolist() == pytest.approx([2.1656, 1.5], abs=5e-5)
    assert np.array_equal(found, mcts.priority(mcts.Config(), children))


def test_the_value_has_seen_the_token_itself() -> None:
    head = rest_mcts.make_module(rest_mcts.Config(), StateShape(2, 3))
    before, after = torch.zeros(1, 4, 2, 3), torch.zeros(1, 4, 2, 3)
    after[0, 2, -1] = 1.0
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.add_(1.0)
    assert head(HiddenStates(before, after)).flatten().tolist() == [1.0, 1.0, 4.0, 1.0]
    assert rest_mcts.training(rest_mcts.Config(value_rate=3.0)).module_rate == 3.0
