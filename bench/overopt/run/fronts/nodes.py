"""The nodes of the oracle front of a world."""

from __future__ import annotations

from typing import Any, Protocol

from overopt.execution.node import Node
from overopt.execution.stage import node
from overopt.run.making import Making
from overopt.run.stage_names import STAGES, kind_of
from overopt.spec.task import TaskSpec


class Around(Making, Protocol):
    """The graph that a front is a part of."""

    @property
    def listing(self) -> Node:
        """Every response to the held-out prompts, where the world lists them."""
        ...


def front(around: Around, task: TaskSpec, kl_grid_nats: tuple[float, ...]) -> Node:
    """The oracle front of the task's world: arithmetic on tables."""
    inputs = {"pool": around.pool}
    if task.world.lists_responses:
        inputs["listing"] = around.listing
    elif task.evaluation.annealed_per_prompt:
        inputs["anneal"] = anneal(around, task, max(kl_grid_nats))
    label = f"oracle front, world {task.world.seed}"
    params, kind = {"kl_grid_nats": list(kl_grid_nats)}, kind_of(task.name, label)
    return node(f"{STAGES}.front", params, inputs, label=label, kind=kind)


def anneal(around: Around, task: TaskSpec, kl_max_nats: float) -> Node:
    """The initial policy tilted by gold, from where its pool ends up to a KL."""
    params: dict[str, Any] = {
        "per_prompt": task.evaluation.annealed_per_prompt,
        "kl_max_nats": kl_max_nats,
        "seed": task.world.seed,
    }
    inputs = {"pool": around.pool, "initial": around.initial, "gold": around.gold}
    label = f"tilted initial policy, world {task.world.seed}"
    return around.make("anneal", params, inputs, label, around.gold_code)
