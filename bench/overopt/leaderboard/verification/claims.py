"""What an entry claims of gold, world by world, and whether fresh worlds bear it out.

Claims are gold at 2, 4 and 8 nats, each seed read between its own points (``stats.equal_kl``), and
gold at the peak (``stats.rise_fall``), as every table of this project reads them; a claim's number
in a world is the mean over seeds. Worlds are the units: m of them were claimed, k are fresh, and
if the entry is honest all m + k numbers are draws from one distribution. With the mean x of the
claimed and y, s the mean and SD of the fresh ones,

    t = (x - y) / (s sqrt(1 / m + 1 / k))

has Student's distribution with k - 1 degrees of freedom (numbers of worlds taken for normal). It is
one-sided, since what is claimed too low deceives nobody. The claimed SD is not used: it is a claim
as well, and a large one would buy silence. Both sides are means over equally many seeds, which the
spread of a world's number and the bias of a peak depend on. Holm's correction keeps the chance of
any false alarm at alpha over all claims.

How far a method gets is claimed as well: worlds of both kinds are compared by the number of places
that all their seeds reach (``compare_reach``).

How much a claim must exceed the truth to be found is told beside each: the difference that is
found with 95 % power, from the noncentral t distribution of the same test at its Bonferroni level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.stats import nct, t

from overopt.stats.equal_kl import weights_at
from overopt.stats.rise_fall import PROMPTS_MIN, Budgets, fixed_split, read_peaks

Floats = npt.NDArray[np.float64]

CLAIMED_KL_NATS = (2.0, 4.0, 8.0)
PEAK = "gold at the peak"
POWER = 0.95
_DEALS = 9999
GROUP = ("proxy", "noise", "proxy_start", "proxy_width", "comparisons")
"""Columns of ``points.csv`` that tell the settings of a run apart; worlds and seeds are repeats."""


class Claim(NamedTuple):
    """setting: of ``GROUP``. name: such as ``gold at 2 nats``. of_world: by the world's seed."""

    setting: str
    name: str
    of_world: Mapping[int, float]


class Verified(NamedTuple):
    """A claim against fresh worlds.

    claimed, found: means over worlds, SDs of the initial policy. p: one-sided, after Holm's
    correction. noticed: how much too high a claim would be found with 95 % power.
    """

    claim: Claim
    claimed: float
    found: float
    sd: float
    worlds: int
    p: float
    noticed: float


class Worlds(NamedTuple):
    """Seeds of the worlds that an entry names, and of those that were drawn after it arrived."""

    claimed: tuple[int, ...]
    fresh: tuple[int, ...]


class Reach(NamedTuple):
    """How far an entry gets in a setting: mean number of its claimed places that a world reaches.

    p: one-sided, of the claimed worlds getting no further than the fresh ones.
    """

    setting: str
    claimed: float
    fresh: float
    p: float


def first_seeds(points: pd.DataFrame, count: int) -> pd.DataFrame:
    """Rows of the first so many seeds, so that two runs have equally many."""
    return points[points["seed"].isin(sorted(points["seed"].unique())[:count])]


def read_claims(points: pd.DataFrame, gold_of_row: Mapping[int, Floats]) -> list[Claim]:
    """Every claim, in the worlds of which all seeds bear it: none where a seed does not get there.

    Args:
        points: rows of ``points.csv``, their number as the index.
        gold_of_row: gold by prompt of each measured row, SDs.
    """
    found: list[Claim] = []
    for setting, worlds in settings_of(points).items():
        for kl_nats in CLAIMED_KL_NATS:
            read = {world: _at_kl(seeds, kl_nats) for world, seeds in worlds.items()}
            found += _claim(setting, f"gold at {kl_nats:g} nats", read)
        read = {world: _peak(seeds, gold_of_row) for world, seeds in worlds.items()}
        found += _claim(setting, PEAK, read)
    return found


def settings_of(points: pd.DataFrame) -> dict[str, dict[int, list[pd.DataFrame]]]:
    """Rows of ``points.csv`` by setting, in words, by world, and then seed by seed."""
    keys = [name for name in GROUP if points[name].notna().any()]
    found: dict[str, dict[int, list[pd.DataFrame]]] = {}
    for setting, rows in points.groupby(keys, dropna=False, sort=True):
        named = ", ".join(f"{key} {value}" for key, value in zip(keys, setting, strict=True))
        found[named] = {
            cast(int, world): [mine for _, mine in of_world.groupby("seed")]
            for world, of_world in rows.groupby("world")
        }
    return found


def _claim(setting: str, name: str, read: Mapping[int, float | None]) -> list[Claim]:
    known = {world: value for world, value in read.items() if value is not None}
    return [Claim(setting, name, known)] if known else []


def _at_kl(seeds: Sequence[pd.DataFrame], kl_nats: float) -> float | None:
    values = []
    for rows in seeds:
        measured = rows[rows["status"] == "ok"]
        weight_K = (
            weights_at(measured["kl_nats"].clip(lower=0.0), kl_nats) if len(measured) else None
        )
        if weight_K is None:
            return None
        values.append(float(weight_K @ measured["gold_mean"].to_numpy(np.float64)))
    return float(np.mean(values))


