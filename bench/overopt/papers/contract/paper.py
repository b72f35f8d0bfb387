"""A paper and its grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from overopt.report.verdicts.arms import Arm
from overopt.report.verdicts.claims import Claim
from overopt.report.verdicts.redrawn.kinds import AnyFigure
from overopt.spec.exam import ExamSpec
from overopt.spec.look import Look
from overopt.spec.stream import StreamSpec

Scale = Literal["smoke", "standard", "full"]
"""smoke: minutes; standard: at most about 2 hours; both on 2 cores; full: a box with GPUs."""
SCALES: tuple[Scale, ...] = get_args(Scale)


@dataclass(frozen=True)
class Grid:
    """Where and how often the arms of a paper are run at one scale.

    Attributes:
        task: name of a task.
        seeds: how many, from 0 on.
        worlds: how many, from 0 on.
        settings: of all arms, as ``--set`` takes them, before an arm's own.
        kl_grid_nats: KL budgets; empty for the task's own.
        without: arms that this scale leaves out; claims that need them are not run.
        stream: how much is drawn of the arms that go beyond the pool; None: nothing.
        exam: how sets are drawn for the arms that are examined.
    """

    task: str = "reviews"
    seeds: int = 5
    worlds: int = 1
    settings: tuple[str, ...] = ()
    kl_grid_nats: tuple[float, ...] = ()
    without: frozenset[Arm] = field(default_factory=frozenset)
    stream: StreamSpec | None = None
    exam: ExamSpec = field(default_factory=ExamSpec)


@dataclass(frozen=True)
class Paper:
    """A paper whose claims are judged.

    Attributes:
        name: as ``bench reproduce`` takes it; the stem of its file.
        title: of the paper.
        url: where it is found.
        grids: by scale.
        claims: all claims, those that cannot be judged yet included.
        figures: of the paper, drawn again.
        also: arms that are run for figures only.
        streamed: arms of best-of-n that are drawn far beyond the pool too.
        looked: what is looked at beside the policies of which arms; other runs leave it out.
        notes: what of the paper could not be verified, and where this departs from it.
    """

    name: str
    title: str
    url: str
    grids: Mapping[Scale, Grid]
    claims: tuple[Claim, ...]
    figures: tuple[AnyFigure, ...] = ()
    also: tuple[Arm, ...] = ()
    streamed: tuple[Arm, ...] = ()
    looked: Mapping[Look, tuple[Arm, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        ids = [claim.id for claim in self.claims]
        if len(set(ids)) < len(ids):
            raise ValueError(f"{self.name}: two claims have the same id")
        if set(self.grids) != set(SCALES):
            raise ValueError(f"{self.name}: it needs a grid for each of {', '.join(SCALES)}")
        drawn = {figure.name for figure in self.figures}
        lost = {claim.figure for claim in self.claims if claim.figure} - drawn
        if lost:
            raise ValueError(f"{self.name}: claims name figures that it has not: {sorted(lost)}")

    def looks_of(self, arm: Arm) -> tuple[Look, ...]:
        """What is looked at beside the policies of an arm."""
        return tuple(look for look, arms in self.looked.items() if arm in arms)

    def arms(self, scale: Scale) -> tuple[Arm, ...]:
        """Every arm that a claim or a figure needs at a scale, each once."""
        asked = [arm for claim in self.claims for arm in claim.arms]
        asked += [arm for figure in self.figures for arm in figure.arms]
        left_out = self.grids[scale].without
        return tuple(arm for arm in dict.fromkeys((*asked, *self.also)) if arm not in left_out)
