"""The graph of a cell: nodes from the initial policy to the cell's points.

It shows the way data flows. Worlds share nothing. What cells of a world have in common (the initial
policy, the gold, the pool, preference data, proxies and their scores, and whole runs of methods
that need no proxy) has one key and is built once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from overopt.errors import UserError
from overopt.execution.code.modules import module_in
from overopt.execution.node import Node, Resources
from overopt.run.cell import Cell
from overopt.run.fronts.nodes import front
from overopt.run.given.nodes import WorldNodes
from overopt.run.given.systems import attacked_of, plain_of
from overopt.run.knob import at_tasks_rate, setting, with_knob
from overopt.run.making import Stream
from overopt.run.merging.nodes import angles, as_trained, member_task, merged
from overopt.run.needs import check_needs
from overopt.run.own_files import described, file_name
from overopt.run.planted.nodes import plain_or_planted
from overopt.run.preferences.label_nodes import LabelNodes
from overopt.run.preferences.pooled import refuse_new_responses
from overopt.run.proxy_nodes import ProxyNodes
from overopt.run.rounds.nodes import RoundLabels, of_round
from overopt.run.rounds.proxies import CombinedNodes, combines
from overopt.run.stacked.nodes import out_of_stack
from overopt.run.step_nodes import StepNodes
from overopt.run.training_parts import training_parts
from overopt.spec.method import MethodSpec


class Graph:
    """Nodes of a cell, from the initial policy to its points; each is made once.

    Args:
        cell: the cell.
        world: what its world has once.
        beside: of a cell of the first round that differs in its method only, to share with.

    Raises:
        UserError: the method and the proxy system are different files of the same name; the system
            scores steps, and the world has none or the noise is none of steps; the task's people
            or a flaw do not go with the rest (``run.preferences``).
    """

    def __init__(
        self, cell: Cell, world: WorldNodes | None = None, beside: Graph | None = None
    ) -> None:
        self.cell = cell
        self._labels: LabelNodes | RoundLabels
        self._proxies: ProxyNodes | StepNodes | CombinedNodes
        self._pool_scores: dict[str, dict[str, Node]]
        self._runs: dict[tuple[object, ...], Node] = {}
        one, other = cell.method.source, cell.proxy.source
        if one != other and file_name(one) == file_name(other):
            raise UserError(f"{one} and {other} have the same name; rename one of them.")
        self._world = world or WorldNodes(cell.task, cell.gold)
        self.make, self.gold_code = self._world.make, self._world.gold_code
        if beside is not None:
            self._labels, self._proxies = beside._labels, beside._proxies
            self._pool_scores = beside._pool_scores
        else:
            label = partial(LabelNodes, cell, self.make, self)
            first = cell.task.round == 1
            self._labels = label() if first else RoundLabels(self.make, self, label)
            self._proxies = self._make_proxies()
            self._pool_scores = {}
        self.reading_code = self._proxies.reading_code

    def _make_proxies(self) -> ProxyNodes | StepNodes | CombinedNodes:
        cell = self.cell
        system, stream = described(cell.proxy), Stream(cell.stream, cell.place)
        plain = plain_or_planted(cell.proxy, cell.task.proxy)
        if cell.proxy.step_scores:
            return StepNodes(cell.proxy, system, cell.task, cell.noise, stream, self.make, self)
        own = plain(cell.proxy, system, cell.task.proxy, stream, self.make, self)
        return CombinedNodes(cell, own, self.make, self) if combines(cell.task) else own

    @property
    def initial(self) -> Node:
        """The initial policy of the task's world."""
        return self._world.policies.initial

    def earlier(self, share: float) -> Node:
        """The initial policy as it would be after a share of its examples; see ``InitialNodes``."""
        return self._world.policies.earlier(share, self.cell.proxy.name)

    def run_optimized(self, method: MethodSpec) -> Node:
        """A run of a method to its last step: on the pairs, or against plain reward models."""
        if method.family == "pairs":
            return self.run_pairs(method, 0)
        plain = plain_of(self.cell.proxy)
        return self.varied(method=method, proxy=plain, engine="native").optimize(None, ())

    def attack(self, method: MethodSpec) -> dict[str, Node]:
        """An adversary's run against two plain reward models, and these, by role."""
        attacked = attacked_of(self.cell.proxy)
        graph = self.varied(method=method, proxy=attacked, engine="native")
        proxies = {f"proxy.{index}": graph.proxy(index) for index in range(attacked.members)}
        return {"optimized": graph.optimize(None, ()), **proxies}

    def sibling(self, member: int) -> Node:
        """The initial policy as the seed of a member would train it; see ``InitialNodes``."""
        return self._world.policies.sibling(member, self.cell.proxy.name)

    def run_pairs(self, method: MethodSpec, member: int) -> Node:
        """A run of a method on this cell's preference data, to its last step."""
        return self.varied(method=method, engine="native").optimize(None, (), member)

    @property
    def gold(self) -> Node:
        """The gold."""
        return self._world.gold

    @property
    def pool(self) -> Node:
        """The initial policy's responses to the held-out prompts."""
        return self._world.pool

    @property
    def listing(self) -> Node:
        """Every response to the held-out prompts, where the world lists them."""
        return self._world.listing

    @property
    def pairs(self) -> Node:
        """Unlabeled pairs of this seed."""
        return self._labels.pairs

    @property
    def labels(self) -> Node:
        """Preference data of this seed, noise and flaw."""
        return self._labels.labels

    def alone(self, seed: int) -> Node:
        """The run of another seed of the same run, trained alone."""
        return self.varied(seed=seed, engine="native").optimize(None, ())

    def varied(self, **changed: Any) -> Graph:
        """The graph of this cell with some of its fields changed, in the same world."""
        return Graph(replace(self.cell, **changed), self._world)

    def proxy(self, member: int) -> Node:
        """One proxy of this seed and noise that scores."""
        return self._proxies.proxy(member)

    def score(self, member: int, samples: Node, role: str) -> Node:
        """One proxy's scores on the samples of the pool or of an evaluation."""
        return self._proxies.score(member, samples, role)

    def features(self, samples: Node) -> Node:
        """The initial policy's features of the responses of the pool, or of all that are listed."""
        inputs = {"initial": self.initial, "samples": samples}
        return self.make("beside.features", {}, inputs, f"features of {samples.label}")

    def _scored_pool(self, scored: Node) -> dict[str, Node]:
        """The pool and every member's scores on it, or on a part of it, by role."""
        if scored.key not in self._pool_scores:
            inputs = self._pool_scores[scored.key] = {"pool": self.pool}
            if scored is not self.pool:
                inputs["pool.scored"] = scored
            for member in range(self.cell.proxy.scored):
                inputs[f"score.pool.{member}"] = self.score(member, scored, "the pool")
        return dict(self._pool_scores[scored.key])

    def optimize(
        self,
        knob_value: float | None,
        kl_grid_nats: tuple[float, ...],
        member: int | None = None,
        start: Node | None = None,
    ) -> Node:
        """The method's run, with its knob at a value (None: as configured).

        ``member`` numbers the runs whose policies are merged; ``start`` is where they start.
        """
        asked = type(knob_value), knob_value, kl_grid_nats, member, start and start.key
        if asked not in self._runs:
            self._runs[asked] = self._optimize(knob_value, kl_grid_nats, member, start)
        return self._runs[asked]

    def _optimize(
        self,
        knob_value: float | None,
        kl_grid_nats: tuple[float, ...],
        member: int | None,
        start: Node | None,
    ) -> Node:
        cell, task = self.cell, member_task(self.cell.task, self.cell.method)
        method = with_knob(as_trained(cell.method.member or cell.method), knob_value)
        params, code = training_parts(method, task, cell.engine, cell.method.rate_factor)
        params |= {
            "method": described(at_tasks_rate(method)),
            "kl_grid_nats": list(kl_grid_nats),
            "seed": cell.stream,
        }
        inputs = {"initial": start or self.initial}
        check_needs(method, task, cell.proxy)
        if "second_initial" in method.needs:
            inputs["second"] = self._world.policies.second(method.name)
        if method.observes_gold:
            inputs |= {"observed.gold": self.gold, "observed.pool": self.pool}
            code += (module_in("artifacts", "observed_gold"), *self.gold_code)
        label = f"{method.name}, {cell.place}"
        if method.trains == "pairs":
            inputs["labels"] = self.labels
            code += (module_in("artifacts", "preferences"),)
        if method.learns_from_proxy:
            params["system"] = described(cell.proxy)
            code += (cell.proxy.source, module_in("artifacts", "reward"))
            refitting = self._proxies.refitting
            params |= refitting.params
            inputs |= refitting.inputs
            code += self._proxies.reading_code + refitting.code
            label = f"{method.name} against {cell.proxy.name}, " + label.partition(", ")[2]
            for index in range(cell.proxy.scored):
                inputs[f"proxy.{index}"] = self.proxy(index)
        if knob_value is not None:
            label += f", {method.knob.name} {knob_value:.3g}"
        if member is not None:
            params["member"] = member
            label += f", member {member}"
        if cell.engine == "stacked":
            return out_of_stack(self, params, label, code)
        if cell.engine == "trl":
            label += ", trl"
        resources = Resources(timeout_s=None) if cell.engine == "trl" else None
        stage, params, inputs = of_round(self, params, inputs)
        return self.make(stage, params, inputs, label, code, resources)

    @cached_property
    def value(self) -> Node:
        """The values of prefixes that a method learns from the proxy."""
        cell = self.cell
        label = f"values of {cell.method.name} by {cell.proxy.name}, {cell.place}"
        return self._against_proxy("value", {"settings": described(cell.task.rollout)}, label)

    def novelty(self, listed: Mapping[str, Node]) -> Node:
        """How novel the responses of the pool are, and all that are listed, by their roles."""
        cell = self.cell
        label = f"novelty of {cell.method.name} by {cell.proxy.name}, {cell.place}"
        params = {"settings": described(cell.task.rollout)}
        return self._against_proxy("beside.novelty", params, label, **listed)

    def particles(self, kl_grid_nats: tuple[float, ...]) -> Node:
        """Answers of a method that resamples between tokens, or searches a tree."""
        cell = self.cell
        params = {
            "kl_grid_nats": list(kl_grid_nats),
            "samples_per_prompt": cell.task.evaluation.samples_per_prompt,
        }
        label = f"{cell.method.name} by {cell.proxy.name}, {cell.place}"
        beside = {"value": self.value} if cell.method.values else {}
        stage = "search" if cell.method.searches else "particles"
        return self._against_proxy(stage, params, label, **beside)

    def _against_proxy(
        self, stage: str, params: dict[str, Any], label: str, **beside: Node
    ) -> Node:
        """What a method of the family selection makes of the initial policy and the proxies."""
        cell = self.cell
        known = {
            "method": described(cell.method),
            "system": described(cell.proxy),
            "seed": cell.stream,
        }
        inputs = {"initial": self.initial, **beside}
        for index in range(cell.proxy.members):
            inputs[f"proxy.{index}"] = self.proxy(index)
        # states of members are read one by one, whatever the system makes of their scores
        combining = () if stage == "beside.novelty" else (cell.proxy.source,)
        code = (cell.method.source, *combining, *self._proxies.reading_code)
        return self.make(stage, {**known, **params}, inputs, label, code)

    def merge(self, kl_grid_nats: tuple[float, ...]) -> Node:
        """The policies of a method along its knob, merged or composed of others."""
        return merged(self, kl_grid_nats)

    def angles(self, kl_grid_nats: tuple[float, ...]) -> list[Node]:
        """Beside merged policies: the angles between those that were trained; else nothing."""
        return angles(self, kl_grid_nats)

    @property
    def component_points(self) -> Node:
        """Where gold is highest over the components of the proxy, by the pool."""
        params = {"members": self.cell.proxy.scored}
        label = f"component points of {self.cell.proxy.name}, {self.cell.place}"
        return self.make("beside.component_points", params, self._scored_pool(self.pool), label)

    def evaluate(self, optimized: Node) -> Node:
        """The policies of a run, sampled on the held-out prompts."""
        task = self.cell.task
        if optimized.name in ("particles", "search"):
            judged = {"optimize": optimized, "gold": self.gold}
            return self.make("judge", {}, judged, f"gold of {optimized.label}", self.gold_code)
        params = {
            "samples_per_prompt": task.evaluation.samples_per_prompt,
            "seed": self.cell.stream,
        }
        inputs = {"optimize": optimized, "initial": self.initial, "gold": self.gold}
        label = f"evaluation of {optimized.label}"
        code: tuple[str, ...] = self.gold_code
        if optimized.name == "compose":
            code += (module_in("models", "composed"),)
        return self.make("evaluate", params, inputs, label, code)

    def points(self, along: str, kl_grid_nats: tuple[float, ...]) -> Node | None:
        """The cell's points, or None where they depend on what its knob is found to do."""
        method = self.cell.method
        refuse_new_responses(self.cell.task, method)
        if method.filters or method.searches:
            return self.measure([(self.evaluate(self.particles(kl_grid_nats)), {})], [])
        if method.family == "selection" and not method.composes:
            return self.select(kl_grid_nats)
        if method.family in ("selection", "merge"):
            return self.measure([(self.evaluate(self.merge(kl_grid_nats)), {})], [])
        return self.along_step(kl_grid_nats) if along == "step" else None

    def along_step(self, kl_grid_nats: tuple[float, ...]) -> Node:
        """The points of one run, measured at the policies that it passes on its way."""
        method = self.cell.method
        evaluation = self.evaluate(self.optimize(None, kl_grid_nats))
        return self.measure([(evaluation, {"knob_value": method.config[method.knob.name]})], [])

    def along_knob(self, met: Mapping[float, float], unreached: list[float]) -> Node:
        """The points of a driven knob: the value at which it meets each budget, nats."""
        policies = [
            (
                self.evaluate(self.optimize(value, ())),
                {"knob_value": setting(self.cell.method, value), "kl_target_nats": kl_nats},
            )
            for kl_nats, value in met.items()
        ]
        return self.measure(policies, unreached)

    def front(self, kl_grid_nats: tuple[float, ...]) -> Node:
        """The oracle front of the task's world."""
        return front(self, self.cell.task, kl_grid_nats)

    @property
    def combined(self) -> CombinedNodes:
        """Proxies of its round, where the task combines those of several rounds."""
        assert isinstance(self._proxies, CombinedNodes), "see RoundsSpec.proxy"
        return self._proxies

    @cached_property
    def before(self) -> Graph:
        """The graph of the round before."""
        return Graph(replace(self.cell, task=self.cell.task.round_before))

    def measure(self, policies: list[tuple[Node, dict[str, Any]]], unreached: list[float]) -> Node:
        """The cell's points: evaluations with what is known of each (see ``stages.measure``)."""
        proxy = self.cell.proxy
        inputs = self._scored_pool(self._world.recentering)
        for i, (evaluation, _) in enumerate(policies):
            inputs[f"evaluate.{i}"] = evaluation
            for member in range(proxy.scored):
                inputs[f"score.{i}.{member}"] = self.score(member, evaluation, evaluation.label)
        params = {
            "system": described(proxy),
            "policies": [known for _, known in policies],
            "unreached_kl_nats": unreached,
            "samples_per_prompt": self.cell.task.evaluation.samples_per_prompt,
        }
        return self.make("measure", params, inputs, self.cell.title, (proxy.source,))

    def select(self, kl_grid_nats: tuple[float, ...]) -> Node:
        """The points of a selection method, from the scored pool."""
        cell = self.cell
        params = {
            "method": described(cell.method),
            "system": described(cell.proxy),
            "kl_grid_nats": list(kl_grid_nats),
            "samples_per_prompt": cell.task.evaluation.samples_per_prompt,
            "seed": cell.stream,
        }
        code = (cell.method.source, cell.proxy.source)
        check_needs(cell.method, cell.task, cell.proxy)
        inputs = self._scored_pool(self.pool)
        if cell.task.world.lists_responses:
            inputs["listing"] = self.listing
            for member in range(cell.proxy.scored):
                scored = self.score(member, self.listing, "every response")
                inputs[f"score.listing.{member}"] = scored
        listed = {role: made for role, made in inputs.items() if role in ("pool", "listing")}
        if "features" in cell.method.needs:
            inputs |= {f"features.{role}": self.features(one) for role, one in listed.items()}
        if "novelty" in cell.method.needs:
            inputs["novelty"] = self.novelty(listed)
        return self.make("select", params, inputs, cell.title, code)
