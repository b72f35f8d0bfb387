"""Which averages of reward models are examined, as shares of each member.

Reference:
    WARM: On the Benefits of Weight Averaged Reward Models, https://arxiv.org/abs/2401.12187:
    two members between shares 0 and 1 (figures 3 and 4), and members added one after the other
    (figure 10).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from overopt.stats.arrays import Floats

SHARES = (0.25, 0.5, 0.75)
"""Of the second of two members; at 0 and 1 there is one member, and nothing to compare."""

WEIGHTS, PREDICTIONS, MEMBERS = "weights", "predictions", "members"
"""What is averaged; of members, their accuracies."""

BEST, RANDOM, WORST = "best first", "random order", "worst first"


def at_share(of: str, share: float) -> str:
    """What is averaged, at a share of the second member."""
    return f"{of} at {share:g}"


def pairs_of(members: int, share: float) -> list[Floats]:
    """Shares (M,) of all members for each two that follow each other: 0 and 1, 2 and 3, ..."""
    found = []
    for first in range(0, members - 1, 2):
        share_M = np.zeros(members)
        share_M[first : first + 2] = 1.0 - share, share
        found.append(share_M)
    return found


def uniform(chosen: Sequence[int], members: int) -> Floats:
    """Equal shares of some members, (M,)."""
    share_M = np.zeros(members)
    share_M[list(chosen)] = 1.0 / len(chosen)
    return share_M


def orders_of(accuracy_M: Sequence[float], rng: np.random.Generator) -> dict[str, list[int]]:
    """Members in the order in which they are added, by the accuracies that rank them.

    Of equal ones the first is better.
    """
    best = np.argsort(-np.asarray(accuracy_M), kind="stable").tolist()
    drawn = rng.permutation(len(best)).tolist()
    return {BEST: best, RANDOM: drawn, WORST: best[::-1]}
