"""KL estimators as multiples of the one that names the axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from overopt.stats.arrays import Floats

COLUMNS = {
    "rb": "kl_rb_nats",
    "k1": "kl_k1_nats",
    "k2": "kl_k2_nats",
    "k3": "kl_k3_nats",
    "bound": "kl_bound_nats",
    "pool": "kl_pool_nats",
    "exact": "kl_exact_nats",
}
"""Where each estimator is stored."""
SHARES = 9
"""Equal shares along KL of which medians are taken."""


class Ratios(NamedTuple):
    """One estimator over the axis's, at every point and as medians along KL.

    Attributes:
        kl_K: KL by the axis's estimator, nats.
        ratio_K: the other estimate as a multiple of it.
        median_kl_M: medians of KL in equal shares of the points along it, nats.
        median_M: medians of the ratio in the same shares.
    """

    kl_K: Floats
    ratio_K: Floats
    median_kl_M: Floats
    median_M: Floats


def moved_points(points: pd.DataFrame) -> pd.DataFrame:
    """The measured points beyond the initial policy."""
    return points[(points["status"] == "ok") & (points["kl_nats"] > 0)]


def other_estimators(rows: pd.DataFrame) -> list[str]:
    """Estimators that some of the rows store besides the one that names their axis."""
    return [
        name
        for name, column in COLUMNS.items()
        if (rows[column].notna() & (rows["kl_estimator"] != name)).any()
    ]


def read_ratios(rows: pd.DataFrame, name: str) -> Ratios:
    """One estimator over the axis's, where both were stored.

    Args:
        rows: points with KL above 0.
        name: one of ``COLUMNS``.
    """
    there = rows[rows[COLUMNS[name]].notna() & (rows["kl_estimator"] != name)]
    kl_K = there["kl_nats"].to_numpy(np.float64)
    ratio_K = there[COLUMNS[name]].to_numpy(np.float64) / kl_K
    shares = np.array_split(np.argsort(kl_K, kind="stable"), min(SHARES, kl_K.size))
    return Ratios(
        kl_K,
        ratio_K,
        np.array([np.median(kl_K[share]) for share in shares]),
        np.array([np.median(ratio_K[share]) for share in shares]),
    )
