"""Trees of one-token texts by hand, for the tests of methods that learn from searches."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.trees import Tree

from . import fresh

Families = Sequence[Sequence[Sequence[float]]]


def searched(
    value_BFC: Families, ended_BFC: Families, grown_BF: Sequence[Sequence[bool]], own: int = 2
) -> Rollout:
    """Trees of these values, which are their nodes' rewards too, beside samples of reward 0."""
    value = torch.tensor(value_BFC)
    tree = Tree(value, torch.tensor(ended_BFC) > 0, torch.tensor(grown_BF))
    rollout = fresh.rollout(torch.zeros(len(value), own))
    return rollout._replace(opponents=fresh.rollout(value.flatten(1)), tree=tree)
