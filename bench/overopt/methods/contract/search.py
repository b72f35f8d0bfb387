"""Tree search: partial answers are nodes, grown where a search by their values leads.

The engine grows a tree in every run. It starts at the prompt, and ``rollouts`` times it walks down
to the child of the highest ``priority``, ties at random, until it stands at a leaf; grows
``branch`` children from it, each a block of tokens of the initial policy, unless the leaf has
ended; values them; and lets every node on the way have the mean value of its children, weighted by
their visits. Values are learned (``contract.values``) where the method says so, else the proxy's
score of the answer as it stands; what has ended has the proxy's score. Last, a leaf of depth d is
drawn with a chance in proportion to branch^-d exp(``preference``), and the initial policy goes on
from it to the end; without a preference, that is the initial policy.

Three fields of the method's Config are counts from 1: ``rollouts``; ``branch``; ``steps``, into how
many equal blocks of tokens the longest response is cut.

An iterative method with INPUTS ``searched_samples`` learns from such trees of the policy itself,
one for each prompt of a round: it supplies ``priority`` and these fields, and has the nodes for
opponents, with what is known of them beside (``contract.trees``). Its values are what its own
module says at a node's last token, where it has one.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Children(NamedTuple):
    """The C children of one node in each of R runs.

    value_RC: of each child, in SDs of the initial policy; once it has grown children that were
        visited, their mean. visits_RC: how often a walk came by or ended there. parent_R: the same
        of their parent.
    """

    value_RC: Floats
    visits_RC: Ints
    parent_R: Ints


class WalkingMethod(Protocol):
    """A method that leads walks down a tree."""

    def priority(self, config: Any, children: Children, /) -> Floats:
        """How much each child deserves to be next, (R, C), finite.

        It may depend on all of them, but not on their order, which is what the KL of the policy
        rests on.
        """
        ...


class SearchMethod(WalkingMethod, Protocol):
    """A method that searches a tree of partial answers, and draws its answer among the leaves."""

    def preference(self, config: Any, value_RL: Floats, knob: float, /) -> Floats:
        """Log weight of each leaf at the end, (R, L), up to a constant of its run.

        Of each leaf by its own value alone: runs have different numbers of leaves, and the engine
        gives what is none no weight.
        """
        ...
