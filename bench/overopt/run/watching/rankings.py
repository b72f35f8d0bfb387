"""What is looked at beside the points of a cell, such as how a run's policies rank pairs."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from overopt.execution.node import Node
from overopt.spec.declare import TRAINING_FAMILIES
from overopt.spec.method import MethodSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import ProxySystemSpec

PAIRS = 256
"""Pairs that are read, of those held out and of those trained on, from the first on."""


class RunGraph(Protocol):
    """What is asked of the graph of a cell (see ``run.graph``)."""

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    @property
    def labels(self) -> Node:
        """Preference data."""
        ...

    def optimize(self, knob_value: float | None, kl_grid_nats: tuple[float, ...]) -> Node:
        """The method's run."""
        ...

    def angles(self, kl_grid_nats: tuple[float, ...]) -> list[Node]:
        """The angles between policies that are merged; none of other methods."""
        ...

    @property
    def component_points(self) -> Node:
        """Where gold is highest over the components of the proxy."""
        ...

    def make(self, stage: str, params: dict[str, Any], inputs: dict[str, Node], label: str) -> Node:
        """The node of a stage in the cell's world."""
        ...


class Beside(NamedTuple):
    """The cell beside whose points something is looked at."""

    method: MethodSpec
    proxy: ProxySystemSpec
    noise: NoiseSpec
    title: str


def beside(
    graph: RunGraph, cell: Beside, along: str, kl_grid_nats: tuple[float, ...]
) -> list[Node]:
    """What is looked at beside a cell's points.

    Rankings by the policies that one run passes; none where the knob is driven, as then every point
    is a run of its own. Angles between members that are merged. Where a pool is reweighted by a
    reward of components, the points at which gold is highest over these.

    Args:
        graph: of the cell.
        cell: the cell.
        along, kl_grid_nats: of the run.
    """
    method = cell.method
    if method.family == "merge":
        return graph.angles(kl_grid_nats)
    if _reweights(method) and _has_components(cell.proxy):
        return [graph.component_points]
    if method.family not in TRAINING_FAMILIES or along != "step":
        return []
    params = {
        "beta": _beta(method),
        "right_share": _right_share(cell.noise),
        "pairs": PAIRS,
    }
    inputs = {
        "initial": graph.initial,
        "labels": graph.labels,
        "optimize": graph.optimize(None, kl_grid_nats),
    }
    return [graph.make("beside.rankings", params, inputs, f"rankings of {cell.title}")]


def _reweights(method: MethodSpec) -> bool:
    """Whether a method reads the pool as it was scored."""
    return method.family == "selection" and not (
        method.composes or method.filters or method.searches
    )


def _has_components(proxy: ProxySystemSpec) -> bool:
    """Whether every member of a proxy that scores has learned a term of the gold rule."""
    return "terms" in proxy.labels and proxy.scored == proxy.members > 1


def _beta(method: MethodSpec) -> float | None:
    """The weight of the KL that a method which learns from pairs names; None of others."""
    beta = method.config.get("beta") if method.family == "pairs" else None
    return float(beta) if isinstance(beta, int | float) and beta > 0 else None


def _right_share(noise: NoiseSpec) -> float | None:
    """How often a label names gold's better response, where that is one number for all pairs."""
    wrong_of = {"flip": 1.0, "random": 0.5}
    return 1.0 - wrong_of[noise.kind] * noise.amount if noise.kind in wrong_of else None
