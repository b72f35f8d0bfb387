"""What one stage of a hub run computes, holds and writes, from its node alone.

Estimates, with every formula stated; nothing is loaded.

- A forward pass costs 2 P floating-point operations a token, a training step 6 P, for P parameters
  (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1,
  https://arxiv.org/abs/2001.08361; attention over the context is left out, as there). With
  adapters a training step costs 4 P: no gradient of frozen weights.
- Sampling is a forward pass that, for every token of a batch, also reads all weights, and for every
  token of a row the keys and values before it.
- Memory of training: weights, gradients and two AdamW moments, 4 P w bytes for w bytes a number
  (with adapters P w), plus activations, 34 h w / 2 bytes a token and layer (Korthikanti et al.,
  "Reducing Activation Recomputation in Large Transformer Models", 2022, section 4.1,
  https://arxiv.org/abs/2205.05198, its term in s b h; the equation's number was not verified),
  plus 4 copies of float32 logits over the vocabulary for every response token of a pass.
- Training goes to its last step and every prompt and response is as long as the task allows, so
  that times are upper estimates. A method takes one pass over each batch of its samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from overopt.execution.node import Node
from overopt.run.forecasts.hub_nodes import (
    NUMBERS_BYTES,
    count_probes,
    evaluation_rows,
    hub_of,
    input_of,
    lengths,
    models_of,
    pair_count,
    policies_of,
    policy_of,
    pool_rows,
    proxy_of,
    ranked_rows,
    row_bytes,
    samples_beside,
    world_of,
)
from overopt.run.forecasts.machines import Phase
from overopt.run.forecasts.model_sizes import Shape, Sizes, of_architecture
from overopt.spec.gold import GoldSpec
from overopt.spec.hub import HubSpec
from overopt.spec.method import MethodSpec
from overopt.spec.trl import TrlSpec

SAMPLING_ROWS = 1024
_WHOLE_BATCHES = TrlSpec()
"""How the native engine trains: one process, a batch in one pass, all weights."""
PROBE_ROWS = 128
"""Responses of one cheap KL estimate (``stages.trajectory``)."""
_KNOB_VALUES = 8
"""Merged policies looked at for each place on the knob."""
LINEAGES = 16
"""Conditional runs for an answer of a particle filter (``stages.particles``)."""
ANNEALING_SWEEPS = 4 * 30
"""Responses drawn for a particle (``stages.anneal``): sweeps at each of about 30 temperatures."""


@dataclass
class Work:
    """What a stage does.

    phases: what is computed, in order. load_bytes: weights read from disk. memory_bytes: weights,
    gradients, moments, activations and logits at once. cache_row_bytes: keys and values of one
    sampled row; as many rows as fit are sampled at once. disk_bytes: of the artifact.
    largest: parameters of the largest model. trains: whether a model is trained.
    """

    phases: list[Phase] = field(default_factory=list)
    load_bytes: float = 0.0
    memory_bytes: float = 0.0
    cache_row_bytes: float = 0.0
    disk_bytes: float = 0.0
    largest: float = 0.0
    trains: bool = False

    @property
    def operations(self) -> float:
        """Floating-point operations of all phases."""
        return sum(phase.operations for phase in self.phases)

    def hold(self, *models: Shape) -> None:
        """Load models, which stay in memory together."""
        self.load_bytes += sum(model.weight_bytes for model in models)
        self.memory_bytes += sum(model.weight_bytes for model in models)
        self.largest = max(self.largest, *(model.parameters for model in models))

    def share(self, processes: int) -> None:
        """Let each of some processes, with a device of its own, compute its part."""
        self.phases = [
            Phase(phase.operations / processes, phase.dtype, phase.read_bytes / processes)
            for phase in self.phases
        ]


class HubWork:
    """The work of nodes of hub runs.

    Args:
        sizes: of models.
        cache_bytes: memory that sampling gives its key-value cache, from that of the weights held.
    """

    def __init__(self, sizes: Sizes, cache_bytes: Callable[[float], float]) -> None:
        self._sizes, self._cache_bytes = sizes, cache_bytes

    def of(self, made: Node) -> Work:
        """The work of one node; none of a stage that opens no model.

        Raises:
            UnknownSize: a model is not here and its task does not say how large it is.
        """
        stages: dict[str, Callable[[Node, Work], None]] = {
            "initial": self._initial,
            "second_initial": self._initial,
            "gold": self._gold,
            "pool": self._pool,
            "anneal": self._anneal,
            "pairs": self._pairs,
            "labels": self._labels,
            "proxy": self._proxy,
            "score": self._score,
            "optimize": self._optimize,
            "merge": self._merge,
            "restart": self._restart,
            "angles": self._angles,
            "value": self._value,
            "compose": self._compose,
            "particles": self._particles,
            "judge": self._judged,
            "evaluate": self._evaluate,
            "rankings": self._rankings,
            "separation": self._separation,
            "forward": self._forward,
            "calibration": self._rankings,
        }
        work = Work()
        if made.name in stages:
            stages[made.name](made, work)
        return work

    def _policy(self, made: Node) -> Shape:
        return self._sizes.of(hub_of(made).policy, "policy")

    def _gold_of(self, made: Node) -> Shape | None:
        """The gold's model; None for a rule, which costs nothing beside models."""
        spec = GoldSpec.model_validate(made.params["gold"])
        return None if spec.classifier is None else self._sizes.of(spec.classifier, "gold")

    def _proxy_of(self, made: Node) -> Shape:
        spec = proxy_of(made)
        if spec.base is not None:
            return self._sizes.of(spec.base, "proxy base")
        policy = self._policy(made)
        if spec.architecture is None:
            return policy
        return of_architecture(spec.architecture, policy.vocabulary)

    def _proxies_of(self, made: Node) -> list[Shape]:
        return [self._proxy_of(given) for role, given in made.inputs if role.startswith("proxy.")]

    def _sample(self, work: Work, made: Node, rows: float) -> None:
        """Rows sampled by the policy, which is held already."""
        model, hub = self._policy(made), hub_of(made)
        prompt, response = lengths(hub)
        row_bytes = model.cache_token_bytes * (prompt + response)
        fitting = max(1.0, self._cache_bytes(work.memory_bytes) // max(row_bytes, 1.0))
        batches = math.ceil(rows / min(SAMPLING_ROWS, fitting))
        read_bytes = batches * response * model.weight_bytes
        read_bytes += rows * response * model.cache_token_bytes * (prompt + response / 2)
        operations = model.forward(rows * (prompt + response))
        work.phases.append(Phase(operations, model.dtype, read_bytes))
        work.cache_row_bytes = row_bytes

    def _read(self, work: Work, made: Node, model: Shape, rows: float) -> None:
        """Rows read by a model, prompt and response."""
        work.phases.append(Phase(model.forward(rows * sum(lengths(hub_of(made)))), model.dtype))

    def _judge(self, work: Work, made: Node, gold: Shape | None, rows: float) -> None:
        if gold is not None:
            self._read(work, made, gold, rows)

    def _initial(self, made: Node, work: Work) -> None:
        spec, policy = policy_of(made), self._policy(made)
        work.hold(policy)
        work.disk_bytes = policy.weight_bytes
        if spec.training is not None:
            rows = spec.examples * spec.training.epochs
            _train(work, policy, hub_of(made), rows, spec.training.batch_size)

    def _gold(self, made: Node, work: Work) -> None:
        gold = self._gold_of(made)
        if gold is not None:
            work.hold(gold)

    def _pool(self, made: Node, work: Work) -> None:
        gold = self._gold_of(input_of(made, "gold"))
        work.hold(self._policy(made), *filter(None, [gold]))
        rows = pool_rows(made)
        self._sample(work, made, rows)
        self._judge(work, made, gold, rows)
        work.disk_bytes = rows * row_bytes(made)

    def _anneal(self, made: Node, work: Work) -> None:
        gold = self._gold_of(input_of(made, "gold"))
        work.hold(self._policy(made), *filter(None, [gold]))
        rows = world_of(made).heldout_prompts * int(made.params["per_prompt"]) * ANNEALING_SWEEPS
        self._sample(work, made, rows)
        self._judge(work, made, gold, rows)

    def _pairs(self, made: Node, work: Work) -> None:
        rows = 2 * pair_count(made)
        work.disk_bytes = rows * row_bytes(made)
        if hub_of(made).pairs == "policy":
            work.hold(self._policy(made))
            self._sample(work, made, rows)

    def _labels(self, made: Node, work: Work) -> None:
        gold = self._gold_of(input_of(made, "gold"))
        rows = 2 * pair_count(input_of(made, "pairs"))
        work.disk_bytes = rows * row_bytes(made)
        if gold is not None:
            work.hold(gold)
            self._judge(work, made, gold, rows)

    def _proxy(self, made: Node, work: Work) -> None:
        spec, proxy = proxy_of(made), self._proxy_of(made)
        work.hold(proxy)
        work.disk_bytes = proxy.weight_bytes
        rows = 2 * spec.comparisons * spec.training.epochs
        _train(work, proxy, hub_of(made), rows, 2 * spec.training.batch_size, is_classifier=True)
        # the held-out pairs are read for the accuracy, and again for mean and SD
        self._read(work, made, proxy, 2 * 2 * (spec.calibration_samples // 2))

    def _score(self, made: Node, work: Work) -> None:
        proxy, samples = self._proxy_of(input_of(made, "proxy")), input_of(made, "samples")
        of_pool = samples.name in ("pool", "pool_excerpt")
        rows = pool_rows(samples) if of_pool else evaluation_rows(samples)
        work.hold(proxy)
        self._read(work, made, proxy, rows)
        work.disk_bytes = rows * NUMBERS_BYTES

    def _optimize(self, made: Node, work: Work) -> None:
        method = MethodSpec.model_validate(made.params["method"])
        options = TrlSpec.model_validate(made.params.get("trl", {}))
        policy, hub, proxies = self._policy(made), hub_of(made), self._proxies_of(made)
        work.hold(policy, policy, *proxies)
        settings = made.params["settings"]
        steps = int(settings["max_steps"])
        if method.trains == "pairs":
            batch, sampled, listed = int(settings["batch_size"]), *samples_beside(method)
            rows_at_once = (2 + listed) * batch
            in_one_pass = 2 * options.micro_batch
            pairs = input_of(input_of(made, "labels"), "pairs")
            comparisons = int(pairs.params["comparisons"])
            drawn = sampled * min(comparisons, steps * batch)
            self._read(work, made, policy, 2 * comparisons + listed * steps * batch)
            rows = PROBE_ROWS * count_probes(steps)
            self._sample(work, made, rows + drawn)
            self._read(work, made, policy, 2 * rows)
            for proxy in proxies:
                self._read(work, made, proxy, 2 * comparisons + drawn)
        else:
            samples = int(settings["samples_per_prompt"])
            rows_at_once = samples * int(settings["prompts_per_step"])
            in_one_pass = samples * max(1, options.micro_batch // samples)
            drawn = rows_at_once * (steps + 1)
            self._sample(work, made, drawn)
            # by the reference, and by the policy before it learns from a part of what it drew
            self._read(work, made, policy, drawn * (2 if method.trains == "iterative" else 1))
            for proxy in proxies:
                self._read(work, made, proxy, drawn)
        rows = rows_at_once * steps
        rows_at_once = math.ceil(rows_at_once / options.processes)
        if options.micro_batch:
            rows_at_once = min(rows_at_once, in_one_pass)
        _train(work, policy, hub, rows, rows_at_once, options)
        work.share(options.processes)
        work.disk_bytes = policies_of(made) * policy.weight_bytes

    def _merge(self, made: Node, work: Work) -> None:
        policy = self._policy(made)
        members = sum(role.startswith("optimize.") for role, _ in made.inputs)
        work.hold(*[policy] * (2 + members))
        rows = PROBE_ROWS * _KNOB_VALUES * policies_of(made)
        self._sample(work, made, rows)
        self._read(work, made, policy, 2 * rows)
        work.disk_bytes = policies_of(made) * policy.weight_bytes

    def _restart(self, made: Node, work: Work) -> None:
        self._angles(made, work)
        work.disk_bytes = self._policy(made).weight_bytes

    def _angles(self, made: Node, work: Work) -> None:
        members = sum(role.startswith("optimize.") for role, _ in made.inputs)
        work.hold(*[self._policy(made)] * (2 + members))

    def _value(self, made: Node, work: Work) -> None:
        policy, proxies = self._policy(made), self._proxies_of(made)
        work.hold(policy, policy, *proxies)
        settings = made.params["settings"]
        rows_at_once = int(settings["samples_per_prompt"]) * int(settings["prompts_per_step"])
        rows = rows_at_once * int(settings["max_steps"])
        self._sample(work, made, rows)
        for model in (policy, *proxies):
            self._read(work, made, model, rows)
        _train(work, policy, hub_of(made), rows, rows_at_once)
        work.disk_bytes = policy.weight_bytes

    def _compose(self, made: Node, work: Work) -> None:
        policy, models = self._policy(made), models_of(made)
        work.hold(*[policy] * models)
        rows = PROBE_ROWS * _KNOB_VALUES * policies_of(made)
        self._sample(work, made, models * rows)
        self._read(work, made, policy, (models + 1) * rows)
        work.disk_bytes = models * policy.weight_bytes

    def _particles(self, made: Node, work: Work) -> None:
        policy, proxies = self._policy(made), self._proxies_of(made)
        work.hold(policy, *proxies)
        count = int(MethodSpec.model_validate(made.params["method"]).config["particles"])
        budgets, prompts = len(made.params["kl_grid_nats"]), world_of(made).heldout_prompts
        searched = PROBE_ROWS * (1 + LINEAGES) * _KNOB_VALUES * budgets
        drawn = prompts * int(made.params["samples_per_prompt"]) * budgets
        rows = count * (searched + drawn)
        self._sample(work, made, rows)
        for proxy in proxies:
            self._read(work, made, proxy, rows)
        work.disk_bytes = drawn * row_bytes(made)

    def _judged(self, made: Node, work: Work) -> None:
        rows = evaluation_rows(made)
        gold = self._gold_of(input_of(made, "gold"))
        work.hold(*filter(None, [gold]))
        self._judge(work, made, gold, rows)
        work.disk_bytes = rows * row_bytes(made)

    def _evaluate(self, made: Node, work: Work) -> None:
        policy, gold = self._policy(made), self._gold_of(input_of(made, "gold"))
        policies = policies_of(input_of(made, "optimize"))
        models = models_of(input_of(made, "optimize"))
        work.hold(*[policy] * (1 + models), *filter(None, [gold]))
        work.load_bytes += (policies - 1) * models * policy.weight_bytes
        rows = evaluation_rows(made)
        self._sample(work, made, models * rows)
        self._read(work, made, policy, (1 + models) * rows)  # itself and the reference
        self._judge(work, made, gold, rows)
        work.disk_bytes = rows * row_bytes(made)

    def _rankings(self, made: Node, work: Work) -> None:
        work.hold(self._policy(made))
        self._read(work, made, self._policy(made), ranked_rows(made))

    def _forward(self, made: Node, work: Work) -> None:
        work.hold(self._policy(made), self._policy(made))
        policies = policies_of(input_of(made, "optimize"))
        rows = 2 * policies * world_of(made).heldout_prompts * int(made.params["per_prompt"])
        self._read(work, made, self._policy(made), rows)

    def _separation(self, made: Node, work: Work) -> None:
        proxy = self._proxy_of(input_of(made, "proxy"))
        work.hold(proxy)
        policies = 2 + policies_of(input_of(input_of(made, "samples"), "optimize"))
        rows = policies * world_of(made).heldout_prompts * int(made.params["per_prompt"])
        self._read(work, made, proxy, rows)


def _train(
    work: Work,
    model: Shape,
    hub: HubSpec,
    rows: float,
    rows_at_once: int,
    options: TrlSpec = _WHOLE_BATCHES,
    is_classifier: bool = False,
) -> None:
    """Training of a held model on rows in all, so many in one pass forward and backward.

    options: of the trl engine.
    """
    prompt, response = lengths(hub)
    a_step = 4.0 if options.lora_rank else 6.0
    if options.gradient_checkpointing:
        a_step += 2.0
    dtype = "bfloat16" if options.bf16 else model.dtype
    work.phases.append(Phase(a_step * model.parameters * rows * (prompt + response), dtype))
    numbers = 1 if options.gradient_checkpointing else 17
    layer_bytes = numbers * model.width * model.layers * model.number_bytes
    work.memory_bytes += rows_at_once * (prompt + response) * layer_bytes
    if not options.lora_rank:
        work.memory_bytes += 3 * model.weight_bytes
    if not is_classifier:
        work.memory_bytes += 4 * 4 * rows_at_once * response * model.vocabulary
    work.trains = True
