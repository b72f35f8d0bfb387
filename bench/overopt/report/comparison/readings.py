"""A method read as a question asks: one score per seed, by prompt where that was stored.

Every score is a weighted sum of a seed's points, so that the same weights read each prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from overopt.report.comparison.contest import (
    Contest,
    Entrant,
    NotRanked,
    Scores,
    WorldScore,
)
from overopt.report.comparison.question import Question
from overopt.report.group import Reading, SeedCurve, over_readings, read_seed
from overopt.report.places import choose_on_others, met_by_all
from overopt.stats.arrays import Floats
from overopt.stats.comparisons.hypervolume import hypervolume_weights
from overopt.stats.crossed import Crossed, crossed_interval
from overopt.stats.equal_kl import end_of, weights_at
from overopt.stats.pools.fronts import Front, has_area
from overopt.stats.rise_fall import PROMPTS_MIN, Budgets, cross_fitted, fixed_split, read_peaks


class Measure(NamedTuple):
    """What hypervolumes of one world are a share of: the oracle, up to a KL in nats."""

    oracle: Front | None
    kl_max_nats: float


Curves = Mapping[int, Sequence[SeedCurve]]


class _Missing(Exception):
    """A method has no score, for the reason given."""


def read_contest(
    contest: Contest, question: Question, measures: Mapping[tuple[str, int], Measure]
) -> dict[str, Scores | NotRanked]:
    """Every entrant's score in each world, or why it has none.

    A method that missed what is asked, in any seed, has none: never a mean over the others.

    Args:
        contest: the methods.
        question: what is asked.
        measures: by task and world, what hypervolumes are measured against.
    """
    curves_of: dict[str, Curves] = {}
    found: dict[str, Scores | NotRanked] = {}
    for one in contest.entrants:
        read = {world: one.curves(world, seeds) for world, seeds in contest.seeds_of.items()}
        curves_of[one.method] = {world: mine for world, mine in read.items() if mine is not None}
        if len(curves_of[one.method]) < len(read):
            found[one.method] = NotRanked(_name_failures(one, contest))
    ends = {
        method: end_of([seed.points for seeds in curves.values() for seed in seeds])
        for method, curves in curves_of.items()
        if method not in found
    }
    furthest = max((end for end in ends.values() if end is not None), default=None)
    for one in contest.entrants:
        if one.method in found:
            continue
        curves = curves_of[one.method]
        try:
            if question.metric == "gold-at-kl":
                found[one.method] = _at_kl(one, curves, question.at_kl_nats)
            elif question.metric == "end":
                found[one.method] = _at_end(one, curves, ends[one.method], furthest)
            elif question.metric == "peak":
                found[one.method] = _at_peak(one, curves)
            else:
                mine = {world: measures[contest.task, world] for world in curves}
                found[one.method] = _hypervolume(one, curves, mine)
        except _Missing as missing:
            found[one.method] = NotRanked(str(missing))
    return found


def _name_failures(one: Entrant, contest: Contest) -> str:
    parts = []
    for world, seeds in contest.seeds_of.items():
        measured = {c.seed for c in one.groups[world].seeds if (c.kl_nats_K > 0).any()}
        missing = sorted(set(seeds) - measured)
        if missing:
            where = f" in world {world}" if len(contest.seeds_of) > 1 else ""
            named = f"seed{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
            parts.append(f"{named}{where} failed")
    return "; ".join(parts)


def _at_kl(one: Entrant, curves: Curves, kl_nats: float) -> Scores:
    """Gold at one KL, between two of a seed's own points, or at its own policy for that budget."""
    every = [seed for seeds in curves.values() for seed in seeds]
    short = [seed for seed in every if _weights_at(seed, kl_nats) is None]
    if short:
        raise _Missing(_tell_short(short, len(every), kl_nats))
    scores = {}
    for world, seeds in curves.items():
        weights = [_weights_at(seed, kl_nats) for seed in seeds]
        beside = [
            f"{float(w @ seed.kl_nats_K):.4g}"
            for seed, w in zip(seeds, weights, strict=True)
            if w is not None and _between(seed, kl_nats) is None
        ]
        note = ""
        if beside:
            note = (
                f"{len(beside)} of {len(seeds)} seeds are read at their own policy for that budget "
                f"({', '.join(beside)} nats)"
            )
        scores[world] = _weighted(one, world, seeds, [w for w in weights if w is not None], note)
    return scores


