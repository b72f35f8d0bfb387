"""What pairwise decisions say of a ranking: groups of ties, and the ranks that remain possible."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from overopt.stats.arrays import Bools


class RankRange(NamedTuple):
    """The ranks of one method that the decisions leave open; 1 is best."""

    best: int
    worst: int


def tie_groups(differs_MM: ArrayLike) -> list[tuple[int, ...]]:
    """Groups of methods of which no two differ: two methods share a group if and only if they tie.

    Each group is maximal: every method outside differs from one inside. A tie is not transitive,
    so that a method may be in several groups; one that differs from all others is alone in its
    own. The groups cover all ties, and are found greedily, since listing all maximal groups can
    take exponential time.

    Args:
        differs_MM: whether two methods differ, shape (M, M), symmetric, false on the diagonal;
            methods in the order in which groups are to be listed, best first.

    Returns:
        The groups, each in ascending order, ordered by their first members.

    Raises:
        ValueError: if the table is not square and symmetric, or a method differs from itself.

    Reference:
        Gramm, Guo, Hüffner, Niedermeier, Piepho and Schmid, "Algorithms for Compact Letter
        Displays", 2008: such a display is a cover of the graph of ties by cliques.
    """
    differs = _check(differs_MM)
    n = len(differs)
    covered = np.eye(n, dtype=np.bool_)
    groups: list[tuple[int, ...]] = []
    for one in range(n):
        # a method that ties with nobody is a group of its own
        partners = [other for other in range(n) if other != one and not differs[one, other]]
        starts = [(one, other) for other in partners if other > one] if partners else [(one,)]
        for start in starts:
            if len(start) == 2 and covered[start]:
                continue
            group = list(start)
            ties = ~differs[:, group].any(axis=1)  # with everyone in the group
            ties[group] = False
            while ties.any():
                added = int(ties.argmax())
                group.append(added)
                ties &= ~differs[:, added]
                ties[added] = False
            covered[np.ix_(group, group)] = True
            groups.append(tuple(sorted(group)))
    return sorted(set(groups))


def letters(groups: list[tuple[int, ...]], n: int) -> list[str]:
    """Each method's groups as letters, a for the first group; beyond 26, aa, ab and so on.

    Args:
        groups: as `tie_groups` returns them.
        n: methods.
    """
    return ["".join(_letter(i) for i, group in enumerate(groups) if m in group) for m in range(n)]


def rank_ranges(better_MM: ArrayLike) -> list[RankRange]:
    """The ranks that pairwise decisions leave open: 1 + those better .. M - those worse.

    Where the decisions keep the chance of any error below alpha, all true ranks lie in their
    ranges with a chance of at least 1 - alpha.

    Args:
        better_MM: whether the row's method was shown to be better than the column's.

    Raises:
        ValueError: if the table is not square, or two methods are each better than the other.

    Reference:
        Mogstad, Romano, Shaikh and Wilhelm, "Inference for Ranks with Applications to Mobility
        across Neighbourhoods and Academic Achievement across Countries", 2024.
    """
    better = np.asarray(better_MM, np.bool_)
    if better.ndim != 2 or better.shape[0] != better.shape[1]:
        raise ValueError(f"decisions must be a square table, got shape {better.shape}")
    if (better & better.T).any():
        raise ValueError("two methods cannot each be better than the other")
    n = len(better)
    beaten_by, beats = better.sum(axis=0), better.sum(axis=1)
    return [RankRange(1 + int(beaten_by[m]), n - int(beats[m])) for m in range(n)]


def _check(differs_MM: ArrayLike) -> Bools:
    differs = np.asarray(differs_MM, np.bool_)
    if differs.ndim != 2 or not np.array_equal(differs, differs.T) or differs.diagonal().any():
        raise ValueError("differences must be a symmetric table, and no method differs from itself")
    return differs


def _letter(number: int) -> str:
    """a .. z, then aa, ab ... in brackets, so that letters never run together."""
    if number < 26:
        return chr(ord("a") + number)
    return f"({_letter(number // 26 - 1)}{_letter(number % 26)})"
