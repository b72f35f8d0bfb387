"""What a hub run needs: downloads, accelerator memory and hours, from sizes alone.

Estimates, with every formula stated; they are made before anything is downloaded or loaded.

- A forward pass costs 2 P floating-point operations a token, a training step 6 P, for P parameters
  (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, section 2.1,
  https://arxiv.org/abs/2001.08361; attention over the context is left out, as there).
- Sampling reads all weights once per position of a batch, so it takes at least
  (batches x positions x bytes of the weights) / bandwidth.
- Memory of training: weights, gradients and two AdamW moments, 4 P w bytes for w bytes a number,
  plus the reference's P w, plus activations 34 h w / 2 bytes a token and layer (Korthikanti et
  al., "Reducing Activation Recomputation in Large Transformer Models", 2022, section 4.1,
  https://arxiv.org/abs/2205.05198, its term in s b h; the equation's number was not verified),
  plus 4 copies of float32 logits over the vocabulary for every response token of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from overopt.errors import UserError
from overopt.run.sources import Source, sources
from overopt.spec.hub import DataOrigin
from overopt.spec.method import MethodSpec
from overopt.spec.origins import ModelOrigin
from overopt.spec.run import RunSpec
from overopt.worlds.hub.folders import ModelFolder, find, open_model, read_document

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_SAMPLING_ROWS = 1024
_EARLY_SNAPSHOTS = 4


@dataclass(frozen=True)
class Machine:
    """What a machine achieves: floating-point operations and bytes read, per second."""

    name: str
    operations_per_s: float
    bytes_per_s: float


GPU = Machine("one H100-class GPU (1.0e14 operations/s achieved, 2e12 bytes/s)", 1.0e14, 2e12)
CPU = Machine("one CPU core (2e10 operations/s achieved, 5e9 bytes/s)", 2e10, 5e9)


@dataclass(frozen=True)
class SourceNeed:
    """One model or table of a plan.

    state: ``here``, ``to download`` or ``missing offline``. size_gb: on disk or to download, None
    where nobody has said. parameters: of a model, None where unknown. note: what bench run would
    refuse.
    """

    role: str
    name: str
    revision: str
    license: str
    state: str
    size_gb: float | None
    parameters: float | None
    note: str


@dataclass(frozen=True)
class HubForecast:
    """What a hub run needs; None where a model's size is unknown.

    stage_operations: floating-point operations by stage; stage_sampling_bytes: weights read.
    """

    needs: tuple[SourceNeed, ...]
    memory_gb: float | None
    stage_operations: Mapping[str, float]
    stage_sampling_bytes: Mapping[str, float]

    @property
    def download_gb(self) -> float:
        """What is known to be downloaded."""
        return sum(one.size_gb or 0.0 for one in self.needs if one.state != "here")

    def hours(self, machine: Machine) -> float | None:
        """Hours of one worker on a machine; None where a model's size is unknown."""
        if not self.stage_operations:
            return None
        return sum(self.stage_s(machine).values()) / 3600

    def stage_s(self, machine: Machine) -> dict[str, float]:
        """Seconds of all stages of a kind, on one machine."""
        return {
            stage: max(
                operations / machine.operations_per_s,
                self.stage_sampling_bytes.get(stage, 0.0) / machine.bytes_per_s,
            )
            for stage, operations in self.stage_operations.items()
        }


@dataclass(frozen=True)
class _Shape:
    """Sizes of one model: parameters P, bytes a number w, width, layers, vocabulary."""

    parameters: float
    number_bytes: int
    width: int
    layers: int
    vocabulary: int


