"""What a claim compares: arms, each a method in one setting, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from overopt.stats.arrays import Floats

EXAM = "exam"
"""In place of a method: the proxies of an arm are examined, and nothing optimizes them."""


@dataclass(frozen=True)
class Arm:
    """One curve of a paper's grid, as options of ``bench run`` would name it.

    Attributes:
        method: name of a method, or `EXAM`.
        proxy: name of a proxy system.
        noise: label noise.
        proxy_width: width of the proxies from scratch; None for the task's.
        comparisons: preference pairs; None for the task's.
        proxy_start: what proxies start from; None for the task's.
        settings: of method, proxy or task, as ``--set`` takes them.
        along: how a method that trains reaches a KL budget.
        task: name of a task other than the grid's; None for the grid's.
        flaw: of the labels, with its dose, such as ``coverage:0.5``; None for none.
        seeds: how many, from 0 on, where a claim is about seeds; None for the grid's.
    """

    method: str
    proxy: str = "single"
    noise: str = "0.25"
    proxy_width: int | None = None
    comparisons: int | None = None
    proxy_start: str | None = None
    settings: tuple[str, ...] = ()
    along: str = "step"
    task: str | None = None
    flaw: str | None = None
    seeds: int | None = None

    @property
    def name(self) -> str:
        """Readable and distinct, such as ``bon, single, noise 0.25, width 16``."""
        parts = [self.method, self.proxy, f"noise {self.noise}"]
        parts += [f"flaw {self.flaw}"] if self.flaw is not None else []
        parts += [f"width {self.proxy_width}"] if self.proxy_width is not None else []
        parts += [f"{self.comparisons} pairs"] if self.comparisons is not None else []
        parts += [f"from {self.proxy_start}"] if self.proxy_start is not None else []
        parts += list(self.settings)
        parts += ["along the knob"] if self.along == "knob" else []
        parts += [f"on {self.task}"] if self.task is not None else []
        parts += [f"{self.seeds} seeds"] if self.seeds is not None else []
        return ", ".join(parts)


class ReadsArms(Protocol):
    """A statistic or a rule."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is read from."""


def arms_of(parts: Iterable[ReadsArms]) -> tuple[Arm, ...]:
    """The arms of all parts, each once, in the order in which they come."""
    return tuple(dict.fromkeys(arm for one in parts for arm in one.arms))


class Beyond(NamedTuple):
    """Best-of-n beyond the pool, n ascending: KL with ties known, nats; gold above the initial."""

    n_K: Floats
    kl_nats_K: Floats
    gold_K: Floats


@dataclass(frozen=True)
class SeedRows:
    """What one seed of an arm was measured at, sorted by KL, the initial policy first.

    Attributes:
        seed: the seed.
        kl_K: KL, nats.
        target_K: budget that a point was taken for, nats; NaN where it was taken for none.
        from_nats: least KL above 0 that it may be read at, nats: it leapt there at first.
        columns: further columns of ``points.csv``, and of the tables beside it, by name, one number
            per point; NaN for missing.
        gain_KB: gold above the initial policy by prompt; None where that was not stored.
        training: columns of ``trajectory.csv`` of its run, by name; empty where none was stored.
        beyond: best-of-n beyond the pool; None where it was not drawn.
        angles: between what the members of a merged policy have learned, degrees, by layer and over
            all weights; a mean over pairs of members, without layers that one has not moved in.
        marks: what exams of its proxies came to, by exam and what it is of; empty for most.
        components: scores of components where gold is highest, by half of the prompts and kind of
            search (see ``COMPONENT_COLUMNS``), in the order of the members.
    """

    seed: int
    kl_K: Floats
    target_K: Floats
    columns: Mapping[str, Floats]
    gain_KB: Floats | None
    training: Mapping[str, Floats] = field(default_factory=dict)
    beyond: Beyond | None = None
    angles: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[tuple[str, str], float] = field(default_factory=dict)
    components: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    from_nats: float = 0.0

    def column(self, name: str) -> Floats:
        """One column, shape (K,).

        Raises:
            ValueError: it was not stored.
        """
        if name == "kl_nats":
            return self.kl_K
        if name not in self.columns:
            raise ValueError(f"no {name} was stored")
        return self.columns[name]


