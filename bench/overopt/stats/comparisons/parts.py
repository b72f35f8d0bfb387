"""What a difference between two methods is made of."""

from __future__ import annotations

from typing import Literal, NamedTuple

from overopt.stats.error_parts import ErrorPart

Pairing = Literal["nothing", "prompts", "seeds", "seeds and prompts"]
"""What two methods are paired by, the weakest first."""

WEAKEST: tuple[Pairing, ...] = ("nothing", "prompts", "seeds", "seeds and prompts")


class Paired(NamedTuple):
    """The difference of two methods in one world.

    Attributes:
        mean: x - y.
        parts: of its squared standard error; empty where nothing tells it.
        by: what it was taken within.
        n_seeds: seeds behind it.
    """

    mean: float
    parts: tuple[ErrorPart, ...]
    by: Pairing
    n_seeds: int


class Difference(NamedTuple):
    """A mean difference between two methods with its two-sided test.

    Attributes:
        mean: x - y; of several worlds, the mean of their means.
        low: lower bound of the 95 % interval; None where there is no standard error.
        high: upper bound, likewise.
        se: standard error of the mean, likewise.
        p: two-sided p value of no difference, not corrected for other comparisons; None without a
            standard error, and where all differences are one and the same number other than 0.
        parts: of the squared standard error (`overopt.stats.error_parts`).
        paired_by: what it was taken within; of several worlds, the weakest.
        n_seeds: seeds behind it, of all worlds together.
        n_worlds: worlds behind it.
        across_worlds: whether worlds are taken for random; if not, it holds for these worlds only.
    """

    mean: float
    low: float | None
    high: float | None
    se: float | None
    p: float | None
    parts: tuple[ErrorPart, ...]
    paired_by: Pairing
    n_seeds: int
    n_worlds: int
    across_worlds: bool