def survey(run: RunSpec, offline: bool) -> HubForecast:
    """Look at every source of a run, and add up what it needs. Nothing is downloaded or loaded."""
    found = sources(run)
    shapes = {one.role: _shape(one) for one in found if isinstance(one.origin, ModelOrigin)}
    policy = shapes["policy"]
    proxy = shapes.get("proxy base", policy)
    if run.task.proxy.architecture is not None and policy is not None:
        made = run.task.proxy.architecture
        inner = 12 * made.layers * made.width**2 + policy.vocabulary * made.width
        proxy = _Shape(inner, 4, made.width, made.layers, policy.vocabulary)
    gold = shapes.get("gold") if run.gold.classifier is not None else _NOTHING
    needs = tuple(_need(one, shapes.get(one.role), offline) for one in found)
    if policy is None or proxy is None or gold is None:
        return HubForecast(needs, None, {}, {})
    work = _Work(run, policy, proxy, gold)
    return HubForecast(needs, work.memory_bytes() / 1e9, work.operations(), work.sampling_bytes())


_NOTHING = _Shape(0.0, 4, 0, 0, 0)


def _shape(source: Source) -> _Shape | None:
    """Sizes from a folder that is here, else from what the task declares."""
    origin = source.origin
    assert isinstance(origin, ModelOrigin) and source.head is not None
    number_bytes = _BYTES[origin.dtype]
    config: dict[str, Any] = {}
    parameters = None if origin.parameters_b is None else origin.parameters_b * 1e9
    place = find(origin)
    if place is not None and (place / "config.json").is_file():
        config = read_document(place / "config.json", source.role)
        with suppress(UserError):  # told beside it, in its note
            parameters = open_model(origin, source.role, source.head).parameters or parameters
    if parameters is None:
        return None
    return _Shape(
        parameters,
        number_bytes,
        _whole(config, 2048, "hidden_size", "n_embd", "d_model"),
        _whole(config, 24, "num_hidden_layers", "n_layer"),
        _whole(config, 50_000, "vocab_size"),
    )


def _whole(config: Mapping[str, Any], otherwise: int, *names: str) -> int:
    return next((int(config[name]) for name in names if config.get(name)), otherwise)


def _need(source: Source, shape: _Shape | None, offline: bool) -> SourceNeed:
    origin = source.origin
    place = find(origin)
    note = ""
    size_gb = origin.download_gb
    if place is not None:
        files = [place] if place.is_file() else [f for f in place.rglob("*") if f.is_file()]
        size_gb = sum(file.stat().st_size for file in files) / 1e9
        if source.head is not None and isinstance(origin, ModelOrigin):
            try:
                folder: ModelFolder = open_model(origin, source.role, source.head)
                size_gb = folder.size_bytes / 1e9
            except UserError as error:
                note = str(error)
    elif size_gb is None and shape is not None:
        size_gb = 2 * shape.parameters / 1e9  # folders of a hub are mostly 2 bytes a number
    if not (origin.is_pinned or origin.allow_unpinned):
        note = "unpinned: bench run refuses it"
    absent = "missing offline" if offline else "to download"
    return SourceNeed(
        role=source.role,
        name=origin.shown,
        revision="local" if origin.path is not None else (origin.revision or "none"),
        license=origin.license or "not stated",
        state="here" if place is not None else absent,
        size_gb=size_gb,
        parameters=None if isinstance(origin, DataOrigin) or shape is None else shape.parameters,
        note=note,
    )


