"""Which of many curves are colored, the same ones in every figure of a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from overopt.report.figures.style import COLORS, FAINT, Mark, assign_marks
from overopt.report.group import Group, compares_methods

FEW = len(COLORS)
"""Most methods that are all colored."""
SHOWN = 5
"""How many are colored of more."""
GRAY = Mark(FAINT, "")


@dataclass(frozen=True)
class Compared:
    """What the curves of a task are compared as, and how those that are colored are drawn.

    Attributes:
        by_method: whether methods are compared, or the proxies of a single method.
        marks: color and marker of those that are colored, by name.
        every: whether all are colored.
    """

    by_method: bool
    marks: dict[str, Mark]
    every: bool

    def name(self, group: Group) -> str:
        """What a curve is compared as."""
        return group.method if self.by_method else group.proxy

    def mark(self, group: Group) -> Mark:
        """How a curve is drawn; gray where it is not colored."""
        return self.marks.get(self.name(group), GRAY)

    def colored(self, groups: Sequence[Group]) -> list[Group]:
        """The groups that have a color."""
        return [group for group in groups if self.name(group) in self.marks]

    def gray(self, groups: Sequence[Group]) -> list[Group]:
        """The groups that have none."""
        return [group for group in groups if self.name(group) not in self.marks]


def compare(groups: Sequence[Group]) -> Compared:
    """Color all where they are few, else those with the highest peaks of gold.

    Of many methods, peaks are compared in the proxy, noise and worlds that most curves were run
    with, so that none leads by an easier setting.
    """
    none = Compared(compares_methods(groups), {}, every=True)
    names = sorted({none.name(group) for group in groups})
    if len(names) <= FEW:
        return Compared(none.by_method, assign_marks(names), every=True)
    counts = Counter(_setting(group) for group in groups)
    most = max(sorted(counts), key=lambda setting: counts[setting])
    peaks: dict[str, float] = {}
    for group in groups:
        if group.places.peak and (not none.by_method or _setting(group) == most):
            gold = group.places.peak.gold.mean
            peaks[none.name(group)] = max(peaks.get(none.name(group), gold), gold)
    best = sorted(peaks, key=lambda name: (-peaks[name], name))[:SHOWN]
    return Compared(none.by_method, assign_marks(best), every=False)


def _setting(group: Group) -> tuple[str, str, str]:
    return group.proxy, group.noise, group.where
