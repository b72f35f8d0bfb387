"""ReST-MCTS*: learn the traces of tree searches that succeed, and what their prefixes are worth.

Paper: Zhang et al. 2024, "ReST-MCTS*: LLM Self-Training via Process Reward Guided Tree Search"
(https://arxiv.org/abs/2406.03816): in each round a tree is searched for every prompt by the rule of
mcts; the policy learns the finished traces that succeed by likelihood, and the value model that
leads the search is fitted anew to all of them, so that the next search is a better one:
    L = -1[ R >= success ] log pi(y|x) + v sum_t 1/2 (V_t - R)^2
(no equation numbers; the search and the filter by value checked against the authors' code.) With
one walk of one step it is rejection sampling, of as many samples as a node has children: a round
leads to pi(y | success), and KL grows by -log P(success).
Deviations: success is a reward of at least ``success`` by the proxy, not a right answer by gold
(the code also filters by the value, at .2). V is fitted to the reward of what a prefix became in
the search, in SDs of the reward, where the paper infers a quality from 0 to 1 out of the number of
steps that are left; exploration and bonus are in SDs with it. V is a linear map of the policy's
last hidden state, which its loss does not train, not a model of its own. A step is a block of
tokens; a trace is finished that has stopped in the tree or is as long as can be, and others are
left out. Siblings that are the same are all kept, where the code drops them. Traces are not
weighted by branch^-depth as in mcts: with several steps the search moves the policy even where all
rewards are the same, toward answers that end early if the tree leaves others unfinished. No
self-critique, no simulation from leaves; a round is one rollout, from which the policy goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from overopt.methods.contract.iterative import KeptRows
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.search import Children, Floats
from overopt.methods.contract.training import StateShape, Training, given
from overopt.methods.math.responses import log_likelihood
from overopt.methods.math.tree_search import ReachedHead, upper_bound
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("success", low=0.05, high=1.5, raises_kl=True)
USES_GOLD = "none"
INPUTS = ("policy_states", "searched_samples")


@dataclass(frozen=True)
class Config:
    """Settings of ReST-MCTS*."""

    success: float = param(0.5, help="least reward of a trace that is learned", unit="SDs")
    rollouts: int = param(4, help="walks down the tree", at_least=1)
    branch: int = param(3, help="children of a leaf that grows", at_least=1)
    steps: int = param(3, help="blocks that the longest response is cut into", at_least=1)
    exploration: float = param(0.7, help="c of the bound", unit="reward SDs", at_least=0.0)
    unvisited: float = param(
        1.0, help="bonus of a child not visited yet", unit="reward SDs", at_least=0.0
    )
    value_weight: float = param(1.0, help="v, weight of the value's loss", at_least=0.0)
    value_rate: float = param(10.0, help="value head's learning rate over the policy's", above=0.0)


def training(config: Config) -> Training:
    """The value head's relative learning rate."""
    return Training(module_rate=config.value_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The value head, 0 everywhere at first."""
    return ReachedHead(shape.width)


def priority(config: Config, children: Children) -> Floats:
    """Upper confidence bound of each child, (R, C).

    Args:
        config: exploration, unvisited.
        children: values in SDs of the reward, and visits.

    Reference:
        ReST-MCTS*, https://arxiv.org/abs/2406.03816; from the authors' code
    """
    return upper_bound(children, config.exploration, config.unvisited)


def build(config: Config, rollout: Rollout) -> KeptRows:
    """All finished traces of the trees, with their rewards and whether they succeed.

    Args:
        config: success.
        rollout: trees of B prompts, and the rewards of their nodes, SDs.

    Returns:
        Rows of nodes, shape (K,), rewards, and for labels 1 or 0.

    Reference:
        ReST-MCTS*, https://arxiv.org/abs/2406.03816
    """
    tree = given(rollout.tree, "searched_samples")
    nodes = given(rollout.opponents, "searched_samples")
    finished_BM = (tree.ended_BFC & tree.grown_BF.unsqueeze(-1)).flatten(1)
    reward_K = nodes.reward_BN[finished_BM]
    succeeds_K = (reward_K >= config.success).to(reward_K)
    return KeptRows(rollout.opponent_row_BM[finished_BM], reward_K, label_K=succeeds_K)


def loss(config: Config, batch: Reading) -> Tensor:
    """Likelihood of what succeeds, and squared error of the values on the way, shape (B,).

    Args:
        config: value_weight.
        batch: log-probabilities (B, T), values (B, T, 1), rewards (B,), successes (B,).

    Reference:
        ReST-MCTS*, https://arxiv.org/abs/2406.03816
    """
    value_BT = given(batch.output, "policy_states").squeeze(-1)
    error_BT = value_BT - given(batch.weight, "weight_K of build")[:, None]
    values_B = (0.5 * error_BT.square() * batch.mask).sum(-1)
    learned_B = -given(batch.label, "label_K of build") * log_likelihood(batch)
    return learned_B + config.value_weight * values_B
