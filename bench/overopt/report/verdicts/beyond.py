"""Puts best-of-n beyond the pool beside what was measured of an arm."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from overopt.report.verdicts.arms import ArmRows, Beyond
from overopt.spec.run import RunSpec

Part = tuple[pd.DataFrame, int]
"""A table of ``bench extrapolate``, and the number of the run in it that holds an arm."""


def with_streams(rows: ArmRows, wanted: RunSpec, parts: Iterable[Part]) -> ArmRows:
    """The arm with what was drawn of its cells; of several streams of one cell the longest."""
    drawn = drawn_of(wanted, parts)
    if not drawn:
        return rows
    worlds = {
        world: tuple(replace(one, beyond=drawn.get((world, one.seed))) for one in seeds)
        for world, seeds in rows.worlds.items()
    }
    return replace(rows, worlds=worlds)


def drawn_of(wanted: RunSpec, parts: Iterable[Part]) -> dict[tuple[int, int], Beyond]:
    """Curves of an arm's cells, by world and seed."""
    found: dict[tuple[int, int], Beyond] = {}
    for curves, number in parts:
        for place, rows in of_arm(curves, number, wanted).groupby(["world", "seed"]):
            world, seed = (int(float(str(part))) for part in place)
            columns = rows.sort_values("n")[["n", "kl_nats", "gold_gain"]]
            curve = Beyond(*columns.to_numpy(np.float64).T)
            known = found.get((world, seed))
            if known is None or curve.n_K[-1] > known.n_K[-1]:
                found[world, seed] = curve
    return found


def of_arm(table: pd.DataFrame, number: int, wanted: RunSpec) -> pd.DataFrame:
    """The rows of an arm's cells in a table whose column ``spec`` counts runs."""
    (proxy,), (noise,) = wanted.proxies, wanted.noises
    (start,), (width,), (pairs,) = wanted.starts_of(proxy), wanted.proxy_widths, wanted.comparisons
    mine = (
        (table["spec"] == number)
        & (table["proxy"] == proxy.name)
        & (table["noise"] == noise.label)
        & (table["proxy_start"] == start)
        & (table["comparisons"] == pairs)
        & table["world"].isin(wanted.worlds)
        & table["seed"].isin(wanted.seeds)
    )
    if start == "scratch":
        mine &= table["proxy_width"] == width
    found: pd.DataFrame = table[mine]
    return found
