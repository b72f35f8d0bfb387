"""What is compared with what: entrants, contests, and the question that is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from overopt.errors import UserError
from overopt.report.group import Group, SeedCurve
from overopt.stats.arrays import Floats

Metric = Literal["gold-at-kl", "peak", "end", "hypervolume"]
Gains = Callable[[int, SeedCurve], Floats | None]
"""From a world and a seed's curve to gold above the initial policy, by its points and prompts."""

METRICS: tuple[Metric, ...] = get_args(Metric)


class Question(NamedTuple):
    """What is asked of every method.

    Attributes:
        metric: gold at a fixed KL, at its peak, at the end of the budgets; or the hypervolume.
        at_kl_nats: the fixed KL, nats; the other metrics do not read it.
        baseline: the method that others are set against; None for the best one.
    """

    metric: Metric = "gold-at-kl"
    at_kl_nats: float = 4.0
    baseline: str | None = None

    @classmethod
    def ask(cls, metric: str, at_kl_nats: float, baseline: str | None) -> Question:
        """A question from words.

        Raises:
            UserError: there is no such metric, or the KL is not a positive number.
        """
        for known in METRICS:
            if metric == known:
                if not 0.0 < at_kl_nats < float("inf"):
                    raise UserError(
                        f"--at-kl {at_kl_nats:g}: a KL is a number of nats above 0; give one such "
                        "as 4."
                    )
                return cls(known, float(at_kl_nats), baseline)
        raise UserError(
            f"--metric {metric[:40]!r}: there is no such metric; choose one of "
            f"{', '.join(METRICS)}."
        )


@dataclass(frozen=True)
class Entrant:
    """One method in one setting.

    Attributes:
        method: its label, which also names engine, axis or version where these differ.
        family: its family; empty where the run's record does not tell.
        sees_proxy: whether a proxy had a part in its policies.
        groups: its seeds in each world.
        gains: reads gold by prompt; None for seeds for which it was not stored.
    """

    method: str
    family: str
    sees_proxy: bool
    groups: Mapping[int, Group]
    gains: Gains

    def curves(self, world: int, seeds: tuple[int, ...]) -> list[SeedCurve] | None:
        """The curves of some seeds; None where one of them has nothing beyond the start."""
        by_seed = {curve.seed: curve for curve in self.groups[world].seeds}
        found = [by_seed[seed] for seed in seeds if seed in by_seed]
        whole = len(found) == len(seeds) and all((one.kl_nats_K > 0).any() for one in found)
        return found if whole else None

    def is_whole(self, world: int, seeds: tuple[int, ...]) -> bool:
        """Whether these are all the seeds that were run there."""
        return len(seeds) == self.groups[world].n_seeds


@dataclass(frozen=True)
class Contest:
    """Methods that share all that a comparison asks for.

    Attributes:
        task: the task's label, which names the gold where there are several.
        proxy: the proxy's label; empty where no method of the contest sees one.
        noise: label noise.
        seeds_of: seeds of each world that all entrants have run.
        entrants: the methods.
    """

    task: str
    proxy: str
    noise: str
    seeds_of: Mapping[int, tuple[int, ...]]
    entrants: tuple[Entrant, ...]

    @property
    def n_seeds(self) -> int:
        """Seeds in the world that has the fewest."""
        return min(len(seeds) for seeds in self.seeds_of.values())

    @property
    def title(self) -> str:
        """The setting in words."""
        worlds = sorted(self.seeds_of)
        parts = [self.task, self.proxy, f"noise {self.noise}"]
        parts.append(f"world{'s' if len(worlds) > 1 else ''} {', '.join(map(str, worlds))}")
        counts = sorted({len(seeds) for seeds in self.seeds_of.values()})
        parts.append(f"{' or '.join(map(str, counts))} seed{'s' if counts[-1] > 1 else ''}"
                     f"{' each' if len(worlds) > 1 else ''}")  # fmt: skip
        return ", ".join(part for part in parts if part)