class _Work:
    """Tokens and passes of a run's stages."""

    def __init__(self, run: RunSpec, policy: _Shape, proxy: _Shape, gold: _Shape) -> None:
        self.run, self.task = run, run.task
        self.policy, self.proxy, self.gold = policy, proxy, gold
        hub = run.task.world.hub
        assert hub is not None
        self.response = hub.response_tokens
        self.row = (hub.prompt_tokens or self.response) + self.response
        self.worlds = len(run.worlds)
        self.repeats = self.worlds * len(run.seeds)
        self.sides = len(run.noises) * self.repeats
        self.members = max(proxy_.members for proxy_ in run.proxies)

    def optimizations(self) -> list[tuple[MethodSpec, int]]:
        """Methods that train, and how many runs each is."""
        cells = len(self.run.proxies) * len(self.run.comparisons) * self.sides
        return [(one, cells) for one in self.run.methods if one.family != "selection"]

    def _tokens_per_step(self, method: MethodSpec) -> int:
        if method.family == "pairs":
            return 2 * self.task.pairs.batch_size * self.row
        rollout = self.task.rollout
        return rollout.prompts_per_step * rollout.samples_per_prompt * self.row

    def _steps(self, method: MethodSpec) -> int:
        return (self.task.pairs if method.family == "pairs" else self.task.rollout).max_steps

    def samples(self) -> dict[str, int]:
        """Responses sampled by stage."""
        task = self.task
        hub = task.world.hub
        assert hub is not None
        heldout = task.world.heldout_prompts
        places = len(self.run.kl_grid_nats) + _EARLY_SNAPSHOTS
        runs = sum(count for _, count in self.optimizations())
        drawn = {
            "pool": self.worlds * heldout * task.evaluation.pool_samples_per_prompt,
            "pairs": 0,
            "evaluate": runs * places * heldout * task.evaluation.samples_per_prompt,
            "optimize": 0,
        }
        if hub.pairs == "policy":
            comparisons = max(self.run.comparisons) + task.proxy.calibration_samples // 2
            drawn["pairs"] = 2 * comparisons * self.repeats
        for method, count in self.optimizations():
            if method.family != "pairs":
                rollout = task.rollout
                a_step = rollout.prompts_per_step * rollout.samples_per_prompt
                drawn["optimize"] += count * rollout.max_steps * a_step
        return drawn

    def operations(self) -> dict[str, float]:
        """Floating-point operations by stage."""
        task, row = self.task, self.row
        policy, proxy, gold = (s.parameters for s in (self.policy, self.proxy, self.gold))
        drawn = self.samples()
        pairs = 2 * max(self.run.comparisons) + task.proxy.calibration_samples
        learned = 2 * max(self.run.comparisons) * task.proxy.training.epochs
        examples = task.policy.examples * (
            task.policy.training.epochs if task.policy.training else 0
        )
        made = self.members * self.sides
        optimized = 0.0
        for method, count in self.optimizations():
            step = self._tokens_per_step(method) * (6 + 2) * policy
            if method.family != "pairs":
                step += self._tokens_per_step(method) * 2 * proxy * self.members
            optimized += count * self._steps(method) * step
        return {
            "initial": 6.0 * self.worlds * policy * examples * row,
            "pool": drawn["pool"] * row * 2 * (policy + gold),
            "pairs": drawn["pairs"] * row * 2.0 * policy,
            "labels": self.sides * pairs * row * 2.0 * gold,
            "proxy": made * row * (6 * learned + 2 * pairs) * proxy,
            "score": made * (drawn["pool"] + drawn["evaluate"]) * row * 2.0 * proxy,
            "optimize": optimized + drawn["optimize"] * row * 2.0 * policy,
            "evaluate": drawn["evaluate"] * row * 2 * (3 * policy + gold),
        }

    def sampling_bytes(self) -> dict[str, float]:
        """Bytes of weights read while sampling, by stage."""
        weights = self.policy.parameters * self.policy.number_bytes
        return {
            stage: math.ceil(rows / _SAMPLING_ROWS) * self.response * weights
            for stage, rows in self.samples().items()
        }

    def memory_bytes(self) -> float:
        """Largest memory of a stage: training the policy, or a proxy, or scoring by gold."""
        policy = self.policy
        tokens = max(
            (self._tokens_per_step(method) for method, _ in self.optimizations()), default=0
        )
        logits = 4 * 4 * tokens * self.response / self.row * policy.vocabulary
        training = 5 * policy.parameters * policy.number_bytes if tokens else 0.0
        training += tokens * 34 * policy.width * policy.layers * policy.number_bytes / 2 + logits
        members = self.members * self.proxy.parameters * self.proxy.number_bytes
        gold = self.gold.parameters * self.gold.number_bytes
        fitting = 4 * self.proxy.parameters * self.proxy.number_bytes
        evaluating = 2 * policy.parameters * policy.number_bytes + gold
        return max(training + members, fitting, evaluating)