def _tell_short(short: Sequence[SeedCurve], n_seeds: int, kl_nats: float) -> str:
    """Why some seeds cannot be read at a KL: they end before it, or leapt over it."""
    furthest = [float(seed.kl_nats_K[-1]) for seed in short]
    ended = [reached for reached in furthest if reached < kl_nats]
    if ended:
        said = f"measured to {min(ended):.3g} nats"
    else:
        said = f"their first step is to {max(seed.from_nats for seed in short):.3g} nats"
    return f"not reached by {len(short)} of {n_seeds} seeds ({said})"


def _between(seed: SeedCurve, kl_nats: float) -> Floats | None:
    return weights_at(seed.kl_nats_K, kl_nats, seed.from_nats)


def _weights_at(seed: SeedCurve, kl_nats: float) -> Floats | None:
    """Weights of a seed's points; where the KL lies beyond, those of the budget if it was met."""
    weight_K = _between(seed, kl_nats)
    own_K = seed.target_K == kl_nats
    if weight_K is None and own_K.any():
        return np.asarray(own_K / own_K.sum(), np.float64)
    return weight_K


def _at_end(one: Entrant, curves: Curves, end: float | None, furthest: float | None) -> Scores:
    """Gold at the end, each seed at its own policy; only of those that reach the common end."""
    if end is None or furthest is None:
        raise _Missing("no budget was reached by all seeds")
    if end < furthest:
        raise _Missing(f"ends at {end:g} of {furthest:g} nats")
    scores = {}
    for world, seeds in curves.items():
        own = [seed.target_K == end for seed in seeds]
        score = _weighted(one, world, seeds, [own_K / own_K.sum() for own_K in own])
        stored = one.groups[world].places.end
        whole = one.is_whole(world, tuple(seed.seed for seed in seeds))
        if whole and stored is not None and stored.kl_target_nats == end:
            score = score._replace(own=stored.gold)
        scores[world] = score
    return scores


def _weighted(
    one: Entrant,
    world: int,
    seeds: Sequence[SeedCurve],
    weights: Sequence[Floats],
    note: str = "",
    over: Callable[[Floats], Crossed] | None = None,
) -> WorldScore:
    """The score that is a weighted sum of each seed's points.

    over: from the score of each seed to the interval that is shown; by default that of gold, over
        seeds and prompts as far as these are known.
    """
    pairs = list(zip(seeds, weights, strict=True))
    value_S = np.array([float(w @ seed.gold_K) for seed, w in pairs])
    value_SB = _by_prompt(one, world, pairs)
    if over is not None:
        own = over(value_S)
    elif value_SB is not None:
        own = crossed_interval(value_SB)
    else:
        own = over_readings([read_seed(seed, w, "gold") for seed, w in pairs])
    kl_nats = float(np.mean([float(w @ seed.d_K) ** 2 for seed, w in pairs]))
    return WorldScore(own, value_S, value_SB, kl_nats, note)


def _over_seeds(value_S: Floats) -> Crossed:
    """The t interval over seeds, in which the table of scores shows a hypervolume."""
    return over_readings([Reading(np.nan, float(value), np.nan, 0) for value in value_S])


def _by_prompt(
    one: Entrant, world: int, pairs: Sequence[tuple[SeedCurve, Floats]]
) -> Floats | None:
    rows = []
    for seed, weight_K in pairs:
        gain_KB = one.gains(world, seed)
        if gain_KB is None:
            return None
        rows.append(weight_K @ gain_KB)
    if len({row.size for row in rows}) > 1:
        return None
    return np.stack(rows)


def _at_peak(one: Entrant, curves: Curves) -> Scores:
    """Gold at the peak, which is chosen on other data than it is read on."""
    end = end_of([seed.points for seeds in curves.values() for seed in seeds])
    if end is None:
        raise _Missing("no budget was reached by all seeds")
    targets = set[float].intersection(
        *(
            set(seed.target_K[~np.isnan(seed.target_K)].tolist())
            for seeds in curves.values()
            for seed in seeds
        )
    )
    common = sorted(targets - {0.0})
    return {world: _peak(one, world, seeds, common) for world, seeds in curves.items()}


