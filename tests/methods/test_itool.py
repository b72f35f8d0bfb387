from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.search import Children
from overopt.methods.iterative import iter_dpo, itool
from overopt.methods.selection import mcts

from . import fresh
from .trees import searched

OPEN = [[[0, 0, 0], [0, 0, 0]]]


def surprised(rollout: Rollout, logp_BN: list[list[float]]) -> Rollout:
    """The same, whose samples of one token have these log-probabilities."""
    logp = torch.tensor(logp_BN).unsqueeze(-1)
    return rollout._replace(sampled=rollout.sampled._replace(policy_logp=logp))


def test_siblings_make_pairs_on_hard_prompts() -> None:
    """Perplexities (e + e^3)/2 and e: the first prompt is hard. Samples are rows 0 to 3."""
    values = [[[1.0, 3.0, 2.0], [0.5, 0.5, 0.4]], [[5.0, 0.0, 1.0], [1.0, 2.0, 3.0]]]
    rollout = searched(values, OPEN * 2, [[True, True], [True, True]])
    rollout = surprised(rollout, [[-1.0, -3.0], [-1.0, -1.0]])
    built = itool.build(itool.Config(hard_share=0.5), rollout)
    assert (built.chosen_P.tolist(), built.rejected_P.tolist()) == ([5, 7], [4, 9])
    wide = itool.build(itool.Config(hard_share=0.5, gap=0.2), rollout)
    assert (wide.chosen_P.tolist(), wide.rejected_P.tolist()) == ([5], [4])
    every = itool.build(itool.Config(hard_share=1.0), rollout)
    assert (every.chosen_P.tolist(), every.rejected_P.tolist()) == ([5, 7, 10, 15], [4, 9, 11, 13])


def test_what_did_not_grow_and_what_is_equal_makes_no_pair() -> None:
    rollout = searched([[[1.0, 1.0, 1.0], [0.0, 5.0, 1.0]]], OPEN, [[True, False]])
    built = itool.build(itool.Config(), surprised(rollout, [[-1.0, -1.0]]))
    assert len(built.chosen_P) == len(built.rejected_P) == 0


def test_one_walk_of_one_step_is_iter_dpo_on_the_children() -> None:
    values = torch.tensor([[1.0, 3.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0], [7.0, 4.0, 7.0, 4.0]])
    tree = values[:, None].tolist()
    rollout = searched(tree, torch.ones(3, 1, 4).tolist(), [[True]] * 3, own=1)
    found = itool.build(itool.Config(hard_share=1.0), surprised(rollout, [[-1.0]] * 3))
    expected = iter_dpo.build(iter_dpo.Config(), fresh.rollout(values))
    assert torch.equal(found.chosen_P - 3, expected.chosen_P)
    assert torch.equal(found.rejected_P - 3, expected.rejected_P)


@pytest.mark.parametrize("reanchor", [True, False])
def test_loss_by_hand(reanchor: bool) -> None:
    """beta m = .1 (.3 + .1) = .04: log(1 + e^-.04) = .6733."""
    steps = ((0.3, 9.0), (-0.1, 9.0)) if not reanchor else ((9.0, 0.3), (9.0, -0.1))
    (found,) = itool.loss(itool.Config(reanchor=reanchor), fresh.sides(*steps)).tolist()
    assert found == pytest.approx(math.log1p(math.exp(-0.04)), abs=1e-6)


def test_a_shared_prefix_leaves_the_loss() -> None:
    """Both sides begin with a token whose log-ratio is .7; it neither counts nor is it learned."""
    prefix = torch.tensor([-1.0], requires_grad=True)

    def side(last: float) -> Reading:
        own = torch.stack([prefix, torch.tensor([last])], -1)
        start = torch.tensor([[-1.7, -2.0]])
        return Reading(own, start, torch.ones(1, 2), sampled_logp=start)

    found = itool.loss(itool.Config(), SamplePairs(side(-1.7), side(-2.1)))
    assert found.item() == pytest.approx(math.log1p(math.exp(-0.04)), abs=1e-6)
    (slope,) = torch.autograd.grad(found.sum(), prefix)
    assert slope.item() == pytest.approx(0.0, abs=1e-7)


def test_it_searches_as_mcts_does() -> None:
    children = Children(np.array([[1.0, 0.5]]), np.array([[1, 0]]), np.array([4]))
    found = itool.priority(itool.Config(), children)
    assert np.array_equal(found, mcts.priority(mcts.Config(), children))


def test_inner_steps() -> None:
    training = itool.training(itool.Config(epochs=3, minibatches=4))
    assert (training.epochs, training.minibatches) == (3, 4)
