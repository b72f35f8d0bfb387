"""Trees of partial answers that a policy in training has searched, as a method sees them."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Tree(NamedTuple):
    """The nodes of a search for each of B prompts, in families of C siblings as they grew.

    Node f C + c is sibling c of family f; there are at most as many families as walks, F. The
    prompt itself is no node.

    value_BFC: of each, in SDs of the initial policy; once it has grown children that were visited,
        their mean. ended_BFC: bool, whole responses, which have stopped or are as long as can be.
    grown_BF: bool, families that are there; in place of the others, which walks to an end did not
        grow, the first one stands again.
    """

    value_BFC: Tensor
    ended_BFC: Tensor
    grown_BF: Tensor