@dataclass(frozen=True)
class ArmRows:
    """All that was measured of one arm.

    Attributes:
        worlds: by world, its seeds in ascending order.
        estimator: of the KL axis.
        folders: names of the run folders that it comes from.
        missing: why it cannot be judged; empty where it can.
        looks: what its run was asked to look at besides.
    """

    worlds: Mapping[int, tuple[SeedRows, ...]]
    estimator: str = ""
    folders: tuple[str, ...] = ()
    missing: str = ""
    looks: frozenset[str] = frozenset()


Measured = Mapping[Arm, ArmRows]
"""Every arm of a paper's grid, those that were not run included."""


class OutOfReach(Exception):
    """A claim speaks of a KL that an arm did not get to."""


class NotMeasured(Exception):
    """What a claim is about was not run, or not stored."""


class Undefined(Exception):
    """All was run and stored, and what a claim speaks of did not happen in some run."""


class Scope:
    """The arms of one claim, over the worlds and seeds that all of them have."""

    def __init__(self, measured: Measured, arms: tuple[Arm, ...]) -> None:
        """Raises `NotMeasured` where an arm is missing, or nothing is common to all."""
        self.arms = arms
        rows: dict[Arm, ArmRows] = {}
        self._rows, self._seeds = rows, dict[int, list[int]]()
        if not arms:
            return  # numbers that need no run
        for arm in arms:
            one = measured.get(arm)
            if one is None or one.missing or not one.worlds:
                reason = "not in this grid" if one is None else one.missing or "no rows"
                raise NotMeasured(f"{arm.name}: {reason}")
            rows[arm] = one
        worlds = set.intersection(*(set(one.worlds) for one in rows.values()))
        self._seeds = {
            world: sorted(
                set.intersection(
                    *({seed.seed for seed in one.worlds[world]} for one in rows.values())
                )
            )
            for world in sorted(worlds)
        }
        self._seeds = {world: seeds for world, seeds in self._seeds.items() if seeds}
        if not self._seeds:
            raise NotMeasured("the arms have no world and seed in common")

    def of(self, arms: tuple[Arm, ...]) -> Scope:
        """The same worlds and seeds with some of the arms, which then share an end of their own."""
        part = copy(self)
        part.arms = arms
        return part

    @property
    def worlds(self) -> tuple[int, ...]:
        """Worlds that all arms have."""
        return tuple(self._seeds)

    @property
    def n_seeds(self) -> int:
        """Seeds in the world that has the fewest."""
        return min(map(len, self._seeds.values()))

    def n_seeds_of(self, world: int) -> int:
        """Seeds in one world."""
        return len(self._seeds[world])

    def rows(self, arm: Arm, world: int) -> list[SeedRows]:
        """The common seeds of an arm in one world, in ascending order."""
        wanted = set(self._seeds[world])
        return [one for one in self._rows[arm].worlds[world] if one.seed in wanted]

    def reached(self, arm: Arm) -> list[float]:
        """Budgets that every common seed of an arm reached, ascending, nats."""
        sets = [
            set(one.target_K[one.target_K > 0.0].tolist())
            for world in self._seeds
            for one in self.rows(arm, world)
        ]
        return sorted(set.intersection(*sets))

    def common_end(self) -> float:
        """The largest budget that every common seed of every arm with a method reached, nats.

        Raises:
            OutOfReach: there is none.
        """
        moved = [arm for arm in self.arms if arm.method != EXAM]
        budgets = set.intersection(*(set(self.reached(arm)) for arm in moved))
        if not budgets:
            raise OutOfReach("no KL budget was reached by all seeds of all arms")
        return max(budgets)


class ReadOfArms(Protocol):
    """A statistic (see ``verdicts.statistics``)."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it is read from."""

    def read(self, scope: Scope) -> Mapping[int, Floats]:
        """Its value for every world, seed and, where it has them, prompt; raises as statistics."""


@dataclass(frozen=True)
class OfArm:
    """What is read of a single arm."""

    arm: Arm

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that it reads."""
        return (self.arm,)
