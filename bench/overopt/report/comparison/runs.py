"""Run folders compared: what ``bench compare`` and ``overopt.compare`` call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from overopt.report.comparison.comparison import Comparison, compare_groups
from overopt.report.comparison.question import Question
from overopt.report.comparison.readings import Measure
from overopt.report.comparison.systems import Compared
from overopt.report.groups import group_results
from overopt.report.scoring import yardsticks
from overopt.report.stored.reading import read_results
from overopt.report.stored.results import Results
from overopt.report.stored.selection import EVERYTHING, Selection


def compare(
    runs: str | Path | Sequence[str | Path],
    at_kl: float = 4.0,
    baseline: str | None = None,
    metric: str = "gold-at-kl",
    selection: Selection = EVERYTHING,
    systems: bool = False,
) -> Comparison:
    """Which method is best, by how much, and is the difference significant?

    Args:
        runs: run folders, or folders above them, such as ``results/reviews``.
        at_kl: the KL at which gold is compared, nats; only the metric gold-at-kl reads it.
        baseline: the method that the others are set against; None for the best one.
        metric: ``gold-at-kl``, ``peak``, ``end`` or ``hypervolume``.
        selection: methods, proxies and noise levels by name; by default all.
        systems: compare methods together with the proxies that they see, such as ``bon × uwo``
            with ``bon × single`` and ``dpo``, and not methods against the same proxy.

    Returns:
        The comparison; print it for the verdict, and see its ``table`` and ``pairs``.

    Raises:
        UserError: a folder holds no run or is damaged, no two methods can be compared, or metric,
            KL or baseline make no sense.
    """
    question = Question.ask(metric, at_kl, baseline)
    folders = [runs] if isinstance(runs, str | Path) else runs
    # methods that see no proxy are stored under one, and stay whatever proxies are chosen
    every_proxy = replace(selection, proxies=())
    results = read_results([Path(folder) for folder in folders], every_proxy)
    groups, measures = group_results(results), measures_of(results)
    of: Compared = "systems" if systems else "methods"
    return compare_groups(results, groups, measures, question, selection.proxies, of)


def measures_of(results: Results) -> dict[tuple[str, int], Measure]:
    """What hypervolumes of each task and world are a share of."""
    return {
        place: Measure(one.oracle, one.kl_max_nats) for place, one in yardsticks(results).items()
    }
