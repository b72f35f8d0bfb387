"""How far somebody gets who adds weak entries or chooses seeds: simulated with the ranking's tests.

An entry's score in a cell is its true height plus what world and seed do to all entries alike,
which pairing takes away, plus noise of its own: SD ``TAU`` by world and 1 by seed. Differences are
told in SDs of the noise of one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.stats.comparisons.differences import difference, paired_by_seed
from overopt.stats.intervals import adjust_holm

Floats = npt.NDArray[np.float64]
TAU = 0.3
ALPHA = 0.05


class Design(NamedTuple):
    """Worlds, and seeds in each."""

    worlds: int
    seeds: int


def draw(rng: np.random.Generator, height_M: Sequence[float], design: Design) -> Floats:
    """Scores, shape (M, W, S)."""
    shape = len(height_M), design.worlds, design.seeds
    # in a single world its effect is no accident: a verdict there is about that world
    tau = TAU if design.worlds > 1 else 0.0
    own = tau * rng.normal(size=(*shape[:2], 1)) + rng.normal(size=shape)
    return np.asarray(np.array(height_M)[:, None, None] + own, np.float64)


def better(score_MWS: Floats) -> npt.NDArray[np.bool_]:
    """Whether the row's entry is shown to be better than the column's, over all pairs by Holm."""
    n = len(score_MWS)
    couples = [(a, b) for a in range(n) for b in range(a + 1, n)]
    found = [
        difference([paired_by_seed(x, y) for x, y in zip(score_MWS[a], score_MWS[b], strict=True)])
        for a, b in couples
    ]
    p_P = adjust_holm([1.0 if one.p is None else one.p for one in found])
    better_MM = np.zeros((n, n), np.bool_)
    for (a, b), one, p in zip(couples, found, p_P, strict=True):
        if p <= ALPHA:
            better_MM[(a, b) if one.mean > 0 else (b, a)] = True
    return better_MM


def hide_by_weak_entries(
    design: Design, weak: int, lead: float, studies: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """What entries far below, all alike, do to a board of five.

    Returns:
        The share of studies in which the first is shown to be better than the second before and
        after they come, and in which a false order of the five appears that was not there.
    """
    height = [lead, 0.0, 0.0, 0.0, 0.0, *([-20.0] * weak)]
    before = after = new = 0
    for _ in range(studies):
        score = draw(rng, height, design)
        alone, crowded = better(score[:5]), better(score)[:5, :5]
        before += bool(alone[0, 1])
        after += bool(crowded[0, 1])
        new += bool((crowded & ~alone).any())
    return before / studies, after / studies, new / studies


def choose_cells(
    design: Design, tried: int, studies: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """What choosing the best seeds of one's own does against an equal entry in the same cells.

    Seeds are chosen within each world out of ``tried`` where there is one world; worlds out of
    ``tried`` where there are several, all their seeds with them.

    Returns:
        The share of studies in which the chooser is shown to be better, its mean lead, and the
        share in which it is shown to be better in as many cells that nobody chose.
    """
    false = fresh = 0
    leads = []
    for _ in range(studies):
        wide = Design(tried, design.seeds) if design.worlds > 1 else Design(1, tried)
        score = draw(rng, [0.0, 0.0], wide)
        gain_WS = score[0] - score[1]
        if design.worlds > 1:
            kept = np.argsort(-gain_WS.mean(axis=1))[: design.worlds]
            chosen = score[:, kept]
        else:
            kept = np.argsort(-gain_WS[0])[: design.seeds]
            chosen = score[:, :, kept]
        false += bool(better(chosen)[0, 1])
        leads.append(float((chosen[0] - chosen[1]).mean()))
        fresh += bool(better(draw(rng, [0.0, 0.0], design))[0, 1])
    return false / studies, float(np.mean(leads)), fresh / studies


WEAK = {Design(1, 5): 4.0, Design(3, 5): 3.0, Design(5, 5): 3.0}
"""The lead of the first entry in each design."""


if __name__ == "__main__":
    generator = np.random.default_rng(0)
    for design in WEAK:
        for tried in (5, 10, 20, 50):
            print("chosen", *design, tried, *choose_cells(design, tried, 1000, generator))
    for design, lead in WEAK.items():
        for weak in (1, 5, 20):
            print("weak", *design, weak, *hide_by_weak_entries(design, weak, lead, 400, generator))
