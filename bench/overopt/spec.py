"""Frozen, validated specifications of a task, its gold, its proxies and a run.

Shape letters used in every module: B prompts, N samples per prompt (or rows of a flat table),
T tokens, V vocabulary, K grid of budgets, S seeds, M ensemble members, P preference pairs,
R enumerated responses.

A specification is data: no field holds an expression, every key is checked, and two equal
specifications have equal JSON, so that a stage's key can be a hash of it.
"""

from __future__ import annotations

from dataclasses import MISSING, field
from itertools import pairwise
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from overopt.frozen import Spec
from overopt.noise import NoiseSpec
from overopt.origins import HubSpec, ReaderOrigin

Family = Literal["pairs", "rollout", "round", "selection", "merge"]
TRAINING_FAMILIES: tuple[Family, ...] = ("pairs", "rollout", "round")
"""Families whose policies are trained: another value of their knob means another run."""
Engine = Literal["native", "trl"]
GoldUse = Literal["none", "selection", "training"]
MethodInput = Literal["policy_states", "reference_states", "forward_kl"]
"""What a method may ask the engine to compute besides log-probabilities.

policy_states, reference_states: hidden states of the policy or the reference, for the method's own
module (one of the two). forward_kl: KL(pi_ref || pi) of the next token at every position.
"""


