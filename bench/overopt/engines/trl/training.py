"""How a run of the trl engine is set up, driven, resumed, and kept apart from the process."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate.state import AcceleratorState, GradientState
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from overopt.engines.method.training import TrainedMethod
from overopt.engines.optimizer import OptimizerSettings
from overopt.engines.trl.checkpoints import newest_whole
from overopt.engines.trl.head import exclude_suppressed, fitted_head
from overopt.engines.trl.private_api import RESERVED, check_private_api, config_fields
from overopt.engines.trl.run import TrlRun
from overopt.engines.trl.version import check_extra
from overopt.errors import UserError
from overopt.spec.declare import ANY_ENGINE
from overopt.spec.trl import TrlSpec

_OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


class TrlSetup(NamedTuple):
    """Where and how a run of the trl engine takes place.

    options: of the machine.
    tokenizer: of the policy; TRL wants one, although no text is ever tokenized.
    checkpoints: folder that outlives a killed process.
    seed: of TRL's own random numbers: adapters' first weights, ``generate``.
    """

    options: TrlSpec
    tokenizer: PreTrainedTokenizerBase
    checkpoints: Path
    seed: int


class _Report(TrainerCallback):
    """Tells a run when a step was taken and when a checkpoint was written."""

    def __init__(self, run: TrlRun[Any]) -> None:
        self._run = run
        self._owed = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        with own_randomness():
            if self._run.on_step_end():
                control.should_training_stop = True
        # a checkpoint that is due where the run cannot pause is written where it next can
        self._owed = self._owed or control.should_save
        control.should_save = self._owed and self._run.may_pause()
        self._owed = self._owed and not control.should_save
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._run.on_save(Path(args.output_dir) / f"checkpoint-{state.global_step}")


def train(run: TrlRun[Any], setup: TrlSetup) -> None:
    """Run a run's trainer from the newest whole checkpoint, or from the start.

    Raises:
        RuntimeError: fewer processes run than were asked for.
    """
    trainer = run.trainer
    running = int(trainer.accelerator.num_processes)
    if running != setup.options.processes:
        raise RuntimeError(
            f"{setup.options.processes} processes were asked for, and {running} take part; "
            "they were not started by torchrun or accelerate"
        )
    trainer.add_callback(_Report(run))
    checkpoint = None
    if setup.options.checkpoint_steps:
        if trainer.accelerator.is_main_process:
            newest_whole(setup.checkpoints)
        trainer.accelerator.wait_for_everyone()
        checkpoint = newest_whole(setup.checkpoints)
    if checkpoint is not None:
        run.resume(checkpoint)
        if run.walk.finished:
            return
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))


def ready(policy: PreTrainedModel) -> PreTrainedModel:
    """The initial policy made ready for TRL's trainers: its head excludes what it never emits."""
    exclude_suppressed(policy)
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
    family: str, settings: OptimizerSettings, setup: TrlSetup, passes: int, steps: int
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
    defaults: dict[str, Any] = {"optim": "adamw_torch", "ddp_find_unused_parameters": False}
    # buffers are constants here: nothing to send in every forward pass
    defaults["ddp_broadcast_buffers"] = False
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


def check_options(method: TrainedMethod, options: TrlSpec) -> None:
    """Refuse options that would change what a method means.

    Raises:
        UserError: inputs or hooks that this engine does not serve; or hooks on weights, with
            adapters. Hooks average weights, and the average of the
            adapters' two factors is not the adapter of the averaged weights.
    """
    unserved = sorted(method.inputs.difference(ANY_ENGINE))
    if unserved or method.native_only:
        asked = (*unserved, *method.native_only)[0]
        raise UserError(
            f"{method.name} needs {asked}, which the engine trl does not have; leave --engine out "
            "or say --engine native."
        )
    if options.lora_rank and method.acts_on_weights:
        raise UserError(
            f"{method.name} acts on the policy's weights between steps, which adapters "
            "(trl.lora_rank) hold as products; set trl.lora_rank=0, or choose another method."
        )


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
    check_private_api()
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
    """Leave the global generators of Python, numpy and torch as they were.

    TRL seeds numpy's legacy generator, which only the legacy functions can save.
    """
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  # what TRL seeds
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002  # what TRL seeds
