"""Nodes of what is looked at beside a run's policies where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from overopt.execution.node import Node
from overopt.run.own_files import described
from overopt.run.watching.rankings import PAIRS
from overopt.spec.look import Look
from overopt.spec.system import ProxySystemSpec
from overopt.spec.task import TaskSpec

INFORM = ProxySystemSpec(
    name="inform",
    source="overopt.proxies.inform",
    config={"members": 1, "latents": 128, "weight": 0.001, "averaged": False, "penalty": 0.0},
    own_loss=True,
    own_head=True,
    settles=True,
)
"""The system, as it is shipped, in whose latents samples are compared as the index's authors do."""

READ = 1024
"""Samples of a policy that are read, over all held-out prompts, at most; one of each at least."""

FOLLOWED = 256
"""Responses of the pool that the forward KL is read along, over all held-out prompts, likewise."""


class LookGraph(Protocol):
    """What is asked of the graph of a cell (see ``run.graph``)."""

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    @property
    def labels(self) -> Node:
        """Preference data."""
        ...

    @property
    def pool(self) -> Node:
        """The initial policy's responses to the held-out prompts."""
        ...

    @property
    def reading_code(self) -> tuple[str, ...]:
        """What has to be loaded by name to read the proxy."""
        ...

    def varied(self, **changed: Any) -> LookGraph:
        """The graph of the cell with some fields changed."""
        ...

    def proxy(self, member: int) -> Node:
        """One proxy of the cell."""
        ...

    def evaluate(self, optimized: Node) -> Node:
        """The policies of a run, sampled on the held-out prompts."""
        ...

    def make(
        self,
        stage: str,
        params: dict[str, Any],
        inputs: dict[str, Node],
        label: str,
        code: tuple[str, ...] = (),
    ) -> Node:
        """The node of a stage in the cell's world."""
        ...


class Looked(NamedTuple):
    """What of a cell is looked at: its points, its run, and what the cell says of itself."""

    points: Node
    optimized: Node
    task: TaskSpec
    proxy: ProxySystemSpec
    title: str


def looks(graph: LookGraph, asked: Sequence[Look], of: Looked) -> list[Node]:
    """What is asked to be looked at beside the points of a cell whose policies one run passes."""
    return [_MAKERS[look](graph, of) for look in asked]


def _separation(graph: LookGraph, of: Looked) -> Node:
    """Samples in the latents of InfoRM, which learns from the cell's own preference data.

    In those of the cell's own proxy where that is InfoRM, whatever its settings.
    """
    own = of.proxy.name == INFORM.name
    system = of.proxy if own else INFORM
    against = graph if own else graph.varied(proxy=system)
    evaluation = of.task.evaluation
    per_prompt = min(
        evaluation.samples_per_prompt,
        evaluation.pool_samples_per_prompt // 2,
        READ // of.task.world.heldout_prompts,
    )
    params = {"system": described(system), "per_prompt": max(1, per_prompt)}
    samples = graph.evaluate(of.optimized)
    inputs = {"proxy": against.proxy(0), "pool": graph.pool, "samples": samples}
    code = (system.source, *against.reading_code)
    return graph.make("beside.separation", params, inputs, f"separation of {of.title}", code)


def _scores(graph: LookGraph, of: Looked) -> Node:
    """Distributions of scores, of all that the points are measured on."""
    params = {"system": described(of.proxy)}
    label = f"scores of {of.title}"
    return graph.make("beside.scores", params, dict(of.points.inputs), label, (of.proxy.source,))


def _forward(graph: LookGraph, of: Looked) -> Node:
    """KL(initial || policy), along responses of the pool."""
    most = of.task.evaluation.pool_samples_per_prompt
    params = {"per_prompt": max(1, min(most, FOLLOWED // of.task.world.heldout_prompts))}
    inputs = {"initial": graph.initial, "optimize": of.optimized, "pool": graph.pool}
    return graph.make("beside.forward", params, inputs, f"forward KL of {of.title}")


def _calibration(graph: LookGraph, of: Looked) -> Node:
    """Choices between the responses of held-out pairs."""
    inputs = {"initial": graph.initial, "labels": graph.labels, "optimize": of.optimized}
    label = f"calibration of {of.title}"
    return graph.make("beside.calibration", {"pairs": PAIRS}, inputs, label)


_MAKERS: dict[Look, Callable[[LookGraph, Looked], Node]] = {
    "separation": _separation,
    "scores": _scores,
    "forward": _forward,
    "calibration": _calibration,
}
