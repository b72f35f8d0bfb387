"""Whether the order of reward-side systems in one results folder is that in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from overopt.errors import UserError
from overopt.report.comparison.transferred import System, Transfer
from overopt.report.group import Group, SeedCurve
from overopt.report.groups import group_results
from overopt.report.stored.reading import read_results
from overopt.report.stored.selection import EVERYTHING, Selection
from overopt.stats.arrays import Floats
from overopt.stats.comparisons.rank_transfer import FEWEST_ROWS, rank_correlation

_SEED = 0


def compare_transfer(
    runs: Sequence[Path], other: Path, at_kl: float, selection: Selection = EVERYTHING
) -> list[Transfer]:
    """Rank correlation of the systems' gold in two results folders, method by method and noise.

    Gold is read at ``at_kl`` nats, or at the largest KL that every seed of every system has in a
    folder, where that is less; between a seed's points it is interpolated in sqrt(KL).

    Raises:
        UserError: a folder holds no run, or more than one task, or no method and noise has systems
            in both folders that could be ranked, or a run leapt over that KL.
    """
    here, there = (_by_system(list(paths), selection) for paths in (runs, [other]))
    found = []
    for place in sorted(set(here.groups) & set(there.groups)):
        one, two = here.groups[place], there.groups[place]
        both = sorted(set(one) & set(two))
        if len(both) < FEWEST_ROWS:
            continue
        kl_here, kl_there = (
            min(at_kl, *(_reach(groups[name]) for name in both)) for groups in (one, two)
        )
        systems = tuple(
            System(name, _gold_at(one, both, name, kl_here), _gold_at(two, both, name, kl_there))
            for name in both
        )
        correlation = rank_correlation(
            np.stack([system.here_S for system in systems]),
            np.stack([system.there_T for system in systems]),
            np.random.default_rng(_SEED),
        )
        apart = tuple(sorted(set(one) ^ set(two)))
        found.append(
            Transfer(
                *(*place, here.task, there.task, kl_here, kl_there, systems, apart), correlation
            )
        )
    if not found:
        raise UserError(
            f"--transfer {other}: no method and noise has {FEWEST_ROWS} or more proxies in both "
            "folders; run the same --method, --noise and --proxy in both."
        )
    return found


class _Folder(NamedTuple):
    """The groups of one folder by method and noise, then proxy."""

    task: str
    groups: Mapping[tuple[str, str], Mapping[str, Group]]


def _by_system(paths: list[Path], selection: Selection) -> _Folder:
    groups = group_results(read_results(paths, selection))
    tasks = sorted({one.task for one in groups})
    worlds = sorted({one.world for one in groups})
    shown = ", ".join(map(str, paths))
    if len(tasks) > 1 or len(worlds) > 1:
        raise UserError(
            f"{shown} holds the tasks {', '.join(tasks)} in worlds {', '.join(map(str, worlds))}; "
            "give folders of one task and one world for --transfer."
        )
    found: dict[tuple[str, str], dict[str, Group]] = {}
    for one in groups:
        if one.seeds and one.kl_max_nats:
            found.setdefault((one.method, one.noise), {})[one.proxy] = one
    return _Folder(tasks[0], found)


def _reach(group: Group) -> float:
    """The largest KL that every seed has."""
    return min(float(seed.kl_nats_K[-1]) for seed in group.seeds)


def _gold_at(groups: Mapping[str, Group], names: Sequence[str], name: str, kl: float) -> Floats:
    """Gold of a system at a KL, of the seeds that all of the named ones have."""
    common = set.intersection(*({seed.seed for seed in groups[one].seeds} for one in names))
    if not common:
        raise UserError(f"{', '.join(names)} have no seed in common; run them with the same seeds.")
    seeds = sorted((one for one in groups[name].seeds if one.seed in common), key=_number)
    leapt = max(one.from_nats for one in seeds)
    if leapt > kl:
        raise UserError(
            f"{name} has seeds whose first step is to {leapt:.3g} nats and no policy at {kl:.3g}; "
            f"give --at-kl {leapt:.3g} or more, or leave the system out."
        )
    return np.array([np.interp(kl**0.5, one.d_K, one.gold_K) for one in seeds])


def _number(seed: SeedCurve) -> int:
    return seed.seed
