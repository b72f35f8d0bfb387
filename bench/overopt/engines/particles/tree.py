"""A search in a tree of partial answers, and what makes its answers likelier than they were.

Every child is a fresh draw of the initial policy, siblings are told apart by nothing but what they
say, and ties are broken at random. So each of the b^d places that a leaf of depth d can have is as
likely to hold an answer's beginning and to be drawn, and with y grown in one of them,

    pi(y) / pi_ref(y) = E[ sum over d of b^d W_d ],

W_d being the chance that the last draw takes the node of y at depth d, 0 where it is no leaf; the
initial policy goes on from it to y as it would have. One run has one leaf on the way to y. So the
estimates of particle filters (``engines.particles.likelihood``) serve here as well: a run in which
y grows is a conditional run, and its share is b^d W_d. A leaf's weight is b^-d times what the
method prefers, so that without a preference every share is 1, whatever the tree looks like.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import log_softmax
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.method.search import OpenedSearch
from overopt.engines.particles.filter import Answers, append
from overopt.methods.contract.search import Children
from overopt.models.sampling import sample
from overopt.stats.arrays import Bools, Ints
from overopt.worlds.tokens import PAD, Tokens

Value = Callable[[Tokens, Tokens], npt.NDArray[np.float64]]
"""Value (N,) of N partial answers to their prompts, in SDs of the initial policy."""


class Forest:
    """R trees of the same number of nodes at most, which are numbered in the order they grew.

    ids_RMT, length_RM: tokens of each node from the response's start. depth_RM: blocks. done_RM:
    ended, or as long as can be. value_RM, visits_RM: see ``contract.search``. first_RM: number of
    the first child, 0 for a leaf; children are neighbors. parent_RM. kept_RM: on the way to the
    answer that is kept. used_R: nodes so far.
    """

    def __init__(self, runs: int, nodes: int, tokens_max: int) -> None:
        self.ids_RMT = np.full((runs, nodes, tokens_max), PAD, np.int32)
        self.length_RM = np.zeros((runs, nodes), np.int32)
        self.depth_RM, self.visits_RM, self.first_RM, self.parent_RM = (
            np.zeros((runs, nodes), np.int64) for _ in range(4)
        )
        self.done_RM, self.kept_RM = (np.zeros((runs, nodes), np.bool_) for _ in range(2))
        self.value_RM = np.zeros((runs, nodes))
        self.used_R = np.ones(runs, np.int64)

    @property
    def leaf_RM(self) -> Bools:
        """Nodes that are there and have no children."""
        there_RM = np.arange(self.first_RM.shape[1]) < self.used_R[:, None]
        leaf_RM: Bools = there_RM & (self.first_RM == 0)
        return leaf_RM


class TreeSearch:
    """A method's tree search, with the initial policy and the values that it runs on.

    Args:
        method: opened.
        policy: the initial policy, from which answers grow.
        value: of partial answers.
        reward: the proxy, of answers that have ended.
        tokens_max: longest response, T.
        stop_ids: tokens that end a response.
    """

    def __init__(
        self,
        method: OpenedSearch,
        policy: PreTrainedModel,
        value: Value,
        reward: Reward,
        tokens_max: int,
        stop_ids: tuple[int, ...],
    ) -> None:
        self._method, self._policy, self._value, self._reward = method, policy, value, reward
        self._tokens_max, self._stop_ids = tokens_max, stop_ids
        self._block = -(-tokens_max // method.steps)
        self._depth_max = -(-tokens_max // self._block)
        self.count = method.rollouts * method.branch

    def run(
        self,
        prompts: Tokens,
        knob: float,
        generator: torch.Generator,
        rng: np.random.Generator,
        kept: Tokens | None = None,
    ) -> Answers:
        """One answer to each of R prompts.

        Args:
            prompts: R of them, repeats included.
            knob: of the method.
            generator: of the tokens. rng: of ties, and of who is drawn.
            kept: responses, one for each run: in every run one child of each node on its way grows
                into it, and it is the answer, whichever leaf is drawn (a conditional run).
        """
        trees = self.grow(prompts, generator, rng, kept)
        runs = prompts.rows()
        row_R = np.arange(runs)
        leaf_RM = trees.leaf_RM
        places_RM = trees.depth_RM * np.log(self._method.branch)
        weight_RM = self._method.preference(trees.value_RM, knob) - places_RM
        chance_RM = log_softmax(np.where(leaf_RM, weight_RM, -np.inf), axis=1)
        share_RM = places_RM + chance_RM
        if kept is not None:
            on_way_R = (leaf_RM & trees.kept_RM).argmax(axis=1)
            return Answers(kept, share_RM[row_R, on_way_R])
        edge_RM = np.exp(chance_RM).cumsum(axis=1)
        uniform_R1 = rng.random((runs, 1)) * edge_RM[:, -1:]
        chosen_R = (uniform_R1 >= edge_RM).sum(axis=1)
        return Answers(self._finish(trees, prompts, chosen_R, generator), share_RM[row_R, chosen_R])

    def grow(
        self,
        prompts: Tokens,
        generator: torch.Generator,
        rng: np.random.Generator,
        kept: Tokens | None = None,
    ) -> Forest:
        """A tree for each of R prompts; arguments as those of ``run``."""
        runs = prompts.rows()
        trees = Forest(runs, 1 + self._method.rollouts * self._method.branch, self._tokens_max)
        trees.kept_RM[:, 0] = kept is not None
        row_R = np.arange(runs)
        for _ in range(self._method.rollouts):
            node_R = self._walk(trees, rng)
            grows_R = ~trees.done_RM[row_R, node_R]
            self._grow(trees, prompts, node_R, np.flatnonzero(grows_R), generator, kept)
            self._back_up(trees, node_R)
        return trees

    def _walk(self, trees: Forest, rng: np.random.Generator) -> Ints:
        """The leaf that each run's walk ends at."""
        node_R = np.zeros(len(trees.used_R), np.int64)
        branch_C = np.arange(self._method.branch)
        for _ in range(self._depth_max):
            row_K = np.flatnonzero(trees.first_RM[np.arange(len(node_R)), node_R] > 0)
            if not len(row_K):
                break
            here_K = node_R[row_K]
            child_KC = trees.first_RM[row_K, here_K][:, None] + branch_C
            children = Children(
                trees.value_RM[row_K[:, None], child_KC],
                trees.visits_RM[row_K[:, None], child_KC],
                trees.visits_RM[row_K, here_K],
            )
            priority_KC = self._method.priority(children)
            best_KC = priority_KC == priority_KC.max(axis=1, keepdims=True)
            picked_K = np.where(best_KC, rng.random(best_KC.shape), -1.0).argmax(axis=1)
            node_R[row_K] = child_KC[np.arange(len(row_K)), picked_K]
        return node_R

    def _grow(
        self,
        trees: Forest,
        prompts: Tokens,
        node_R: Ints,
        row_K: Ints,
        generator: torch.Generator,
        kept: Tokens | None,
    ) -> None:
        """Children of one leaf in some of the runs, valued."""
        branch = self._method.branch
        first_K, here_K = trees.used_R[row_K], node_R[row_K]
        trees.first_RM[row_K, here_K] = first_K
        trees.used_R[row_K] += branch
        run_P, parent_P = np.repeat(row_K, branch), np.repeat(here_K, branch)
        node_P = (first_K[:, None] + np.arange(branch)).ravel()
        ids_PT = trees.ids_RMT[run_P, parent_P]
        length_P = trees.length_RM[run_P, parent_P]
        depth_P = trees.depth_RM[run_P, parent_P] + 1
        is_kept_P = trees.kept_RM[run_P, parent_P] & (np.arange(len(run_P)) % branch == 0)
        self._extend(ids_PT, length_P, prompts.take(run_P), ~is_kept_P, self._block, generator)
        if kept is not None:
            told_P = np.minimum(kept.length_N[run_P], depth_P * self._block)
            width = kept.ids_NT.shape[1]
            shown_PT = np.where(np.arange(width) < told_P[:, None], kept.ids_NT[run_P], PAD)
            ids_PT[is_kept_P, :width] = shown_PT[is_kept_P]
            length_P = np.where(is_kept_P, told_P, length_P).astype(np.int32)
        grown = Tokens(ids_PT, length_P)
        done_P = grown.ends_with(self._stop_ids) | (length_P == self._tokens_max)
        value_P = np.empty(len(run_P))
        for chosen_P, score in ((done_P, self._reward), (~done_P, self._value)):
            some = np.flatnonzero(chosen_P)
            if len(some):
                value_P[some] = score(prompts.take(run_P[some]), grown.take(some))
        trees.ids_RMT[run_P, node_P], trees.length_RM[run_P, node_P] = ids_PT, length_P
        trees.depth_RM[run_P, node_P], trees.parent_RM[run_P, node_P] = depth_P, parent_P
        trees.done_RM[run_P, node_P], trees.kept_RM[run_P, node_P] = done_P, is_kept_P
        trees.value_RM[run_P, node_P] = value_P

    def _extend(
        self,
        ids_PT: npt.NDArray[np.int32],
        length_P: npt.NDArray[np.int32],
        asked: Tokens,
        grows_P: Bools,
        most: int,
        generator: torch.Generator,
    ) -> None:
        """Up to so many further tokens of the initial policy for rows that have not ended."""
        before_P = length_P.copy()  # what has grown to a length is not what began at it
        for here in np.unique(before_P[grows_P]).tolist():
            row_K = np.flatnonzero(grows_P & (before_P == here))
            new = min(most, self._tokens_max - here)
            begun = append(asked.take(row_K), ids_PT[row_K, :here])
            drawn = sample(self._policy, begun, 1, new, generator).responses
            ids_PT[row_K, here : here + drawn.ids_NT.shape[1]] = drawn.ids_NT
            length_P[row_K] = here + drawn.length_N

    def _back_up(self, trees: Forest, node_R: Ints) -> None:
        """A visit more for every node from the leaf up, and the mean value of visited children."""
        here_R = node_R.copy()
        active_R = np.ones(len(node_R), np.bool_)
        branch_C = np.arange(self._method.branch)
        while active_R.any():
            row_K = np.flatnonzero(active_R)
            at_K = here_R[row_K]
            trees.visits_RM[row_K, at_K] += 1
            first_K = trees.first_RM[row_K, at_K]
            child_KC = first_K[:, None] + branch_C * (first_K > 0)[:, None]
            visits_KC = trees.visits_RM[row_K[:, None], child_KC] * (first_K > 0)[:, None]
            total_K = visits_KC.sum(axis=1)
            summed_K = (visits_KC * trees.value_RM[row_K[:, None], child_KC]).sum(axis=1)
            mean_K = summed_K / np.maximum(total_K, 1)
            trees.value_RM[row_K, at_K] = np.where(total_K > 0, mean_K, trees.value_RM[row_K, at_K])
            active_R[row_K] = at_K > 0
            here_R[row_K] = trees.parent_RM[row_K, at_K]

    def _finish(
        self, trees: Forest, prompts: Tokens, chosen_R: Ints, generator: torch.Generator
    ) -> Tokens:
        """What the chosen leaves say, and what the initial policy says behind them."""
        row_R = np.arange(len(chosen_R))
        ids_RT, length_R = trees.ids_RMT[row_R, chosen_R], trees.length_RM[row_R, chosen_R]
        goes_on_R = ~trees.done_RM[row_R, chosen_R]
        self._extend(ids_RT, length_R, prompts, goes_on_R, self._tokens_max, generator)
        return Tokens(ids_RT, length_R)
