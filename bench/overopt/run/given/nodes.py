"""The part of a cell's graph that a world has once: initial policies, gold and the pool."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node, Resources
from overopt.execution.stage import node
from overopt.run.given.once import once_per_spec
from overopt.run.making import Make
from overopt.run.own_files import described
from overopt.run.stage_names import STAGES, kind_of
from overopt.spec.gold import GoldSpec
from overopt.spec.policy import PolicySpec
from overopt.spec.task import TaskSpec

_SIBLING = 1_000_003
"""From one member's seed to the next: more than the worlds of a run, so that none meet."""
RECENTERING_SAMPLES = 64
"""Responses to each prompt of the pool that a proxy scores whose policies have samples of their
own: they recenter it, and show how it ranks under the initial policy. Only selection needs all."""


@once_per_spec
def _fewer(policy: PolicySpec, examples: int) -> PolicySpec:
    return policy.model_copy(update={"examples": examples})


class InitialNodes:
    """The initial policy of a task's world, and its relatives.

    Args:
        task: in this world.
        make: makes nodes of the world.
    """

    def __init__(self, task: TaskSpec, make: Make) -> None:
        self._task, self._make = task, make
        self._world = f"world {task.world.seed}"

    @cached_property
    def initial(self) -> Node:
        """The initial policy."""
        return self._trained(self._task.policy, "initial policy")

    def recentering(self, pool: Node) -> Node:
        """As much of the pool as a proxy is recentered by; the pool itself where it is small."""
        if self._task.evaluation.pool_samples_per_prompt <= RECENTERING_SAMPLES:
            return pool
        params = {"samples_per_prompt": RECENTERING_SAMPLES}
        label = f"first of the pool, {self._world}"
        return self._make("beside.pool_excerpt", params, {"pool": pool}, label)

    def earlier(self, share: float, asking: str) -> Node:
        """The initial policy as it would be after a share of its examples.

        Raises:
            UserError: the task takes a model as it is.
        """
        policy = self._task.policy
        self._check_examples(f"{asking} compares with the initial policy after fewer examples")
        examples = max(1, round(share * policy.examples))
        if examples == policy.examples:
            return self.initial
        fewer = _fewer(policy, examples)
        return self._trained(fewer, f"initial policy after {examples} examples")

    def sibling(self, member: int, asking: str) -> Node:
        """The initial policy as another seed would train it, from its weights on; 0 is the first.

        Raises:
            UserError: the task takes a model as it is.
        """
        if member == 0:
            return self.initial
        self._check_examples(f"{asking} needs initial policies of other seeds")
        seed = self._task.world.seed + member * _SIBLING
        return self._trained(self._task.policy, f"initial policy of member {member}", seed)

    def second(self, asking: str) -> Node:
        """Another initial policy, a neighbor of the first.

        Raises:
            UserError: the task takes a model as it is.
        """
        self._check_examples(f"{asking} needs a second initial policy")
        params = {"policy": described(self._task.policy), "seed": self._task.world.seed}
        label = f"second initial policy, {self._world}"
        return self._make("second_initial", params, {"initial": self.initial}, label)

    def _trained(self, policy: PolicySpec, name: str, seed: int | None = None) -> Node:
        own = self._task.world.seed if seed is None else seed
        params = {"policy": described(policy), "seed": own}
        code = (module_in("models.starts", policy.start),)
        return self._make("initial", params, {}, f"{name}, {self._world}", code)

    def _check_examples(self, why: str) -> None:
        if not self._task.policy.examples:
            raise UserError(
                f"{why}, but {self._task.name} takes a model as it is; choose another --method, "
                "--proxy or --task."
            )


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
        stage, inputs, code = _made_by(task, "pool", inputs, self.gold_code)
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
        stage, inputs, code = _made_by(self._task, "listing", inputs, self.gold_code)
        label = f"every response, world {self._task.world.seed}"
        return self.make(stage, {}, inputs, label, code)


def _made_by(
    task: TaskSpec, stage: str, inputs: dict[str, Node], code: tuple[str, ...]
) -> tuple[str, dict[str, Node], tuple[str, ...]]:
    """Which stage makes responses, from what, and what it loads by name.

    Those of a table need neither a policy nor a gold.
    """
    return (stage, inputs, code) if task.world.pool is None else (f"pooled.{stage}", {}, ())
