"""iTool: on prompts that are hard for the policy, pairs of steps out of a tree search, and DPO.

Paper: Zeng et al. 2025, "iTool: Reinforced Fine-Tuning with Dynamic Deficiency Calibration for
Advanced Tool Use" (https://arxiv.org/abs/2501.09766): in each iteration the prompts of the highest
perplexity are picked; a tree is searched for each; of the children of every node the best and the
worst make a pair, where they differ enough; and a direct alignment loss is descended on these,
    L = -log sigmoid( beta (h_w - h_l) ),   h = log pi(y_k|x,y_<k) - log pi_0(y_k|x,y_<k)
with pi_0 the model at the iteration's start (equation number not verified). Rows are whole
prefixes: what precedes a pair of siblings is the same on both sides and leaves the margin. Checked
against the authors' code. With one walk of one step and no prompt left out it is iter-dpo on
``branch`` samples.
Deviations: perplexity is that of the policy's own samples, where the code takes the data set's
answers; the data set's easy-to-hard warm-up by likelihood is left out. A node's value is the
proxy's score of the text as it stands, then the mean of its children, in SDs, where the code has
rules on the reference answer, a simulation and a self-evaluation, added up. The search follows the
upper bound of mcts; the code's bonus is weighted by the likelihood of a step. No limit of how much
the sides may overlap, nor of the better one's value. The code's script takes SimPO's loss (beta
2.5, margin .5), its default DPO's (beta .1). A round is one rollout of the task's size.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.search import Children, Floats
from overopt.methods.contract.training import Training, given
from overopt.methods.math.pairing import best_and_worst
from overopt.methods.math.tree_search import upper_bound
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("sampled_logp", "searched_samples")


@dataclass(frozen=True)
class Config:
    """Settings of iTool."""

    beta: float = param(
        0.1, help="strength of the pull toward the reference", unit="1/nats", above=0.0
    )
    hard_share: float = param(
        0.5, help="share of a round's prompts that are learned", above=0.0, at_most=1.0
    )
    gap: float = param(0.0, help="how much siblings differ at least", unit="SDs", at_least=0.0)
    reanchor: bool = param(True, help="refer to the round's first policy, not the initial one")
    rollouts: int = param(5, help="walks down the tree", at_least=1)
    branch: int = param(3, help="children of a leaf that grows", at_least=1)
    steps: int = param(3, help="blocks that the longest response is cut into", at_least=1)
    exploration: float = param(0.7, help="c of the bound", unit="reward SDs", at_least=0.0)
    unvisited: float = param(
        1.0, help="bonus of a child not visited yet", unit="reward SDs", at_least=0.0
    )
    epochs: int = param(2, help="passes over a round's pairs", at_least=1)
    minibatches: int = param(2, help="gradient steps in each pass", at_least=1)


def training(config: Config) -> Training:
    """Inner epochs and minibatches of a round."""
    return Training(config.epochs, config.minibatches)


def priority(config: Config, children: Children) -> Floats:
    """Upper confidence bound of each child, (R, C).

    Args:
        config: exploration, unvisited.
        children: values in SDs of the reward, and visits.

    Reference:
        ReST-MCTS*, https://arxiv.org/abs/2406.03816; from the authors' code
    """
    return upper_bound(children, config.exploration, config.unvisited)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """The best and the worst child of every node of the hard prompts' trees.

    Args:
        config: hard_share, gap.
        rollout: trees of B prompts, and the log-probabilities of the policy's samples.

    Returns:
        Rows of nodes, shape (P,); none of siblings that differ by no more than the gap.

    Reference:
        iTool, https://arxiv.org/abs/2501.09766
    """
    tree = given(rollout.tree, "searched_samples")
    perplexity_B = (-rollout.sampled.mean_logp).exp().mean(-1)
    hard = max(1, round(config.hard_share * len(perplexity_B)))
    hard_B = perplexity_B >= perplexity_B.topk(hard).values[-1]
    value_BFC = tree.value_BFC
    differs_BF = value_BFC.amax(-1) - value_BFC.amin(-1) > config.gap
    counts_BF = tree.grown_BF & hard_B[:, None] & differs_BF
    pairs = best_and_worst((value_BFC * counts_BF.unsqueeze(-1)).flatten(0, 1))
    row_M = rollout.opponent_row_BM.flatten()
    return RowPairs(row_M[pairs.chosen_P], row_M[pairs.rejected_P])


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """DPO loss of each pair of siblings, nats, shape (B,).

    Args:
        config: beta, per nat; reanchor.
        batch: B pairs of texts up to a step, (B, T), which differ in that step alone.

    Reference:
        iTool, https://arxiv.org/abs/2501.09766
    """
    if config.reanchor:
        margin_B = batch.chosen.sampled_log_ratio - batch.rejected.sampled_log_ratio
    else:
        margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B)
