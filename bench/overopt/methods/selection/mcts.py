"""Tree search by learned values: partial answers grow where an upper confidence bound leads.

Paper: Zhang et al. 2024, "ReST-MCTS*: LLM Self-Training via Process Reward Guided Tree Search"
(https://arxiv.org/abs/2406.03816), the search MCTS*; rule from the authors' code, equation numbers
not verified. ``rollouts`` times, from the root down to the child of the largest
    V + c sqrt(2 ln N / n),   N visits of the parent, n of the child,   or V + 1 where n = 0;
the leaf there grows ``branch`` children, whose V a value model gives, and every node on the way
becomes the visit-weighted mean of its children. The answer is the leaf of the largest V.
What it returns is a draw of the initial policy that survived selection: the suite measures this
search itself, by conditional runs, and trains no policy on it (no self-training). With one rollout
and one step it is soft best-of-n, n = branch.
Deviations: a leaf of depth d is drawn in proportion to branch^-d exp(V / T), and T is the knob, at
fixed rollouts: T -> 0 is the paper's, T -> infinity the initial policy. V is learned as the mean
proxy reward of what follows a prefix, on samples of the initial policy and not on earlier searches'
traces; what has ended has its proxy reward. No simulation from a new leaf (its V stands alone), no
self-critique, and no early end at a V that is high enough. V, c and the 1 are in SDs of the reward,
V not in (0, 1). A step is a block of tokens. Equal children are not merged. A leaf that has not
ended is finished by the initial policy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from overopt.methods.contract.search import Children, Floats
from overopt.methods.contract.training import Training
from overopt.methods.contract.values import Valued
from overopt.methods.math.tree_search import upper_bound
from overopt.spec.declare import knob, param

FAMILY = "selection"
KNOB = knob("temperature", low=0.02, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of tree search."""

    rollouts: int = param(8, help="walks down the tree", at_least=1)
    branch: int = param(3, help="children of a leaf that grows", at_least=1)
    steps: int = param(3, help="blocks that the longest response is cut into", at_least=1)
    exploration: float = param(0.7, help="c of the bound", unit="reward SDs", at_least=0.0)
    unvisited: float = param(
        1.0, help="bonus of a child not visited yet", unit="reward SDs", at_least=0.0
    )
    epochs: int = param(2, help="passes over each batch of samples", at_least=1)
    value_rate: float = param(10.0, help="learning rate of V over the task's", above=0.0)


def training(config: Config) -> Training:
    """Passes over each batch, and V's relative learning rate."""
    return Training(epochs=config.epochs, module_rate=config.value_rate)


def value_targets(config: Config, valued: Valued) -> Tensor:
    """The reward of the whole response at each of its tokens, so that V is its mean, (R, T)."""
    return valued.reward_R[:, None] * valued.mask_RT


def value_loss(config: Config, value_RT: Tensor, target_RT: Tensor) -> Tensor:
    """Half the squared error of each token, in squared SDs of the reward, (R, T)."""
    return 0.5 * (value_RT - target_RT).square()


def priority(config: Config, children: Children) -> Floats:
    """Upper confidence bound of each child, (R, C).

    Args:
        config: exploration, unvisited.
        children: values in SDs of the reward, and visits.

    Reference:
        ReST-MCTS*, https://arxiv.org/abs/2406.03816; from the authors' code
    """
    return upper_bound(children, config.exploration, config.unvisited)


def preference(config: Config, value_RL: Floats, knob: float) -> Floats:
    """Log weight of each leaf at the end: its V over the temperature, (R, L).

    Args:
        config: unused here.
        value_RL: V of each leaf, in SDs of the reward.
        knob: T, above 0, in the same SDs.

    Raises:
        ValueError: if the temperature is not above 0.
    """
    if not knob > 0:
        raise ValueError(f"the temperature of a search must be above 0, got {knob}")
    return np.asarray(value_RL / knob, np.float64)
