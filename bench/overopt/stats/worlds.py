"""Peak, end and fall as means over worlds (`overopt.stats.world_means`)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from overopt.stats.rise_fall import Budgets, PeakAndEnd, common_budgets, peak_and_end
from overopt.stats.world_means import OverWorlds, over_worlds


@dataclass(frozen=True)
class InWorlds:
    """Peak, end and fall as means over worlds, each world with seeds and prompts of its own.

    Attributes:
        worlds: each world along the budgets that every seed of every world reached, so that the
            end is the same in all.
        peak_kl_target_nats: lower median of the choices in all worlds, nats.
        peak_kl_nats: achieved KL at the peak, mean over worlds, nats.
        peak: gold at the peak, which is the rise.
        end_kl_target_nats: the common end, nats.
        end_kl_nats: achieved KL there, mean over worlds, nats.
        end: gold at the end.
        fall: gold at the end minus gold at the peak.
    """

    worlds: tuple[PeakAndEnd, ...]
    peak_kl_target_nats: float
    peak_kl_nats: float
    peak: OverWorlds
    end_kl_target_nats: float
    end_kl_nats: float
    end: OverWorlds
    fall: OverWorlds


def peak_and_end_in_worlds(
    worlds: Sequence[Budgets],
    generators: Sequence[np.random.Generator] | None = None,
    level: float = 0.95,
) -> InWorlds:
    """Peak, end and fall as means over worlds, along the budgets that all their seeds reached.

    A peak is chosen within each world, as `peak_and_end` does.

    Args:
        worlds: the seeds of each world; all with the same budgets.
        generators: one per world, each to split its prompts; see `peak_and_end`.
        level: coverage.

    Raises:
        ValueError: as `peak_and_end`, or if there is no world, budgets differ between worlds, or
            there are not as many generators as worlds.
    """
    tables = [Budgets(*one) for one in common_budgets(worlds)]
    splits: Sequence[np.random.Generator | None] = generators or [None] * len(tables)
    found = tuple(
        peak_and_end(one, generator, level) for one, generator in zip(tables, splits, strict=True)
    )
    return InWorlds(
        worlds=found,
        peak_kl_target_nats=statistics.median_low(
            [choice for one in found for choice in one.choices_nats]
        ),
        peak_kl_nats=statistics.fmean(one.peak.kl_nats for one in found),
        peak=over_worlds([one.peak.gold for one in found]),
        end_kl_target_nats=found[0].end.kl_target_nats,
        end_kl_nats=statistics.fmean(one.end.kl_nats for one in found),
        end=over_worlds([one.end.gold for one in found]),
        fall=over_worlds([one.fall for one in found]),
    )