def _peak(
    one: Entrant, world: int, seeds: Sequence[SeedCurve], common: Sequence[float]
) -> WorldScore:
    columns = [
        [0, *(int(np.flatnonzero(seed.target_K == target)[0]) for target in common)]
        for seed in seeds
    ]
    gains = [one.gains(world, seed) for seed in seeds]
    known = [gain_KB for gain_KB in gains if gain_KB is not None]
    shapes = {gain_KB.shape[1] for gain_KB in known}
    if len(known) == len(seeds) and len(shapes) == 1 and min(shapes) >= PROMPTS_MIN:
        table = read_peaks(
            Budgets(
                np.stack([gain[column] for gain, column in zip(known, columns, strict=True)]),
                np.stack(
                    [seed.kl_nats_K[column] for seed, column in zip(seeds, columns, strict=True)]
                ),
                [0.0, *common],
            ),
            fixed_split(),
        )
        own = cross_fitted(table.gold_SB, table.in_half_B)
        # with one seed the halves of the prompts chose each other's peak, and no test stands
        value_SB = table.gold_SB if len(seeds) > 1 else None
        kl_nats = float(table.kl_SB.mean())
        return WorldScore(own, table.gold_SB.mean(axis=1), value_SB, kl_nats)
    if len(seeds) == 1:
        raise _Missing("no peak: one seed, and its gold was not stored by prompt")
    return _peak_by_seed(one, world, seeds, common)


def _peak_by_seed(
    one: Entrant, world: int, seeds: Sequence[SeedCurve], common: Sequence[float]
) -> WorldScore:
    """The stored peak where it is of these seeds, and each seed read where it was chosen.

    Where all choices agreed, each seed's own gold there has the stored mean, and seeds can be
    paired; else only the stored interval is known.
    """
    met = [place for place in met_by_all(seeds) if place.kl_target_nats in common]
    places = one.groups[world].places
    whole = one.is_whole(world, tuple(seed.seed for seed in seeds))
    stored = places.peak if whole else None
    choice_S = choose_on_others(met)
    note = "peak chosen on the other seeds"
    if stored is not None:
        note = places.note
        if places.choices is not None and places.choices[0] == places.choices[1]:
            shown = [place.kl_target_nats for place in met].index(stored.kl_target_nats)
            choice_S = [shown] * len(seeds)
    readings = [met[k].readings_S[s] for s, k in enumerate(choice_S)]
    own = over_readings(readings) if stored is None else stored.gold
    kl_nats = float(np.mean([reading.kl_nats for reading in readings]))
    return WorldScore(
        own,
        np.array([reading.mean for reading in readings]),
        None,
        kl_nats if stored is None else stored.kl_nats,
        note,
    )


def _hypervolume(one: Entrant, curves: Curves, measures: Mapping[int, Measure]) -> Scores:
    """The normalized hypervolume of the budgets, as in the table of scores."""
    scores = {}
    for world, seeds in curves.items():
        oracle, kl_max_nats = measures[world]
        if oracle is None:
            raise _Missing("no oracle front was stored that all runs of the task share")
        if not has_area(oracle, kl_max_nats):
            raise _Missing("the oracle front has no area below the largest budget")
        weights = []
        for seed in seeds:
            there = ~np.isnan(seed.proxy_K)
            used = there & ~np.isnan(seed.target_K)
            if not (seed.kl_nats_K[there] > 0).any() or not used.any():
                raise _Missing(f"seed {seed.seed} was measured at no budget")
            weight_K = np.zeros(seed.kl_nats_K.shape)
            weight_K[used] = hypervolume_weights(
                seed.kl_nats_K[used], seed.gold_K[used], oracle, kl_max_nats
            )
            weights.append(weight_K)
        missed = len({float(one.kl_target_nats) for one in one.groups[world].unreached})
        note = f"{missed} budgets missed by some seeds" if missed else ""
        score = _weighted(one, world, seeds, weights, note, _over_seeds)
        scores[world] = score._replace(kl_nats=kl_max_nats)
    return scores
