"""What both families share inside TRL: configuration, adapters, the walk along KL, resuming."""

from __future__ import annotations

import copy
import math
import os
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from accelerate.state import AcceleratorState, GradientState
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from overopt.engines.snapshots import Compute, KLWalk, Progress, Snapshot, Trajectory
from overopt.engines.trl_checkpoints import Ledger, Row, newest_whole, read_ledger, write_ledger
from overopt.engines.trl_seams import (
    RESERVED,
    check_seams,
    config_fields,
    exclude_pad,
    fitted_head,
)
from overopt.engines.trl_version import check_extra
from overopt.errors import UserError
from overopt.spec import PairsSpec, RolloutSpec, TrlSpec

Probe = Callable[[PreTrainedModel, PreTrainedModel], float]
"""KL(policy || reference) in nats per response, estimated on samples of the policy."""

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class Setup(NamedTuple):
    """Where and how a run of the trl engine takes place.

    options: of the machine.
    tokenizer: of the policy; TRL wants one, although no text is ever tokenised.
    checkpoints: folder that outlives a killed process.
    seed: of TRL's own random numbers: adapters' first weights, ``generate``.
    """

    options: TrlSpec
    tokenizer: PreTrainedTokenizerBase
    checkpoints: Path
    seed: int


class Course:
    """A run on its way: what it has seen, what it has spent, and how it goes on after a kill.

    Args:
        name: of the method.
        settings: learning rate, warm-up, number of steps.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        progress: told the fraction done.
    """

    trainer: Any

    def __init__(
        self,
        name: str,
        settings: PairsSpec | RolloutSpec,
        budgets_nats: tuple[float, ...],
        progress: Progress,
    ) -> None:
        self.name = name
        self.settings = settings
        self.progress = progress
        self.walk = KLWalk(budgets_nats, settings.max_steps)
        self.rows: list[Row] = []
        self.compute = Compute(0, 0, 0)

    def rate_at(self, step: int) -> float:
        """Linear warm-up to a constant, as ``engines.descent`` has it."""
        return min(1.0, (step + 1) / (self.settings.warmup_steps + 1))

    @property
    def policy(self) -> Any:
        """The policy itself, outside of what spreads it over processes."""
        return self.trainer.model

    @property
    def step(self) -> int:
        """Optimiser steps taken."""
        return int(self.trainer.state.global_step)

    def share(self, index_B: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """This process's part of a batch, in as many nearly equal pieces as it makes passes."""
        accelerator = self.trainer.accelerator
        passes = int(self.trainer.args.gradient_accumulation_steps)
        own_B = np.array_split(index_B, accelerator.num_processes)[accelerator.process_index]
        return np.array_split(own_B, passes)

    def scale(self, rows: int) -> float:
        """What a sum over this pass's rows is multiplied with to become its part of the mean.

        The trainer averages over passes and processes.
        """
        passes = int(self.trainer.args.gradient_accumulation_steps)
        return passes * int(self.trainer.accelerator.num_processes) / rows

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes."""
        summed: Tensor = self.trainer.accelerator.reduce(value, "sum")
        return summed

    def check_finite(self, loss: float, gradient_norm: float) -> None:
        """Refuse a step whose loss or gradient is not finite, as the native engine does."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            raise FloatingPointError(
                f"{self.name}: step {self.step + 1}: loss {loss}, gradient norm {gradient_norm}; "
                "lower the learning rate"
            )

    def observe(self, kl_nats: float) -> None:
        """Let the walk note the policy as it is now."""
        try:
            self.walk.observe(self.step, kl_nats, self.compute, _Weights(self.trainer))
        except FloatingPointError as error:
            raise FloatingPointError(f"{self.name}: {error}") from None

    def after_step(self) -> bool:
        """Called after every optimiser step; whether the run is over."""
        return False

    def save(self, checkpoint: Path) -> None:
        """Complete and seal a checkpoint; all processes have written their parts of it by then."""
        self.trainer.accelerator.wait_for_everyone()
        if self.trainer.accelerator.is_main_process:
            write_ledger(checkpoint, Ledger(tuple(self.rows), self.compute, self.walk.memory))
        self.trainer.accelerator.wait_for_everyone()

    def recall(self, checkpoint: Path) -> None:
        """Go on from a whole checkpoint."""
        first = bool(self.trainer.accelerator.is_main_process)
        rows, self.compute, memory = read_ledger(checkpoint, with_weights=first)
        self.rows = list(rows)
        self.walk.recall(memory)

    def finish(self) -> Trajectory:
        """The run's result; adapters are merged into full weights when these are asked for."""
        steps = sum(row.step > 0 and row.loss is not None for row in self.rows)
        if self.compute.gradient_steps == 0 or steps == 0:
            raise RuntimeError(f"{self.name}: TRL's trainer took no step and did not say why")
        snapshots = self.walk.snapshots
        if _is_adapted(self.policy):
            merged = [Merged(self.policy, snapshot.state) for snapshot in snapshots]
            snapshots = tuple(
                Snapshot(one.step, one.kl_nats, one.budgets_nats, one.compute, state)
                for one, state in zip(snapshots, merged, strict=True)
            )
        rows: Any = tuple(self.rows)
        return Trajectory(snapshots, self.walk.unreached_nats, rows, self.compute)


