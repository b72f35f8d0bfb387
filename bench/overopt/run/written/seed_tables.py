"""What single seeds did prompt by prompt, and which of them belong together."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from overopt.stats.equal_kl import SeedPoints

Floats = npt.NDArray[np.float64]


class SeedTable(NamedTuple):
    """One seed's measured policies, the initial one first.

    Attributes:
        points: KL of each policy and the budget that it was taken for, nats.
        gold_KB: gold of each policy and prompt, SDs of the initial policy around its mean.
        proxy_KB: proxy, recentered to the initial policy.
    """

    points: SeedPoints
    gold_KB: Floats
    proxy_KB: Floats


class SeedGroup(NamedTuple):
    """The cells that differ in their seed only.

    Attributes:
        identity: the columns that tell the group from others of its run.
        tables: one per seed that was measured.
        n_run: seeds that were run, failed ones included.
    """

    identity: dict[str, Any]
    tables: list[SeedTable]
    n_run: int
