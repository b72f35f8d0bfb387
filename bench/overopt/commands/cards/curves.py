"""The committed curve of a method or proxy, and what it cost: rows of ``results/curves.csv``."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from overopt.catalog.lookup import data_folder
from overopt.stats.budgets import last_shared

Kind = Literal["methods", "proxies"]

_PLACE = ("task", "world", "method", "proxy", "noise")


@dataclass(frozen=True)
class Budget:
    """Means over the seeds that reached a KL budget; 0 nats are the initial policy.

    gold in SDs of the initial policy, with its 95 % interval where there are several seeds.
    samples: responses drawn up to there; tokens: tokens processed; None at the initial policy.
    """

    target_nats: float
    kl_nats: float
    gold: float
    low: float | None
    high: float | None
    seeds: int
    samples: float | None
    tokens: float | None


@dataclass(frozen=True)
class Curve:
    """One committed curve: budgets in the order of KL, and where they were measured."""

    task: str
    world: str
    method: str
    proxy: str
    noise: str
    seeds_run: int
    budgets: tuple[Budget, ...]

    @property
    def met(self) -> dict[float, Budget]:
        """The budgets that all seeds met, by their KL in nats."""
        whole = (one for one in self.budgets if one.seeds == self.seeds_run)
        return {one.target_nats: one for one in whole if one.target_nats}

    @property
    def where(self) -> str:
        """Where it was measured, in words."""
        seeds = f"{self.seeds_run} seed{'' if self.seeds_run == 1 else 's'}"
        return f"{self.task}, world {self.world}, {self.proxy}, noise {self.noise}, {seeds}"


def read_curves(path: Path | None = None) -> tuple[Curve, ...]:
    """All committed curves; none where the table is not there."""
    path = path or data_folder("results") / "curves.csv"
    if not path.is_file():
        return ()
    found: dict[tuple[str, ...], list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(tuple(row[name] for name in _PLACE), []).append(row)
    return tuple(_curve(rows) for rows in found.values())


def _curve(rows: list[dict[str, str]]) -> Curve:
    first = rows[0]
    return Curve(
        task=first["task"],
        world=first["world"],
        method=first["method"],
        proxy=first["proxy"],
        noise=first["noise"],
        seeds_run=int(first["seeds_run"]),
        budgets=tuple(sorted(map(_budget, rows), key=lambda one: one.kl_nats)),
    )


def _budget(row: dict[str, str]) -> Budget:
    def number(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Budget(
        target_nats=number("kl_target_nats") or 0.0,
        kl_nats=float(row["kl_nats"]),
        gold=float(row["gold"]),
        low=number("gold_low"),
        high=number("gold_high"),
        seeds=int(row["seeds"]),
        samples=number("samples"),
        tokens=number("tokens"),
    )


def curve_of(curves: Sequence[Curve], kind: Kind, name: str) -> Curve | None:
    """The curve that stands for a method or proxy, out of all that are committed.

    Of several, that with the default proxy, or under best-of-n; then of the least noise, the
    default task and the most seeds.
    """
    own = [one for one in curves if (one.method if kind == "methods" else one.proxy) == name]
    return min(own, key=lambda one: _order(one, kind), default=None)


def _order(one: Curve, kind: Kind) -> tuple[object, ...]:
    usual = one.proxy == "single" if kind == "methods" else one.method == "bon"
    return (not usual, float(one.noise.split()[-1]), one.task != "reviews", -one.seeds_run)


def baseline_of(method: str, family: str, per_answer: bool) -> str:
    """Whom the cost of a method is compared with.

    What pays for every answer again is set against bon, what learns from fresh samples against
    rloo, and everything else against dpo; rloo too, so that the two scales are tied.

    Args:
        method: its name.
        family: of what it trains; of merged policies, that of the runs that are merged.
        per_answer: whether it pays for every answer again.
    """
    if per_answer:
        return "bon"
    online = family in ("rollout", "iterative")
    return "rloo" if online and method != "rloo" else "dpo"


def cost_of(curves: Sequence[Curve], curve: Curve, baseline: str) -> str:
    """What a method cost relative to another, in words: responses drawn for bon, else tokens.

    Both are told at the largest budget that all seeds of both reached in the same world; empty
    where there is none, or nothing to compare: a baseline is not compared with itself.
    """
    if curve.method == baseline:
        return ""
    (other,) = [
        one
        for one in curves
        if one.method == baseline
        and one.proxy == "single"
        and (one.task, one.world, one.noise) == (curve.task, curve.world, curve.noise)
    ][:1] or (None,)
    if other is None:
        return ""
    shared = last_shared(curve.met, other.met)
    if shared is None:
        return ""
    at_nats, mine, base = shared
    drawn = baseline == "bon"
    paid = (mine.samples, base.samples) if drawn else (mine.tokens, base.tokens)
    if not paid[0] or not paid[1]:
        return ""
    what = "responses drawn" if drawn else "tokens processed"
    ratio = float(f"{paid[0] / paid[1]:.2g}")
    return f"{ratio:g} x {baseline} ({what} up to {at_nats:g} nats)"