def param(
    default: Any = MISSING,
    *,
    help: str,
    unit: str = "",
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:
    """Declare one field of a method's or proxy's ``Config``: default, meaning, unit and bounds.

    All arguments must be literals, because the catalog reads declarations without running them.

    Args:
        default: value used when the user gives none; required when left out.
        help: one line that says what the field does.
        unit: its unit, such as ``"nats"`` or ``"1/nats"``; empty for a pure number.
        above: exclusive lower bound.
        at_least: inclusive lower bound.
        at_most: inclusive upper bound.
    """
    metadata = {
        "help": help,
        "unit": unit,
        "above": above,
        "at_least": at_least,
        "at_most": at_most,
    }
    return field(default=default, metadata=metadata)


class Knob(BaseModel):
    """What moves a method along KL.

    ``low`` and ``high`` bound the search in log knob; ``raises_kl`` says whether a larger value
    means a larger KL (best-of-n: yes; a KL penalty: no).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    low: float = Field(gt=0)
    high: float = Field(gt=0)
    raises_kl: bool


def knob(name: str, *, low: float, high: float, raises_kl: bool) -> Knob:
    """Declare a method's knob; all arguments must be literals (see ``param``)."""
    return Knob(name=name, low=low, high=high, raises_kl=raises_kl)


def _absent(value: object) -> bool:
    """Whether a field that only some tasks have stands in no JSON."""
    return value is None


class WorldSpec(Spec):
    """A world: the kind of language, the seed that generates it, and how many prompts it has.

    hub: of a world of real language, its model and data; the seed then shuffles the prompts.
    """

    kind: str
    seed: int = Field(0, ge=0)
    train_prompts: int = Field(gt=0)
    heldout_prompts: int = Field(gt=0)
    hub: HubSpec | None = Field(default=None, exclude_if=_absent)

    @model_validator(mode="after")
    def _hub_has_its_table(self) -> Self:
        if (self.kind == "hub") != (self.hub is not None):
            raise ValueError("a world of kind 'hub', and no other, has a table [world.hub]")
        return self


class TrainingSpec(Spec):
    """Supervised training of one model by AdamW with linear warm-up and cosine decay."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)


class ArchitectureSpec(Spec):
    """A small transformer trained from scratch; ``family`` names a transformers model type."""

    family: Literal["gpt2"] = "gpt2"
    layers: int = Field(gt=0)
    width: int = Field(gt=0)
    heads: int = Field(gt=0)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} must divide width = {self.width}")
        return self


class PolicySpec(Spec):
    """The initial policy: its architecture, and SFT on ``examples`` reference texts.

    On a hub world the architecture is the model folder's, and no examples mean the model as it is.
    """

    architecture: ArchitectureSpec | None = Field(default=None, exclude_if=_absent)
    examples: int = Field(ge=0)
    training: TrainingSpec | None = Field(default=None, exclude_if=_absent)

    @model_validator(mode="after")
    def _training_goes_with_examples(self) -> Self:
        if (self.examples > 0) != (self.training is not None):
            raise ValueError("examples above 0 need [policy.training], and 0 examples take none")
        return self


class GoldSpec(Spec):
    """What plays the human: a rule, a transformer trained on its labels, or a ready classifier.

    classifier: any sequence classifier; one without its own here is the task's.
    """

    name: str
    summary: str
    kind: Literal["rule", "model", "classifier"]
    architecture: ArchitectureSpec | None = None
    comparisons: int | None = Field(None, gt=0)
    training: TrainingSpec | None = None
    classifier: ReaderOrigin | None = Field(default=None, exclude_if=_absent)

    @model_validator(mode="after")
    def _model_is_whole(self) -> Self:
        parts = (self.architecture, self.comparisons, self.training)
        if self.kind == "model" and None in parts:
            raise ValueError("a gold of kind 'model' needs architecture, comparisons and training")
        if self.kind != "model" and any(part is not None for part in parts):
            raise ValueError(
                f"a gold of kind '{self.kind}' takes no architecture, comparisons or training"
            )
        if self.kind != "classifier" and self.classifier is not None:
            raise ValueError(f"a gold of kind '{self.kind}' takes no classifier")
        return self


class ProxySpec(Spec):
    """Bradley-Terry reward models trained on the preference data; ensembles take more members.

    On a hub world they start from ``base`` with a fresh head, from scratch where there is an
    ``architecture``, and otherwise from the policy.
    """

    architecture: ArchitectureSpec | None = Field(default=None, exclude_if=_absent)
    base: ReaderOrigin | None = Field(default=None, exclude_if=_absent)
    comparisons: int = Field(gt=0)
    training: TrainingSpec
    calibration_samples: int = Field(1024, gt=1)

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if self.architecture is not None and self.base is not None:
            raise ValueError("a proxy starts from base or from an architecture, not from both")
        return self

    @property
    def width(self) -> int | None:
        """Width of proxies made from scratch; None where they start from a model."""
        return self.architecture.width if self.architecture else None

    def resized(self, width: int | None, comparisons: int) -> Self:
        """The same with another width (None: as it is) and another number of comparisons."""
        architecture = self.architecture
        if architecture is not None and width is not None:
            architecture = architecture.model_copy(update={"width": width})
        return self.model_copy(update={"architecture": architecture, "comparisons": comparisons})


class PairsSpec(Spec):
    """Machinery of methods that learn from preference pairs (the mathematics is the method's)."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    max_steps: int = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)


class RolloutSpec(Spec):
    """Machinery of online methods: prompts per step, samples per prompt, optimizer."""

    learning_rate: float = Field(gt=0)
    prompts_per_step: int = Field(gt=0)
    samples_per_prompt: int = Field(gt=1)
    max_steps: int = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)


class TrlSpec(Spec):
    """How the trl engine runs on its machine; the mathematics and the data are not touched.

    processes: each with its own device and share of every batch; started by ``torchrun``, or by
        ``accelerate launch`` with ``accelerate_config`` where that names a file.
    micro_batch: most pairs (or responses) of one forward pass of a process; 0 for no limit.
    lora_rank: rank of the trained adapters; 0 trains all weights. ``lora_alpha`` scales them
        (0: twice the rank), ``lora_targets`` names the layers (none: all but the head).
    generation: who samples: this package's sampler (the same responses as the native engine),
        transformers' ``generate``, or vLLM.
    checkpoint_steps: steps between checkpoints that an interrupted run goes on from; 0 for none.
    arguments: any other argument of TRL's configuration, such as ``vllm_mode`` or ``deepspeed``.
    """

    processes: int = Field(default=1, ge=1)
    accelerate_config: str = ""
    micro_batch: int = Field(default=0, ge=0)
    bf16: bool = False
    gradient_checkpointing: bool = False
    lora_rank: int = Field(default=0, ge=0)
    lora_alpha: float = Field(default=0.0, ge=0)
    lora_targets: tuple[str, ...] = ()
    generation: Literal["overopt", "transformers", "vllm"] = "overopt"
    checkpoint_steps: int = Field(default=50, ge=0)
    arguments: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @field_validator("lora_targets", mode="before")
    @classmethod
    def _targets_from_list(cls, targets: object) -> object:
        return tuple(targets) if isinstance(targets, list) else targets


class EvaluationSpec(Spec):
    """One sampler for all: samples per held-out prompt of a policy, and of the initial policy."""

    samples_per_prompt: int = Field(gt=1)
    pool_samples_per_prompt: int = Field(gt=1)


class TaskSpec(Spec):
    """What methods have in common: world, initial policy, gold, data sizes, KL budgets.

    classifier: the gold of a hub task, where ``gold`` is ``classifier``.
    """

    name: str
    summary: str
    world: WorldSpec
    policy: PolicySpec
    gold: str
    classifier: ReaderOrigin | None = Field(default=None, exclude_if=_absent)
    proxy: ProxySpec
    pairs: PairsSpec
    rollout: RolloutSpec
    evaluation: EvaluationSpec
    trl: TrlSpec = TrlSpec()
    kl_grid_nats: tuple[float, ...]

    @field_validator("kl_grid_nats", mode="before")
    @classmethod
    def _grid_from_list(cls, grid_nats: object) -> object:
        return tuple(grid_nats) if isinstance(grid_nats, list) else grid_nats

    @model_validator(mode="after")
    def _parts_suit_the_world(self) -> Self:
        if self.world.hub is not None:
            if self.policy.architecture is not None:
                raise ValueError(
                    "the policy of a hub world is world.hub.policy; it takes no policy.architecture"
                )
            return self
        if self.policy.architecture is None or self.policy.training is None:
            raise ValueError("policy.architecture and policy.training are missing; add them")
        if self.proxy.architecture is None or self.classifier is not None:
            raise ValueError(
                "proxies of this world need proxy.architecture; proxy.base and "
                "[classifier] belong to hub worlds"
            )
        return self

    @field_validator("kl_grid_nats")
    @classmethod
    def _grid_rises(cls, grid_nats: tuple[float, ...]) -> tuple[float, ...]:
        if (
            not grid_nats
            or grid_nats[0] <= 0
            or any(later <= earlier for earlier, later in pairwise(grid_nats))
        ):
            raise ValueError("kl_grid_nats must be positive and strictly increasing, in nats")
        return grid_nats


class MethodSpec(Spec):
    """A method resolved: its name or file, and the value of every field of its ``Config``.

    member_family: of the merge family, the family of the runs whose weights are merged.
    """

    name: str
    family: Family
    knob: Knob
    uses_gold: GoldUse
    source: str
    config: dict[str, bool | int | float | str]
    member_family: Family | None = None

    @property
    def retrains(self) -> bool:
        """Whether another value of the knob means another training run."""
        return self.family in TRAINING_FAMILIES

    @property
    def trains(self) -> Family:
        """The family whose engine trains its policies: its own, or that of its merged members."""
        return self.member_family or self.family

    @property
    def members(self) -> int:
        """Of the merge family, how many policies are trained and merged."""
        return int(self.config["members"])


class ProxySystemSpec(Spec):
    """A reward-side system resolved: its name or file, how many members, its ``Config``."""

    name: str
    source: str
    config: dict[str, bool | int | float | str]

    @property
    def members(self) -> int:
        """How many reward models of different seeds it combines."""
        return int(self.config["members"])


class RunSpec(Spec):
    """One ``bench run``: the resolved task, methods, proxies, noises and seeds, and the KL axis."""

    task: TaskSpec
    gold: GoldSpec
    methods: tuple[MethodSpec, ...]
    proxies: tuple[ProxySystemSpec, ...]
    noises: tuple[NoiseSpec, ...]
    proxy_widths: tuple[int | None, ...]
    comparisons: tuple[int, ...]
    seeds: tuple[int, ...]
    along: Literal["step", "beta"] = "step"
    engine: Engine = "native"
    kl_grid_nats: tuple[float, ...]
    standard: bool
