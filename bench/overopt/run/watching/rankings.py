"""The node that says how a run's policies rank preference pairs, beside the graph of its cell."""

from __future__ import annotations

from typing import Any, Protocol

from overopt.execution.node import Node
from overopt.spec.declare import TRAINING_FAMILIES
from overopt.spec.method import MethodSpec
from overopt.spec.noise import NoiseSpec

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

    def make(self, stage: str, params: dict[str, Any], inputs: dict[str, Node], label: str) -> Node:
        """The node of a stage in the cell's world."""
        ...


def beside(
    graph: RunGraph,
    method: MethodSpec,
    noise: NoiseSpec,
    title: str,
    along: str,
    kl_grid_nats: tuple[float, ...],
) -> list[Node]:
    """What is looked at beside a cell's points: rankings by the policies that one run passes.

    None where nothing trains, and where the knob is driven: then every point is a run of its own.

    Args:
        graph: of the cell.
        method, noise, title: of the cell.
        along, kl_grid_nats: of the run.
    """
    if method.family not in TRAINING_FAMILIES or along != "step":
        return []
    params = {
        "beta": _beta(method),
        "right_share": _right_share(noise),
        "pairs": PAIRS,
    }
    inputs = {
        "initial": graph.initial,
        "labels": graph.labels,
        "optimize": graph.optimize(None, kl_grid_nats),
    }
    return [graph.make("beside.rankings", params, inputs, f"rankings of {title}")]


def _beta(method: MethodSpec) -> float | None:
    """The weight of the KL that a method which learns from pairs names; None of others."""
    beta = method.config.get("beta") if method.family == "pairs" else None
    return float(beta) if isinstance(beta, int | float) and beta > 0 else None


def _right_share(noise: NoiseSpec) -> float | None:
    """How often a label names gold's better response, where that is one number for all pairs."""
    wrong_of = {"flip": 1.0, "random": 0.5}
    return 1.0 - wrong_of[noise.kind] * noise.amount if noise.kind in wrong_of else None
