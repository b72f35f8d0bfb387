"""Nodes of what a practitioner sees along a run, beside the graph of its cell.

Whatever a run optimizes, it is watched by the same further reward models: an ensemble that learns
from the run's own preference data, whose first member lends its hidden states, and one that learns
from comparisons of its own. None of it is an input of the run, so that no key of the run moves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Protocol

from overopt.execution.code.modules import module_in
from overopt.execution.node import Node
from overopt.execution.stage import node
from overopt.run.cell import Cell
from overopt.run.own_files import without_place
from overopt.run.stage_names import STAGES, kind_of
from overopt.spec.declare import OF_PROXY, TRAINING_FAMILIES
from overopt.spec.method import MethodSpec
from overopt.spec.monitor import WATCHED, Signal
from overopt.spec.system import ProxySystemSpec

MEMBERS = 5
"""Reward models of the watching ensemble, as many as Coste et al. train."""

ENSEMBLE = ProxySystemSpec(name="mean", source="overopt.proxies.mean", config={"members": MEMBERS})
"""The watching ensemble, whose members are those of every plain system of the run's task."""

INITIAL_PER_PROMPT = 64
"""Samples of the initial policy for each prompt that looks are compared with."""

OTHER_SEED = 3 * 2**30
"""Added to a run's seed for the reward model of other comparisons: a seed of no run of people's."""


def can_be_watched(method: MethodSpec) -> bool:
    """Whether a method has a training run that passes policies on its way."""
    return method.family in TRAINING_FAMILIES


def why_no_twin(method: MethodSpec) -> str:
    """Why no run of a method can be optimized against gold; empty where one can."""
    if not method.learns_from_proxy:
        return "it learns from preference pairs and is handed no reward"
    odd = [need for need in method.needs if need in OF_PROXY or need in _NOT_OF_GOLD]
    if odd:
        return f"it asks the proxy for {', '.join(odd)}, which gold does not have"
    return ""


_NOT_OF_GOLD = ("step_rewards",)


class RunGraph(Protocol):
    """What is asked of the graph of a cell (see ``run.graph``)."""

    @property
    def initial(self) -> Node:
        """The initial policy."""
        ...

    @property
    def pool(self) -> Node:
        """The initial policy's responses to the held-out prompts."""
        ...

    def optimize(self, knob_value: float | None, kl_grid_nats: tuple[float, ...]) -> Node:
        """The method's run."""
        ...

    def evaluate(self, optimized: Node) -> Node:
        """The policies of a run, sampled on the held-out prompts."""
        ...

    def proxy(self, member: int) -> Node:
        """One proxy of the cell."""
        ...

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on samples."""
        ...


class WatchNodes:
    """What is seen along the run of a cell, and along its twin.

    Args:
        graph: of a cell.
        cell: of a method that trains, along its steps.
        kl_grid_nats: budgets of the run.
        wanted: signals besides what every run has.
    """

    def __init__(
        self,
        graph: Callable[[Cell], RunGraph],
        cell: Cell,
        kl_grid_nats: tuple[float, ...],
        wanted: Collection[Signal] = WATCHED,
    ) -> None:
        self._cell, self._grid, self._wanted = cell, kl_grid_nats, frozenset(wanted)
        self._make, self._graph = graph, graph(cell)
        plain = replace(cell, proxy=ENSEMBLE)
        self._ensemble = graph(plain)
        self._other = graph(replace(plain, seed=cell.seed + OTHER_SEED))
        base = cell.task.proxy.base
        self._reading = () if base is None else (module_in("models", "reading"),)

    def _node(
        self,
        stage: str,
        params: dict[str, Any],
        inputs: dict[str, Node],
        label: str,
        code: tuple[str, ...] = (),
        reads_world: bool = True,
    ) -> Node:
        world = self._cell.task.world
        if reads_world:
            params = {"world": world.to_json(), **params}
            code = (module_in("worlds", f"{world.kind}.world"), *code)
        return node(
            f"{STAGES}.watching.{stage}",
            params,
            inputs,
            label=label,
            extra_code=code,
            kind=kind_of(self._cell.task.name, label),
        )

    def initial(self) -> Node:
        """Samples of the initial policy that looks are compared with."""
        label = f"first look, world {self._cell.world}"
        params = {"per_prompt": INITIAL_PER_PROMPT}
        return self._node("initial", params, {"pool": self._graph.pool}, label, reads_world=False)

    def signals(self) -> Node:
        """What is seen along the run."""
        return self._signals(self._graph, self._cell)

    def twin(self, gold: ProxySystemSpec) -> Node:
        """What is seen along the run of the same method, seed and budgets against gold.

        It is watched by the reward models of the run itself.
        """
        cell = replace(self._cell, proxy=gold)
        return self._signals(self._make(cell), cell)

    def _signals(self, graph: RunGraph, cell: Cell) -> Node:
        run = graph.optimize(None, self._grid)
        samples = {"initial": self.initial(), "run": graph.evaluate(run)}
        inputs: dict[str, Node] = {}
        for role, one in samples.items():
            for member in range(cell.proxy.scored):
                inputs[f"score.{role}.{member}"] = graph.score(member, one, one.label)
        params = {"system": without_place(cell.proxy).to_json()}
        return self._seen(
            run, samples, params, inputs, (cell.proxy.source,), f"signals of {cell.title}"
        )

    def _seen(
        self,
        run: Node,
        samples: dict[str, Node],
        params: dict[str, Any],
        inputs: dict[str, Node],
        code: tuple[str, ...],
        label: str,
    ) -> Node:
        """The joined signals of one run, with those further models that are wanted."""
        members = MEMBERS if "spread" in self._wanted else 0
        for role, one in samples.items():
            inputs[f"samples.{role}"] = one
            for member in range(members):
                inputs[f"watch.{role}.{member}"] = self._ensemble.score(member, one, one.label)
            if "heldout_proxy" in self._wanted:
                inputs[f"heldout.{role}"] = self._other.score(0, one, f"{one.label}, held out")
            if "outlier_share" in self._wanted:
                inputs[f"states.{role}"] = self._node(
                    "states",
                    {},
                    {
                        "proxy": self._ensemble.proxy(0),
                        "usual": samples["initial"],
                        "samples": one,
                    },
                    f"outliers of {one.label}",
                    self._reading,
                )
            if "energy_loss" in self._wanted:
                policies = (
                    {"initial": self._graph.initial} if role == "initial" else {"optimize": run}
                )
                inputs[f"energy.{role}"] = self._node(
                    "energy", {}, {"samples": one, **policies}, f"energy loss of {one.label}"
                )
        return self._node(
            "signals", {**params, "members": members}, inputs, label, code, reads_world=False
        )
