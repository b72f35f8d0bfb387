"""A cell, one method in one world against one proxy system with one noise and seed; its fate."""

from __future__ import annotations

from dataclasses import dataclass

from overopt.execution.node import Node
from overopt.execution.outcomes import Failure
from overopt.spec.engine import Engine
from overopt.spec.flaw import FlawSpec
from overopt.spec.gold import GoldSpec
from overopt.spec.method import MethodSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec


@dataclass(frozen=True)
class Cell:
    """Identity of one cell of a run.

    stack: seeds of the cells that it is trained together with, itself among them; none where it is
        trained alone.
    """

    task: TaskSpec
    gold: GoldSpec
    method: MethodSpec
    proxy: ProxySystemSpec
    noise: NoiseSpec
    seed: int
    engine: Engine = "native"
    flaw: FlawSpec | None = None
    level: str = ""
    stack: tuple[int, ...] = ()

    @property
    def world(self) -> int:
        """Seed of the world."""
        return self.task.world.seed

    @property
    def stream(self) -> int:
        """The number that the cell's random draws start from; 32-bit seeds of worlds never meet.

        With the seed alone, seed 3 would start its proxies from the same weights in every world,
        and the means of worlds would vary too little.
        """
        return self.seed + (self.world << 32)

    @property
    def title(self) -> str:
        """Readable identity, such as ``dpo single noise 0.25 world 0 seed 3``."""
        return f"{self.method.name} {self.proxy.name} {self.place}"

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        place = f"noise {self.noise_label} world {self.world} seed {self.seed}"
        return f"{place}, {self.level}" if self.level else place

    @property
    def noise_label(self) -> str:
        """All that stands between gold and labels: noise, and a flaw where there is one."""
        return self.noise.label if self.flaw is None else f"{self.noise.label} {self.flaw.label}"

    @property
    def columns(self) -> dict[str, str | int | None]:
        """What tells the preference data and proxies of the cell from others, in tables."""
        return {
            "world": self.world,
            "proxy": self.proxy.name,
            "noise": self.noise_label,
            "proxy_start": self.task.proxy.start,
            "proxy_width": self.task.proxy_width,
            "comparisons": self.task.proxy.comparisons,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Found:
    """What became of a cell: its points' artifact, or the failure that ended it.

    beside: what is looked at beside its points, as far as it was made. beside_failures: the rest.
    """

    cell: Cell
    points: Node | None
    failure: Failure | None
    beside: tuple[Node, ...] = ()
    beside_failures: tuple[Failure, ...] = ()
