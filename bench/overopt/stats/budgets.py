"""When a policy meets a KL budget, for every search, table and test that speaks of budgets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

Read = TypeVar("Read")

MET_WITHIN = 0.1
"""A budget is met by a policy whose sqrt(KL) is within this fraction of the budget's."""


def budget_gap(kl_nats: float, budget_nats: float) -> float:
    """|sqrt(KL / budget) - 1|, how far a policy is from a budget; a KL below 0 counts as 0.

    Args:
        kl_nats: KL of the policy, nats.
        budget_nats: the budget, nats, above 0.
    """
    return abs(math.sqrt(max(kl_nats, 0.0) / budget_nats) - 1.0)


def is_met(kl_nats: float, budget_nats: float) -> bool:
    """Whether a policy of this KL meets the budget; see ``MET_WITHIN``."""
    return budget_gap(kl_nats, budget_nats) <= MET_WITHIN


def last_shared(
    mine: Mapping[float, Read], theirs: Mapping[float, Read]
) -> tuple[float, Read, Read] | None:
    """The largest budget that both met, nats, and what is read there of each; None without one."""
    at = max(mine.keys() & theirs.keys(), default=None)
    return None if at is None else (at, mine[at], theirs[at])
