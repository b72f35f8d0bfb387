"""Which of several arms is the best, with a set that holds it: the place of a maximum.

Arms differ in one number. The arm with the highest mean is found in any data, also where all arms
are alike, and leaving out one seed at a time hardly changes it, so that neither says how sure its
place is. Here an arm stays in the set until it is shown not to be the best: a rival, chosen among
the others on other data, lies above it. What is claimed of the place holds where it holds of every
arm in the set.

The chosen rival is never read where it was chosen: in one world it is chosen on the other seeds,
with several on the other worlds, and by the other half of the prompts where they are known, since
all seeds share what a prompt does to an arm.

An arm's p value is twice a one-sided one, as everywhere. With 5 or 8 seeds the set of those above
5 % misses the best in at most 5 % of draws, in most where all arms are alike (4.0 to 4.8 %, as
simulated with five arms); a wrong verdict needs such a miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overopt.stats.arrays import Floats
from overopt.stats.rise_fall import PROMPTS_MIN
from overopt.stats.verdicts.estimate import estimate
from overopt.stats.verdicts.evidence import ALPHA, Estimate, Part


class Place(NamedTuple):
    """The best of arms that differ in one number.

    Attributes:
        number_A: that number, ascending, above 0.
        p_A: p value of "this arm is not the best"; the best by its mean has 1.
        best: which arm has the highest mean.
        n_seeds: seeds in the world that has the fewest.
        n_worlds: worlds.
        over: what was taken for random.
    """

    number_A: Floats
    p_A: Floats
    best: int
    n_seeds: int
    n_worlds: int
    over: str

    @property
    def note(self) -> str:
        """The best arm and the set, in words."""
        kept = ", ".join(f"{x:g}" for x in self.number_A[self.p_A > ALPHA])
        return f"the highest mean is at {self.number_A[self.best]:g}; not shown to be lower: {kept}"


def find_place(numbers: Sequence[float], tables: Sequence[Mapping[int, Floats]]) -> Place:
    """The place of the best arm.

    Args:
        numbers: of each arm, ascending, above 0; at least two.
        tables: of each arm by world, shape (S, B); B = 1 where whole seeds are known only.

    Raises:
        ValueError: numbers do not ascend from above 0, there is one seed in one world, or a value
            is NaN or infinite.
    """
    number_A = np.asarray(numbers, np.float64)
    if len(number_A) < 2 or not number_A[0] > 0.0 or not (np.diff(number_A) > 0.0).all():
        raise ValueError(f"numbers must ascend from above 0, got {list(numbers)}")
    value_ASB = {world: _aligned([one[world] for one in tables]) for world in sorted(tables[0])}
    if len(value_ASB) == 1 and next(iter(value_ASB.values())).shape[1] < 2:
        raise ValueError("the best of several arms is chosen on other seeds; there is one")
    others = _elsewhere(value_ASB)
    mean_A = np.mean([value.mean(axis=(1, 2)) for value in value_ASB.values()], axis=0)
    best = int(mean_A.argmax())
    shown = [_beaten(arm, value_ASB, others) for arm in range(len(numbers))]
    p_A = np.array([one.p_above(0.0) for one in shown])
    p_A[best] = 1.0
    first = shown[0]
    return Place(number_A, p_A, best, first.n_seeds, first.n_worlds, first.over)


def _aligned(tables: Sequence[Floats]) -> Floats:
    """Shape (A, S, B); by seed where arms do not share their prompts, or there are few."""
    widths = {table.shape[1] for table in tables}
    if len(widths) > 1 or min(widths) < PROMPTS_MIN:
        tables = [table.mean(axis=1, keepdims=True) for table in tables]
    return np.stack(tables)


def _elsewhere(value_ASB: Mapping[int, Floats]) -> dict[int, Floats]:
    """By world, shape (2, A, S): what an arm came to on other data, by half of the prompts."""
    halves = {
        world: np.stack([value[:, :, half::2].mean(axis=2) for half in _halves(value)])
        for world, value in value_ASB.items()
    }
    if len(halves) == 1:
        ((world, mean_2AS),) = halves.items()
        n_seeds = mean_2AS.shape[2]
        return {world: (mean_2AS.sum(axis=2, keepdims=True) - mean_2AS) / (n_seeds - 1)}
    found = {}
    for world, mean_2AS in halves.items():
        away = [one.mean(axis=2, keepdims=True) for other, one in halves.items() if other != world]
        found[world] = np.broadcast_to(np.mean(away, axis=0), mean_2AS.shape)
    return found


def _halves(value_ASB: Floats) -> tuple[int, int]:
    """First prompt of each half; held-out prompts are in random order. Whole seeds: the same."""
    return (0, 1) if value_ASB.shape[2] > 1 else (0, 0)


def _beaten(arm: int, value_ASB: Mapping[int, Floats], others: Mapping[int, Floats]) -> Estimate:
    """How far the best of the other arms, chosen elsewhere, lies above an arm."""
    above = {}
    for world, value in value_ASB.items():
        rival_2AS = others[world].copy()
        rival_2AS[:, arm] = -np.inf
        choice_2S = rival_2AS.argmax(axis=1)
        # prompts of one half are read at the rival that the other half chose
        choice_SB = choice_2S[1 - np.arange(value.shape[2]) % 2].T
        read_SB = np.take_along_axis(value, choice_SB[None], axis=0)[0]
        above[world] = read_SB - value[arm]
    return estimate(above)


def place_within(name: str, place: Place, low: float, high: float) -> Part:
    """The claim says that the best arm's number lies between two bounds, both included.

    Reproduced where every arm outside is shown not to be the best, contradicted where every arm
    inside is.

    Raises:
        ValueError: all arms lie on one side, so that nothing could be said.
    """
    inside_A = (place.number_A >= low) & (place.number_A <= high)
    if inside_A.all() or not inside_A.any():
        raise ValueError(f"no arm to tell {low:g} to {high:g} from")
    log_A = np.log(place.number_A)
    kept_A = log_A[place.p_A > ALPHA]
    found = _estimate(place, float(log_A[place.best]), kept_A)
    p_for, p_against = (float(place.p_A[there].max()) for there in (~inside_A, inside_A))
    return Part(name, found, p_for, p_against, place.note)


def place_below(name: str, first: Place, second: Place) -> Part:
    """The claim says that the first best number is smaller than the second.

    A pair of places falls where either is shown not to be the best, at half the level each; the
    claim is reproduced where every pair falls that it excludes, contradicted where every pair does
    that its opposite excludes. The effect is the log of the second number over the first.
    """
    p_FS = np.minimum(1.0, 2.0 * np.minimum(first.p_A[:, None], second.p_A[None, :]))
    effect_FS = np.log(second.number_A)[None, :] - np.log(first.number_A)[:, None]
    p_for, p_against = (
        float(p_FS[there].max()) if there.any() else 1.0
        for there in (effect_FS <= 0.0, effect_FS >= 0.0)
    )
    at = float(effect_FS[first.best, second.best])
    found = _estimate(first, at, effect_FS[p_FS > ALPHA])
    return Part(name, found, p_for, p_against, f"first, {first.note}; second, {second.note}")


def _estimate(place: Place, at: float, kept: Floats) -> Estimate:
    held = (float(kept.min()), float(kept.max()))
    return Estimate(at, (), place.n_seeds, place.n_worlds, place.over, held)
