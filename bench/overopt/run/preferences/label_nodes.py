"""The part of a cell's graph that makes preference data: pairs, and their labels."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from overopt.errors import UserError
from overopt.execution.code.modules import find_module, module_in
from overopt.execution.node import Node
from overopt.run.making import Around, Make
from overopt.run.own_files import described
from overopt.spec.flaw import FlawSpec
from overopt.spec.gold import GoldSpec
from overopt.spec.noise import NoiseSpec
from overopt.spec.system import GOLD_COLUMNS, ProxySystemSpec
from overopt.spec.task import TaskSpec

_OF_THE_WORLD = ("praise", "blind-spot")
"""Flaws that a kind of world has to know."""


class Asked(Protocol):
    """What is asked of a cell (see ``run.cell``)."""

    @property
    def task(self) -> TaskSpec:
        """The task."""
        ...

    @property
    def gold(self) -> GoldSpec:
        """The gold."""
        ...

    @property
    def proxy(self) -> ProxySystemSpec:
        """The reward-side system."""
        ...

    @property
    def noise(self) -> NoiseSpec:
        """Label noise."""
        ...

    @property
    def flaw(self) -> FlawSpec | None:
        """The flaw of the preference data, if it has one."""
        ...

    @property
    def stream(self) -> int:
        """The number that random draws start from."""
        ...

    @property
    def seed(self) -> int:
        """Seed of the run."""
        ...

    @property
    def world(self) -> int:
        """Seed of the world."""
        ...

    @property
    def place(self) -> str:
        """What tells the cell from others of its method and proxy system."""
        ...


class LabelNodes:
    """Preference data of a cell.

    Args:
        cell: its task says who labels, its noise and its flaw how well.
        make: makes nodes of the cell's world.
        around: the rest of the graph.
        pairs: other pairs than those of the initial policy.
        beyond: added to the number that draws start from.

    Raises:
        UserError: the task's people, or the flaw, do not go with the world, the gold or the noise.
    """

    def __init__(
        self,
        cell: Asked,
        make: Make,
        around: Around,
        pairs: Callable[[], Node] | None = None,
        beyond: int = 0,
    ) -> None:
        self._cell, self._make, self._around = cell, make, around
        self._kind, self._other_pairs, self._beyond = cell.task.world.kind, pairs, beyond
        self._refuse_people()
        self._refuse_flaw()

    @property
    def stream(self) -> int:
        """What draws of pairs and of noise start from."""
        return self._cell.stream + self._beyond

    @cached_property
    def pairs(self) -> Node:
        """Unlabeled pairs of this seed."""
        if self._other_pairs is not None:
            return self._other_pairs()
        cell, proxy, hub = self._cell, self._cell.task.proxy, self._cell.task.world.hub
        params: dict[str, Any] = {
            "comparisons": proxy.comparisons,
            "calibration_samples": proxy.calibration_samples,
            "responses": "policy" if hub is None else hub.pairs,
            "seed": self.stream,
        }
        label = f"pairs, world {cell.world} seed {cell.seed}"
        if cell.task.world.pool is not None:
            del params["responses"]
            return self._make("pooled.pairs", params, {}, label)
        inputs = {"initial": self._around.initial}
        if cell.flaw is not None and cell.flaw.name == "coverage":
            del params["responses"]
            params["flaw"] = described(cell.flaw)
            code: tuple[str, ...] = (module_in("worlds", f"{self._kind}.categories"),)
            label = label.replace("pairs", f"pairs of a part of the prompts ({cell.flaw.label})")
            return self._make("people.pairs", params, inputs, label, code)
        code = (module_in("worlds", "hub.pairs"),) if params["responses"] == "data" else ()
        return self._make("pairs", params, inputs, label, code)

    @cached_property
    def labels(self) -> Node:
        """Preference data of this seed, noise and flaw."""
        cell, around, hub = self._cell, self._around, self._cell.task.world.hub
        inputs = {"pairs": self.pairs, "gold": around.gold, "pool": around.pool}
        preference = "gold" if hub is None else hub.labels
        params: dict[str, Any] = {"noise": described(cell.noise), "seed": self.stream}
        label = f"labels, {cell.place}"
        labeling, flaw, code = cell.task.labels, cell.flaw, around.gold_code
        if labeling is None and flaw is None:
            params["preference"] = preference
            return self._make("labels", params, inputs, label, code)
        if labeling is not None:
            params["labeling"] = described(labeling)
            if labeling.noise is not None:
                code += (module_in("worlds", f"{self._kind}.{labeling.noise.by}"),)
        if flaw is not None:
            params["flaw"] = described(flaw)
            if flaw.name in _OF_THE_WORLD:
                code += (module_in("worlds", f"{self._kind}.flaws"),)
        return self._make("people.labels", params, inputs, label, code)

    def _refuse_people(self) -> None:
        cell, labeling = self._cell, self._cell.task.labels
        if labeling is None:
            return
        name, hub = cell.task.name, cell.task.world.hub
        self._refuse_labels_beside(f"{name} has [labels]")
        if hub is not None and hub.labels == "data":
            raise UserError(f"{name}: labels of the data are not those of [labels]; leave out one.")
        if labeling.annotators and cell.gold.kind != "rule":
            raise UserError(
                f"{name}: annotators weigh the terms of a gold that is a rule; use --gold rule."
            )
        if labeling.noise is not None:
            refusal = labeling.noise.refusal(cell.noise)
            if refusal:
                raise UserError(f"{name}: {refusal}.")
            self._require(labeling.noise.by, f"{name}: labels.noise.by = '{labeling.noise.by}'")

    def _refuse_flaw(self) -> None:
        cell, flaw, hub = self._cell, self._cell.flaw, self._cell.task.world.hub
        if flaw is None:
            return
        asked = f"--flaw {flaw.label}"
        self._refuse_labels_beside(asked)
        if GOLD_COLUMNS.intersection(cell.proxy.labels):
            raise UserError(
                f"{asked} is one of preferences, and {cell.proxy.name} learns from what gold says "
                "beside them; choose another --proxy."
            )
        if hub is not None and (hub.labels == "data" or flaw.name == "coverage"):
            raise UserError(
                f"{asked} is one of labels that gold gives to responses of the policy; "
                "choose another --task."
            )
        if flaw.name in _OF_THE_WORLD:
            self._require("flaws", asked)
        if flaw.name == "coverage":
            self._require("categories", asked)
        if flaw.name == "blind-spot" and cell.gold.kind != "rule":
            raise UserError(f"{asked} hides a term of a gold that is a rule; use --gold rule.")

    def _refuse_labels_beside(self, asked: str) -> None:
        proxy = self._cell.proxy
        if proxy.step_scores or proxy.refits:
            raise UserError(
                f"{asked}, which says how pairs of the initial policy are labeled, and "
                f"{proxy.name} learns from other labels too; choose another --proxy or --task."
            )

    def _require(self, module: str, asked: str) -> None:
        if find_module(module_in("worlds", f"{self._kind}.{module}")) is None:
            raise UserError(
                f"{asked} needs {module} of prompts, and worlds of kind {self._kind} know none; "
                "choose another --task."
            )
