"""Trees that a policy searches during training: what of them a method is handed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from overopt.engines.iterative import optimize_iterative
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.sample_data import RolloutRow
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.iterative import KeptRows, RowPairs, SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import itool, rest_mcts
from overopt.worlds.tokens import Tokens

from . import tiny


class Watched:
    """A method that searches, and records what it is handed."""

    __name__ = "watched"

    def __init__(self, method: Any) -> None:
        self._method = method
        for name in ("Config", "INPUTS", "training", "priority", "make_module"):
            if hasattr(method, name):
                setattr(self, name, getattr(method, name))
        self.rollouts: list[Rollout] = []
        self.read: list[Reading | SamplePairs] = []

    def build(self, config: Any, rollout: Rollout, /) -> KeptRows | RowPairs:
        self.rollouts.append(rollout)
        built: KeptRows | RowPairs = self._method.build(config, rollout)
        return built

    def loss(self, config: Any, batch: Any, /) -> Tensor:
        self.read.append(batch)
        loss: Tensor = self._method.loss(config, batch)
        return loss


def run(
    method: Any, config: Any, max_steps: int = 3, learning_rate: float = 1e-2, **changes: Any
) -> Trajectory:
    reference = tiny.policy()
    inputs = replace(tiny.run_inputs(tiny.twin(reference), reference), **changes)
    settings = tiny.ROLLOUT.model_copy(
        update={"max_steps": max_steps, "learning_rate": learning_rate}
    )
    return optimize_iterative(OpenedIterative(method, config), settings, inputs)


def test_nodes_are_opponents_with_what_is_known_of_them() -> None:
    config = rest_mcts.Config(rollouts=4, branch=3, steps=2, success=-9.0)
    method: Any = Watched(rest_mcts)
    trajectory = run(method, config)
    # of 3 x 8 prompts: 4 samples each, and 3 nodes for each of the 68 families that were grown
    assert len(method.rollouts) == 3 and trajectory.compute.samples_drawn == 3 * 8 * 4 + 3 * 68
    assert sum(int(rollout.tree.grown_BF.sum()) for rollout in method.rollouts) == 68
    for rollout in method.rollouts:
        tree, nodes = rollout.tree, rollout.opponents
        assert tree is not None and nodes is not None
        assert tree.value_BFC.shape == tree.ended_BFC.shape == (8, 4, 3)
        assert tree.grown_BF.shape == (8, 4) and tree.grown_BF[:, 0].all()
        assert nodes.reward_BN.shape == (8, 12)
        ended_BM = (tree.ended_BFC & tree.grown_BF.unsqueeze(-1)).flatten(1)
        assert ended_BM.any() and not ended_BM.all()
        # what has ended is worth what the proxy says of it, however often a walk came by
        assert torch.equal(tree.value_BFC.flatten(1)[ended_BM], nodes.reward_BN[ended_BM])
        absent_BF = ~tree.grown_BF
        first = tree.value_BFC[:, :1].expand_as(tree.value_BFC)
        assert torch.equal(tree.value_BFC[absent_BF], first[absent_BF])


def test_only_what_was_grown_counts() -> None:
    """All children of the first walk have ended, so that three further walks grow nothing."""
    once, more = (
        run(rest_mcts, rest_mcts.Config(rollouts=rollouts, steps=1), max_steps=2).compute
        for rollouts in (1, 4)
    )
    assert once == more
    assert once.samples_drawn == 2 * 8 * (4 + 3)


def test_where_nothing_is_preferred_every_answer_is_learned_and_none_grows_shorter() -> None:
    """One walk of one step: those that the token limit cuts are answers like any others."""

    def constant(asked: Tokens, responses: Tokens) -> Any:
        return np.ones(responses.rows())

    method: Any = Watched(rest_mcts)
    config = rest_mcts.Config(rollouts=1, branch=12, steps=1, success=0.5)
    rows = [
        row
        for row in run(method, config, 40, 3e-3, reward=constant).rows
        if isinstance(row, RolloutRow)
    ]
    cut = 0
    for rollout, read in zip(method.rollouts, method.read, strict=True):
        assert rollout.tree.ended_BFC.all()
        assert isinstance(read, Reading) and read.label is not None
        assert read.label.tolist() == [1.0] * 8 * 12
        cut += int((read.mask.sum(-1) == tiny.MAX_NEW_TOKENS).sum())
    assert cut > 1000
    first, last = (
        float(np.mean([row.length_mean for row in part])) for part in (rows[:5], rows[-5:])
    )
    assert last == pytest.approx(first, abs=1.0)


def test_values_are_the_modules_once_it_has_learned() -> None:
    """At first the module says 0 of every text that has not ended; later it does not."""
    config = rest_mcts.Config(rollouts=1, branch=4, steps=4, success=-9.0, value_rate=100.0)
    method: Any = Watched(rest_mcts)
    run(method, config)
    open_values = [rollout.tree.value_BFC[~rollout.tree.ended_BFC] for rollout in method.rollouts]
    assert len(open_values[0]) and not open_values[0].any()
    assert (open_values[-1] != 0).all()


def test_without_a_module_values_are_the_proxys() -> None:
    """One walk: no node has children, so that each is worth its own score."""
    config = itool.Config(rollouts=1, branch=3, steps=2, hard_share=1.0)
    method: Any = Watched(itool)
    run(method, config)
    for rollout in method.rollouts:
        assert torch.equal(rollout.tree.value_BFC.flatten(1), rollout.opponents.reward_BN)


def test_siblings_differ_in_their_last_block_alone() -> None:
    """Up to there their log-probabilities are the same, so that they leave the margin."""
    config = itool.Config(rollouts=6, branch=3, steps=4, hard_share=1.0, epochs=1, minibatches=1)
    method: Any = Watched(itool)
    run(method, config)
    shared = 0
    block = -(-tiny.run_inputs(tiny.policy(), tiny.policy()).max_new_tokens // config.steps)
    for pairs in method.read:
        assert isinstance(pairs, SamplePairs)
        length_B = torch.minimum(pairs.chosen.mask.sum(-1), pairs.rejected.mask.sum(-1))
        for number, length in enumerate(length_B.long().tolist()):
            before = (length - 1) // block * block
            chosen, rejected = (side.policy_logp[number, :before] for side in pairs)
            assert torch.allclose(chosen, rejected, atol=1e-5)
            shared += before
    assert shared > 0


def test_one_seed_is_one_run() -> None:
    config = rest_mcts.Config(rollouts=3, branch=2, steps=2, success=0.0)
    once, again = (run(rest_mcts, config, max_steps=2).rows for _ in range(2))
    assert once == again


def test_a_value_that_is_not_finite_is_refused() -> None:
    def nothing(*_: Any) -> Any:
        return np.full(_[1].rows(), np.nan)

    with pytest.raises(FloatingPointError, match="not finite"):
        run(itool, itool.Config(rollouts=1, branch=2, steps=2), reward=nothing)