class _Report(TrainerCallback):  # type: ignore[misc]
    """Tells a course when a step was taken and when a checkpoint was written."""

    def __init__(self, course: Course) -> None:
        self._course = course

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        with own_randomness():
            if self._course.after_step():
                control.should_training_stop = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._course.save(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def train(course: Course, setup: Setup) -> None:
    """Run the course's trainer from the newest whole checkpoint, or from the start.

    Raises:
        RuntimeError: fewer processes run than were asked for.
    """
    trainer = course.trainer
    running = int(trainer.accelerator.num_processes)
    if running != setup.options.processes:
        raise RuntimeError(
            f"{setup.options.processes} processes were asked for, and {running} take part; "
            "they were not started by torchrun or accelerate"
        )
    trainer.add_callback(_Report(course))
    checkpoint = None
    if setup.options.checkpoint_steps:
        if trainer.accelerator.is_main_process:
            newest_whole(setup.checkpoints)
        trainer.accelerator.wait_for_everyone()
        checkpoint = newest_whole(setup.checkpoints)
    if checkpoint is not None:
        course.recall(checkpoint)
        if course.walk.finished:
            return
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))


def ready(policy: PreTrainedModel) -> PreTrainedModel:
    """The initial policy made ready for TRL's trainers: its head excludes PAD."""
    exclude_pad(policy)
    return policy


def adapters(options: TrlSpec) -> Any:
    """PEFT's configuration of the adapters to train; None where all weights are trained.

    Raises:
        UserError: PEFT is not installed.
    """
    if options.lora_rank == 0:
        return None
    check_extra("peft", "trl.lora_rank")
    from peft import LoraConfig

    return LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.lora_alpha or 2 * options.lora_rank,
        lora_dropout=0.0,
        target_modules=list(options.lora_targets) or "all-linear",
        task_type="CAUSAL_LM",
    )


def configuration(
    family: str, settings: PairsSpec | RolloutSpec, setup: Setup, passes: int, steps: int
) -> dict[str, Any]:
    """Arguments of TRL's configuration that both families share, the user's own among them.

    Raises:
        UserError: an argument that TRL does not have, or that this engine sets itself.
    """
    options = setup.options
    own: dict[str, Any] = {
        "output_dir": str(setup.checkpoints),
        "max_steps": steps,
        "learning_rate": settings.learning_rate,
        "weight_decay": 0.0,
        "max_grad_norm": settings.max_gradient_norm,
        "gradient_accumulation_steps": passes,
        "bf16": options.bf16,
        "activation_checkpointing": options.gradient_checkpointing,
        "use_cpu": not torch.cuda.is_available(),
        "seed": setup.seed % 2**31,
        "disable_dropout": True,
        "report_to": "none",
        "disable_tqdm": True,
        "logging_strategy": "no",
        "eval_strategy": "no",
        "save_strategy": "steps" if options.checkpoint_steps else "no",
        "save_steps": options.checkpoint_steps or steps,
        "save_total_limit": 2,
        "ignore_data_skip": True,
        "remove_unused_columns": False,
        "logging_nan_inf_filter": False,
        "push_to_hub": False,
    }
    defaults = {"optim": "adamw_torch", "ddp_find_unused_parameters": False}
    given = options.arguments
    taken = sorted(set(given) & (set(own) | RESERVED))
    if taken:
        raise UserError(
            f"trl.arguments.{taken[0]}: the engine sets this argument itself; leave it out."
        )
    unknown = sorted(set(given) - config_fields(family))
    if unknown:
        raise UserError(
            f"trl.arguments.{unknown[0]}: TRL's configuration of the family {family} has no such "
            "argument; leave it out or correct its name."
        )
    return {**defaults, **given, **own}


