"""The part of a cell's graph that a world has once: initial policy, gold and the pool."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from overopt.execution.code.modules import module_in
from overopt.execution.node import Node, Resources
from overopt.execution.stage import node
from overopt.run.initial_nodes import InitialNodes
from overopt.run.own_files import described
from overopt.run.preferences.pooled import made_by
from overopt.run.stage_names import STAGES, kind_of
from overopt.spec.gold import GoldSpec
from overopt.spec.task import TaskSpec


class WorldNodes:
    """What all cells of a world and a gold start from; each node is made once.

    gold_code: what has to be loaded by name to read the gold.
    policies: made by imitation alone.

    Args:
        task: in this world.
        gold: its gold.
    """

    def __init__(self, task: TaskSpec, gold: GoldSpec) -> None:
        self._task, self._gold = task, gold
        self._world = described(task.world)
        self._code = (module_in("worlds", f"{task.world.kind}.world"),)
        self.gold_code = (module_in("artifacts.golds", gold.kind),)
        self.policies = InitialNodes(task, self.make)

    def make(
        self,
        stage: str,
        params: dict[str, Any],
        inputs: dict[str, Node],
        label: str,
        code: tuple[str, ...] = (),
        resources: Resources | None = None,
    ) -> Node:
        """The node of a stage in this world; ``code`` is what the stage loads by name."""
        return node(
            f"{STAGES}.{stage}",
            {"world": self._world, **params},
            inputs,
            label=label,
            extra_code=self._code + code,
            resources=resources,
            kind=kind_of(self._task.name, label),
        )

    @cached_property
    def gold(self) -> Node:
        """The gold."""
        task, gold = self._task, self._gold
        params = {"gold": described(gold), "seed": task.world.seed}
        code = () if gold.kind == "rule" else (module_in("stages.golds", gold.kind),)
        label = f"gold {gold.name}, world {task.world.seed}"
        inputs = {} if task.world.pool is not None else {"initial": self.policies.initial}
        return self.make("gold", params, inputs, label, code)

    @cached_property
    def pool(self) -> Node:
        """The initial policy's responses to the held-out prompts."""
        task = self._task
        params = {
            "samples_per_prompt": task.evaluation.pool_samples_per_prompt,
            "seed": task.world.seed,
        }
        inputs = {"initial": self.policies.initial, "gold": self.gold}
        stage, inputs, code = made_by(task, "pool", inputs, self.gold_code)
        label = f"pool of the initial policy, world {task.world.seed}"
        return self.make(stage, params, inputs, label, code)

    @cached_property
    def recentering(self) -> Node:
        """As much of the pool as a proxy is recentered by."""
        return self.policies.recentering(self.pool)

    @cached_property
    def listing(self) -> Node:
        """Every response to the held-out prompts, where the world lists them."""
        inputs = {"initial": self.policies.initial, "gold": self.gold}
        stage, inputs, code = made_by(self._task, "listing", inputs, self.gold_code)
        label = f"every response, world {self._task.world.seed}"
        return self.make(stage, {}, inputs, label, code)
