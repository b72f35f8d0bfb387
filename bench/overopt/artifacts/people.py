"""How pairs are shared out among people, and what a rate of noise by group does to labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from overopt.errors import UserError
from overopt.spec.labeling import PopulationSpec
from overopt.spec.noise import NoiseSpec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def share_out(
    shares: Sequence[float], pairs: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """The part of each pair, (P,), from 0: parts as large as their shares say, to one pair.

    Args:
        shares: of the parts; they add up to 1.
        pairs: P.
        rng: decides which pairs.
    """
    edges = np.round(np.cumsum(shares) * pairs).astype(np.int64)
    part_P = np.searchsorted(edges, np.arange(pairs), side="right")
    return np.asarray(rng.permutation(np.minimum(part_P, len(shares) - 1)), np.int64)


def opinions(
    terms: Mapping[str, Floats], people: Sequence[PopulationSpec], part_P: npt.NDArray[np.int64]
) -> Floats:
    """By how much the first response of each pair is better to whom it was given, (P,).

    sum over terms of w term: w is the population's weight of the term, 1 where it names none.

    Args:
        terms: of each term of the gold rule, the first response's less the second's, (P,).
        people: the populations.
        part_P: the population of each pair.

    Raises:
        UserError: a weight is of a term that the rule does not have.
    """
    for one in people:
        strange = sorted(set(one.weights) - set(terms))
        if strange:
            raise UserError(
                f"labels.annotators {one.name}: the gold rule has no term {', '.join(strange)}; "
                f"its terms are {', '.join(terms)}."
            )
    weight_AK = np.array([[one.weights.get(name, 1.0) for name in terms] for one in people])
    term_PK = np.stack(list(terms.values()), axis=1)
    better_P: Floats = (weight_AK[part_P] * term_PK).sum(axis=1)
    return better_P


def spoil_by_group(
    first_P: Flags,
    group_P: npt.NDArray[np.int64],
    factors: Sequence[float],
    noise: NoiseSpec,
    rng: np.random.Generator,
) -> Flags:
    """Labels through noise whose rate depends on the group of the prompt.

    In each group exactly the run's rate times the group's factor of the pairs is flipped, or
    relabeled by a coin.

    Args:
        first_P: labels without noise.
        group_P: group of each pair, from 0.
        factors: of each group.
        noise: of kind flip or random.
        rng: decides which pairs.
    """
    spoiled_P = first_P.copy()
    for group, factor in enumerate(factors):
        mine = rng.permutation(np.flatnonzero(group_P == group))
        touched = mine[: round(noise.amount * factor * len(mine))]
        other = ~first_P[touched]
        spoiled_P[touched] = rng.random(len(touched)) < 0.5 if noise.kind == "random" else other
    return spoiled_P
