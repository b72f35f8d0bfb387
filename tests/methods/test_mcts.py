import numpy as np
import pytest
import torch
from torch.testing import assert_close

from overopt.methods.contract.search import Children
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Valued
from overopt.methods.selection import mcts


def test_bounds_by_hand() -> None:
    config = mcts.Config(exploration=0.5, unvisited=2.0)
    # c sqrt(2 ln 8 / n): n 2 gives .7210, n 5 gives .4560; n 0 gives 2
    children = Children(np.array([[0.1, 0.3, -1.0]]), np.array([[2, 5, 0]]), np.array([8]))
    assert mcts.priority(config, children)[0] == pytest.approx([0.8210, 0.7560, 1.0], abs=5e-5)
    first = Children(np.array([[0.1, 0.3]]), np.array([[0, 0]]), np.array([1]))
    assert mcts.priority(config, first)[0] == pytest.approx([2.1, 2.3])


def test_no_exploration_goes_by_values() -> None:
    config = mcts.Config(exploration=0.0, unvisited=0.0)
    children = Children(np.array([[0.1, 0.3, -1.0]]), np.array([[2, 5, 0]]), np.array([8]))
    assert mcts.priority(config, children)[0] == pytest.approx([0.1, 0.3, -1.0])


def test_leaves_are_preferred_by_value_over_temperature() -> None:
    found_RL = mcts.preference(mcts.Config(), np.array([[1.0, -0.5]]), 0.25)
    assert found_RL.tolist() == [[4.0, -2.0]]
    with pytest.raises(ValueError, match="above 0, got 0"):
        mcts.preference(mcts.Config(), np.zeros((1, 2)), 0.0)


def test_values_become_the_mean_reward_of_what_follows() -> None:
    mask_RT = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    valued = Valued(torch.zeros(2, 3), mask_RT, torch.tensor([2.0, -1.0]))
    target_RT = mcts.value_targets(mcts.Config(), valued)
    assert target_RT.tolist() == [[2.0, 2.0, 0.0], [-1.0, -1.0, -1.0]]
    loss_RT = mcts.value_loss(mcts.Config(), torch.ones(2, 3), target_RT)
    assert_close(loss_RT, torch.tensor([[0.5, 0.5, 0.5], [2.0, 2.0, 2.0]]))
    assert mcts.training(mcts.Config()) == Training(epochs=2, module_rate=10.0)