def _peak(seeds: Sequence[pd.DataFrame], gold_of_row: Mapping[int, Floats]) -> float | None:
    targets = sorted({0.0, *(float(k) for rows in seeds for k in rows["kl_target_nats"].dropna())})
    prompts = len(next(iter(gold_of_row.values()), ()))
    if len(targets) < 2 or prompts < PROMPTS_MIN:
        return None
    gold_SKB = np.full((len(seeds), len(targets), prompts), np.nan)
    kl_SK = np.full(gold_SKB.shape[:2], np.nan)
    for s, rows in enumerate(seeds):
        for index, row in rows[rows["status"] == "ok"].iterrows():
            target = 0.0 if row["step"] == 0 else row["kl_target_nats"]
            number = cast(int, index)
            if target != target or number not in gold_of_row:
                continue
            k = targets.index(float(target))
            gold_SKB[s, k], kl_SK[s, k] = gold_of_row[number], row["kl_nats"]
    try:
        table = read_peaks(Budgets(gold_SKB, kl_SK, targets), fixed_split())
    except ValueError:
        return None  # no budget was reached by all seeds
    return float(table.gold_SB.mean())


def compare_reach(claimed: Sequence[Claim], fresh: Sequence[Claim], worlds: Worlds) -> list[Reach]:
    """Whether worlds that an entry names get further than fresh ones, by setting.

    If the entry is honest, claimed and fresh worlds are exchangeable, so that dealing them anew
    gives the distribution of the difference of their means, whatever it is. Where there is one
    place this is Fisher's exact test.

    Args:
        claimed: of the entry.
        fresh: of the re-run.
        worlds: all of both, whether they bear a claim or not.
    """
    found = []
    for setting in dict.fromkeys(one.setting for one in claimed):
        places = [one.name for one in claimed if one.setting == setting and one.name != PEAK]
        x, y = (
            np.array(
                [
                    sum(
                        world in one.of_world
                        for one in claims
                        if one.setting == setting and one.name in places
                    )
                    for world in of
                ],
                np.float64,
            )
            for claims, of in ((claimed, worlds.claimed), (fresh, worlds.fresh))
        )
        every = np.concatenate([x, y])
        rng = np.random.default_rng(0)
        dealt_R = rng.permuted(np.tile(every, (_DEALS, 1)), axis=1)[:, : len(x)].mean(axis=1)
        p = (1 + int((dealt_R >= x.mean() - 1e-9).sum())) / (1 + _DEALS)
        found.append(Reach(setting, float(x.mean()), float(y.mean()), p))
    return found


def verify_claims(
    claimed: Sequence[Claim], fresh: Sequence[Claim], alpha: float, beside: Sequence[float] = ()
) -> list[Verified]:
    """Hold every claim against the fresh worlds' numbers of the same name.

    Args:
        claimed: of the entry.
        fresh: of the re-run; a claim is left out where fewer than 3 of its worlds bear it, and is
            otherwise tested in those that do.
        alpha: chance of a false alarm, all claims together.
        beside: p values of further tests that share it.
    """
    found_of = {(one.setting, one.name): one for one in fresh}
    pairs = [(one, found_of.get((one.setting, one.name))) for one in claimed]
    tested = [
        (one, other) for one, other in pairs if other is not None and len(other.of_world) >= 3
    ]
    count = len(tested) + len(beside)
    raw = [_test(one, other, alpha / count) for one, other in tested]
    corrected = holm([*(one.p for one in raw), *beside])
    return [one._replace(p=p) for one, p in zip(raw, corrected, strict=False)]


def holm(raw: Sequence[float]) -> list[float]:
    """p values, corrected for each other (Holm)."""
    corrected, largest = [0.0] * len(raw), 0.0
    for rank, index in enumerate(np.argsort(raw)):
        largest = max(largest, min(1.0, raw[index] * (len(raw) - rank)))
        corrected[index] = largest
    return corrected


def _test(claim: Claim, other: Claim, level: float) -> Verified:
    x, y = (np.array(list(one.of_world.values()), np.float64) for one in (claim, other))
    m, k = len(x), len(y)
    sd = float(y.std(ddof=1))
    scale = sd * math.sqrt(1 / m + 1 / k)
    difference = float(x.mean() - y.mean())
    if scale > 0:
        p = float(t.sf(difference / scale, k - 1))
    else:
        p = 0.0 if difference > 1e-9 else 1.0
    noticed = scale * least_effect(k - 1, level)
    return Verified(claim, float(x.mean()), float(y.mean()), sd, k, p, noticed)


@cache
def least_effect(degrees: int, level: float, power: float = POWER) -> float:
    """Noncentrality at which a one-sided t test of a level has a power."""
    critical = float(t.isf(level, degrees))

    def miss(noncentrality: float) -> float:
        return float(nct.cdf(critical, degrees, noncentrality)) - (1 - power)

    return float(brentq(miss, 0.0, 10 * critical + 10))