@contextmanager
def isolated(vocabulary_size: int) -> Iterator[None]:
    """Undo what TRL leaves behind in a process that other stages use after it.

    TRL seeds every global generator, sets environment variables, and fixes accelerate's state, so
    that a later native run would inherit its precision.

    Args:
        vocabulary_size: of the policy that is trained meanwhile.

    Raises:
        UserError: TRL is not as its version says.
    """
    check_seams()
    environment = dict(os.environ)
    os.environ.update(_OFFLINE)
    try:
        with fitted_head(vocabulary_size), own_randomness():
            yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        if not torch.distributed.is_initialized():
            AcceleratorState._reset_state(reset_partial_state=True)
            GradientState._reset_state()


@contextmanager
def own_randomness() -> Iterator[None]:
    """Leave the global generators of Python, numpy and torch as they were."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


class Unadapted:
    """A policy with its adapters switched off: the reference, without a second copy in memory."""

    def __init__(self, policy: Any) -> None:
        self._policy = policy

    def __call__(self, *args: Any, **given: Any) -> Any:
        with self._policy.disable_adapter():
            return self._policy(*args, **given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def to(self, device: Any) -> Unadapted:
        """The policy is where it is."""
        return self


def reference_of(course: Course, reference: PreTrainedModel) -> Any:
    """The reference to compare with, in the precision of the policy.

    A policy with adapters is its own reference without them.
    """
    if _is_adapted(course.policy):
        return Unadapted(course.policy)
    return course.trainer.accelerator.prepare_model(
        reference, device_placement=True, evaluation_mode=True
    )


class Merged(Mapping[str, Tensor]):
    """Full weights of a policy whose adapters had some value, merged when they are looked at.

    So that no more than one full copy exists at a time, nothing is remembered: take ``items``.
    """

    def __init__(self, policy: Any, adapter: Mapping[str, Tensor]) -> None:
        self._policy, self._adapter = policy, adapter
        self._names = tuple(_unadapted_names(policy))

    def __getitem__(self, name: str) -> Tensor:
        return self._weights()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> Any:
        """All weights at once, merged a single time."""
        return self._weights().items()

    def _weights(self) -> dict[str, Tensor]:
        from peft import set_peft_model_state_dict

        model = copy.deepcopy(self._policy)
        set_peft_model_state_dict(model, dict(self._adapter))
        merged = model.merge_and_unload()
        return {name: value.detach().cpu() for name, value in merged.state_dict().items()}


def _unadapted_names(policy: Any) -> list[str]:
    names = [name.removeprefix("base_model.model.") for name in policy.state_dict()]
    return [name.replace(".base_layer", "") for name in names if ".lora_" not in name]


class _Weights:
    """A policy as ``KLWalk`` looks at it: gathered from all processes, adapters alone if any.

    Only the first process, which writes the result, holds copies.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def state_dict(self) -> dict[str, Any]:
        weights = self._gather()
        return weights if self._trainer.accelerator.is_main_process else {}

    def _gather(self) -> dict[str, Any]:
        trainer = self._trainer
        if _is_adapted(trainer.model):
            from peft import get_peft_model_state_dict

            adapter: dict[str, Any] = get_peft_model_state_dict(trainer.model)
            return adapter
        weights: dict[str, Any] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
        return weights


def _is_adapted(policy: Any) -> bool:
    return hasattr(policy, "peft_config") and hasattr(policy, "disable_adapter")
