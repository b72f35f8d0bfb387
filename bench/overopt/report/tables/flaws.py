"""What declared flaws of the labels cost, and from which KL on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from overopt.report.group import Group, SeedCurve
from overopt.report.noise_labels import split_flaw
from overopt.report.tables.text import MISSING, TextTable, show_number
from overopt.stats.comparisons.onset import Onset, find_onset

NO_ONSET = "none shown"
_NOTE = (
    "Gold of the run with the flaw less that of the run without it, mean over seeds that have both "
    "at their own policies for a budget, SDs of the initial policy. Onset: the smallest KL budget "
    "at which it is shown to lie below 0 (paired over seeds, one-sided, Holm over the budgets)."
)


def show_flaws(groups: Sequence[Group]) -> TextTable:
    """A row for each flawed group beside which the same was run without a flaw; else none."""
    plain: dict[tuple[object, ...], Group] = {
        _place(one, one.noise): one for one in groups if not split_flaw(one.noise)[1]
    }
    rows = []
    for one in groups:
        noise, flaw = split_flaw(one.noise)
        beside = plain.get(_place(one, noise))
        found = compare_flawed(one, beside) if flaw and beside is not None else None
        if found is not None:
            name, _, dose = flaw.partition(":")
            told = NO_ONSET if found.kl_nats is None else f"{found.kl_nats:g}"
            # one seed says nothing of chance, nor do seeds that all lose the same
            told = MISSING if all(p is None for p in found.p_K) else told
            worst = int(np.argmin(found.difference_K))
            cells = (
                *(one.titled, one.proxy, noise, name, dose, str(found.n_seeds), told),
                show_number(float(found.difference_K[-1]), 2),
                show_number(float(found.difference_K[worst]), 2),
                f"{found.kl_nats_K[worst]:g}",
            )
            rows.append(cells)
    return TextTable(
        name="flaws",
        title="What flaws of the labels cost",
        header=(
            *("method", "proxy", "noise", "flaw", "dose", "seeds", "onset at KL"),
            *("gold lost at the end", "gold lost at most", "at KL"),
        ),
        rows=tuple(rows),
        words=4,
        note=_NOTE,
    )


def compare_flawed(flawed: Group, plain: Group) -> Onset | None:
    """What the flaw costs at the budgets that every seed of both met; None without any."""
    both = [(_at_budgets(one), _at_budgets(other)) for one, other in _paired(flawed, plain)]
    if not both:
        return None
    budgets = sorted(set.intersection(*(set(one) & set(other) for one, other in both)))
    if not budgets:
        return None
    one_SK, other_SK = (
        np.array([[pair[side][kl] for kl in budgets] for pair in both]) for side in (0, 1)
    )
    return find_onset(budgets, one_SK, other_SK)


def _paired(flawed: Group, plain: Group) -> list[tuple[SeedCurve, SeedCurve]]:
    by_seed: Mapping[int, SeedCurve] = {one.seed: one for one in plain.seeds}
    return [(one, by_seed[one.seed]) for one in flawed.seeds if one.seed in by_seed]


def _at_budgets(curve: SeedCurve) -> dict[float, float]:
    """Gold of a seed by budget, nats."""
    return {
        float(target): float(gold)
        for target, gold in zip(curve.target_K, curve.gold_K, strict=True)
        if not np.isnan(target) and target > 0
    }


def _place(group: Group, noise: str) -> tuple[object, ...]:
    return group.task, group.worlds, group.method, group.proxy, noise
