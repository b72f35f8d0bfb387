"""Whether claimed seeds do better than seeds that were drawn after the entry arrived.

Whoever runs a method often, and calls the runs that came out well its seeds 0, 1, 2, ..., claims
more than the method does. Its claimed worlds are therefore run once more, with seeds that the
round's secret draws. If the claimed seeds were not chosen, they and the fresh ones of a world are
exchangeable, whatever the world and however seeds are distributed, so that dealing them anew within
each world gives the distribution of every statistic exactly. The statistic of a claim is

    T = mean over worlds of (mean of claimed seeds - mean of fresh seeds)

of gold at 2, 4 and 8 nats, at the peak and at the end, one-sided, each brought to SD 1 over the R
deals. The largest decides (Westfall and Young's max-T), so that the chance of a false alarm over
all claims together is at most the level. Worlds are compared with themselves, so that their spread,
which ``claims`` has to live with, drops out.

Peak and end are read so that nothing knows which seeds are claimed: of all seeds of a world
together, the budget with the largest mean gold, and the largest that each of them reached. A claim
that one of a world's seeds does not bear is not compared in that world. The cross-fitted peak of
``stats.rise_fall`` is a number of all seeds together and cannot be dealt.

Reference: Westfall and Young, "Resampling-Based Multiple Testing" (1993), from memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from overopt.leaderboard.verification.claims import CLAIMED_KL_NATS, settings_of
from overopt.stats.equal_kl import weights_at

Floats = npt.NDArray[np.float64]

DEALS = 9999
PEAK, END = "gold at the peak of all seeds", "gold at the end"


class Both(NamedTuple):
    """Gold of the seeds of one world at one place: claimed ones, then fresh ones, SDs."""

    claimed_S: Floats
    fresh_S: Floats


class Excess(NamedTuple):
    """A claim of claimed seeds beside fresh ones.

    excess: mean over worlds, SDs of the initial policy. p: over all claims together.
    """

    setting: str
    name: str
    excess: float
    worlds: int
    p: float


def read_both(claimed: pd.DataFrame, fresh: pd.DataFrame) -> dict[tuple[str, str], dict[int, Both]]:
    """Gold by setting and claim, and then by world, that all its seeds bear.

    Args:
        claimed, fresh: rows of ``points.csv``.
    """
    found: dict[tuple[str, str], dict[int, Both]] = {}
    fresh_of = settings_of(fresh)
    for setting, rows in settings_of(claimed).items():
        for world, seeds in rows.items():
            others = fresh_of.get(setting, {}).get(world)
            if others:
                for name, gold_S in _places([*seeds, *others]).items():
                    both = Both(gold_S[: len(seeds)], gold_S[len(seeds) :])
                    found.setdefault((setting, name), {})[world] = both
    return found


def _places(seeds: Sequence[pd.DataFrame]) -> dict[str, Floats]:
    """Gold of each seed at every place that all of them reach."""
    curves = []
    for rows in seeds:
        measured = rows[rows["status"] == "ok"]
        curves.append(
            (
                measured["kl_nats"].clip(lower=0.0).to_numpy(np.float64),
                measured["gold_mean"].to_numpy(np.float64),
            )
        )

    def read(kl_nats: float) -> Floats | None:
        values = []
        for kl_K, gold_K in curves:
            weight_K = weights_at(kl_K, kl_nats) if len(kl_K) else None
            if weight_K is None:
                return None
            values.append(float(weight_K @ gold_K))
        return np.array(values)

    told = {f"gold at {kl_nats:g} nats": read(kl_nats) for kl_nats in CLAIMED_KL_NATS}
    budgets = sorted({float(kl) for rows in seeds for kl in rows["kl_target_nats"].dropna()})
    reached = [gold_S for kl_nats in budgets if (gold_S := read(kl_nats)) is not None]
    if reached:
        told |= {PEAK: max(reached, key=lambda gold_S: float(gold_S.mean())), END: reached[-1]}
    return {name: gold_S for name, gold_S in told.items() if gold_S is not None}


def compare_seeds(
    both: Mapping[tuple[str, str], Mapping[int, Both]],
    generator: np.random.Generator,
    deals: int = DEALS,
) -> list[Excess]:
    """Every claim of claimed seeds against fresh ones; in a world, all claims have the same seeds.

    Args:
        both: as ``read_both`` gives it.
        generator: deals the seeds anew.
        deals: how often, R.
    """
    sizes = {
        world: (len(one.claimed_S), len(one.fresh_S))
        for of_world in both.values()
        for world, one in of_world.items()
    }
    share_of = {world: _dealt(*size, generator, deals) for world, size in sorted(sizes.items())}
    value_CR = np.zeros((len(both), deals + 1))
    for c, of_world in enumerate(both.values()):
        for world, one in of_world.items():
            value_CR[c] += share_of[world] @ np.concatenate(one) / len(of_world)
    sd_C1 = value_CR.std(axis=1, keepdims=True)
    z_CR = np.where(sd_C1 > 1e-12, value_CR / np.maximum(sd_C1, 1e-12), 0.0)
    largest_R = z_CR[:, 1:].max(axis=0, initial=-np.inf)
    return [
        Excess(
            setting,
            name,
            float(value_CR[c, 0]),
            len(of_world),
            float((1 + (largest_R >= z_CR[c, 0] - 1e-9).sum()) / (1 + deals)),
        )
        for c, ((setting, name), of_world) in enumerate(both.items())
    ]


def least_p(both: Mapping[tuple[str, str], Mapping[int, Both]]) -> float:
    """The smallest p that so few seeds can have: one over the number of ways to deal them."""
    ways = [
        math.prod(
            math.comb(len(one.claimed_S) + len(one.fresh_S), len(one.fresh_S))
            for one in of_world.values()
        )
        for of_world in both.values()
    ]
    return 1.0 / max(ways, default=1)


def _dealt(claimed: int, fresh: int, generator: np.random.Generator, deals: int) -> Floats:
    """Weights (R + 1, S) of a difference of means, as given in row 0 and dealt anew."""
    given_S = np.concatenate([np.full(claimed, 1 / claimed), np.full(fresh, -1 / fresh)])
    dealt_RS = generator.permuted(np.tile(given_S, (deals, 1)), axis=1)
    return cast(Floats, np.concatenate([given_S[None], dealt_RS]))
