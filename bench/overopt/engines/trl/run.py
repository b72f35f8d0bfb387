"""A run inside TRL's trainer, whatever its family: its steps, what it saw, how it resumes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic

import torch
from accelerate.utils import DistributedType, broadcast, is_peft_model
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.engines.contract import RunInputs
from overopt.engines.forward import ForwardPass, state_shape
from overopt.engines.hooks import Hooks
from overopt.engines.method.remembered import is_writable
from overopt.engines.method.training import TrainedMethod
from overopt.engines.optimizer import OptimizerSettings, warmup
from overopt.engines.trl.checkpoints import AnyRow, RunState, read_run_state, write_run_state
from overopt.engines.trl.method_state import (
    MethodState,
    read_method_state,
    write_method_state,
)
from overopt.engines.trl.passes import Passes
from overopt.engines.trl.steps import Pass
from overopt.engines.trl.weights import Gathered, Merged, another, reference_of
from overopt.engines.walk.kl_walk import KLWalk
from overopt.engines.walk.trajectory import Compute, Trajectory
from overopt.errors import UserError
from overopt.methods.contract.reading import Reading
from overopt.models.weights import set_weights, weights_of

_SHARDED = (DistributedType.DEEPSPEED, DistributedType.FSDP)


class TrlRun(Generic[AnyRow]):
    """What a run has seen and spent, how it steps, and how it goes on after a kill.

    Methods named after a trainer's are called by it (``private_api.TrainerWork``).

    Args:
        method: which supplies the mathematics.
        settings: learning rate, warm-up, clipping.
        inputs: of the run; of the policy its shape only, as the trainer has it.
        max_steps: gradient steps.
        gradient_accumulation_steps: forward and backward passes of a process in one step.
        row: the family's kind of row.
    """

    trainer: Any
    reference: Any
    hooks: Hooks
    passes: Passes

    def __init__(
        self,
        method: TrainedMethod,
        settings: OptimizerSettings,
        inputs: RunInputs,
        max_steps: int,
        gradient_accumulation_steps: int,
        row: Callable[..., AnyRow],
    ) -> None:
        self.name, self.opened = method.name, method
        self.optimizer_settings, self.inputs = settings, inputs
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.module_rate = method.training.module_rate
        self.forward = ForwardPass(method, state_shape(inputs.policy), together=True)
        self.anchor: PreTrainedModel | None = None
        self.walk = KLWalk(inputs.budgets_nats, max_steps, self._between)
        self._measure: Callable[[Mapping[str, Tensor]], float] | None = None
        self.rows: list[AnyRow] = []
        self.compute = Compute(0, 0, 0)
        self._make_row = row

    @property
    def own_parameters(self) -> list[nn.Parameter]:
        """Parameters of the method's module, which the trainer's optimizer holds too."""
        return [] if self.forward.module is None else list(self.forward.module.parameters())

    @property
    def policy(self) -> Any:
        """The policy itself, outside of what spreads it over processes."""
        return self.trainer.model

    @property
    def device(self) -> Any:
        """Where this process computes."""
        return self.trainer.accelerator.device

    @property
    def step(self) -> int:
        """Optimizer steps taken."""
        return int(self.trainer.state.global_step)

    def begin(self) -> None:
        """Prepare the reference and what belongs to the method, once the trainer is there.

        Raises:
            UserError: the method needs whole weights, and they are spread over processes.
        """
        accelerator = self.trainer.accelerator
        beside = self.opened.acts_on_weights or bool(self.own_parameters)
        if beside and accelerator.distributed_type in _SHARDED:
            raise UserError(
                f"{self.name}: a method with a module or hooks needs the policy whole on every "
                "process, and DeepSpeed or FSDP spreads it; leave these out, or give "
                "--engine native."
            )
        self.reference = reference_of(self.trainer, self.inputs.reference)
        if self.forward.module is not None:
            # its first weights may be random, and every process has drawn its own
            module = self.forward.module.to(self.device)
            module.load_state_dict(broadcast(module.state_dict()))
        self.hooks = Hooks(self.opened, weights_of(self.reference))
        count = self.gradient_accumulation_steps
        self.passes = Passes(self.trainer, self.forward, self.reference, count)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, as a fraction of its peak."""
        return warmup(step, self.optimizer_settings)

    def compute_loss(self, model: nn.Module, inputs: Pass) -> Tensor:
        """Loss of a pass."""
        loss, now = self.passes.loss(model, inputs)
        if now is not None:
            self.note(inputs, now)
        return loss

    def note(self, given: Pass, now: Reading) -> None:
        """Called in every pass with the step as the policy reads it."""

    def on_pre_optimizer_step(self, gradient_norm: float) -> None:
        """Clip the module's gradient, and look whether all is finite.

        The module's gradient is clipped on its own, as in ``models.optimizer.Stepper``.

        Raises:
            FloatingPointError: loss or gradient is not finite; names method and step.
        """
        own = self.own_parameters
        if own:
            self._average_gradients(own)
            norm = nn.utils.clip_grad_norm_(own, self.optimizer_settings.max_gradient_norm)
            gradient_norm = math.hypot(gradient_norm, float(norm))
        loss = self.passes.take_loss()
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            raise FloatingPointError(
                f"{self.name}: step {self.step + 1}: loss {loss}, gradient norm {gradient_norm}; "
                "lower the learning rate"
            )
        self.record(loss, gradient_norm)

    def record(self, loss: float, gradient_norm: float) -> None:
        """Called before the optimizer steps, with the whole step's loss and gradient."""

    def on_step_end(self) -> bool:
        """Called after every optimizer step; whether the run is over."""
        for parameter in self.own_parameters:
            parameter.grad = None  # the trainer clears the policy's gradients only
        anchor = self.hooks.after_step(self.policy, self.step)
        if anchor is not None:
            if self.anchor is None:
                self.anchor = another(self.trainer, self.reference)
            set_weights(self.anchor, anchor)
        return self.advance()

    def advance(self) -> bool:
        """What the family does after a step; whether the run is over."""
        return False

    def observe(self, kl_nats: float) -> None:
        """Let the walk note the policy as it is now."""
        try:
            self.walk.observe(self.step, kl_nats, self.compute, Gathered(self.trainer))
        except FloatingPointError as error:
            raise FloatingPointError(f"{self.name}: {error}") from None

    def pass_by(self) -> None:
        """Let the walk keep the policy of a step on which its KL is not measured.

        Only where every process holds all weights as they are: to gather spread weights, or to
        merge adapters, takes too long to be done at every step.
        """
        accelerator = self.trainer.accelerator
        if accelerator.distributed_type not in _SHARDED and not is_peft_model(self.policy):
            policy = accelerator.unwrap_model(self.policy)
            self.walk.pass_by(self.step, self.compute, policy)

    def _between(self, state: Mapping[str, Tensor]) -> float:
        """KL in nats of a policy that was passed by, measured by the first process for all.

        The others, which have no weights after a checkpoint, take the same decisions.
        """
        if self._measure is None:
            self._measure = self.inputs.kl_probe.of_weights(self.reference)
        accelerator = self.trainer.accelerator
        kl_nats = self._measure(state) if accelerator.is_main_process else 0.0
        told = torch.tensor([kl_nats], dtype=torch.float64, device=self.device)
        return float(broadcast(told).item())

    def may_pause(self) -> bool:
        """Whether all that the next step depends on can be written now.

        A memory that cannot be written means no checkpoints: a killed run then starts anew.
        """
        return is_writable(self.hooks.memory, self.opened)

    def on_save(self, checkpoint: Path) -> None:
        """Complete and seal a checkpoint; all processes have written their parts of it by then."""
        self.trainer.accelerator.wait_for_everyone()
        if self.trainer.accelerator.is_main_process:
            module = {} if self.forward.module is None else self.forward.module.state_dict()
            anchor = None if self.anchor is None else weights_of(self.anchor)
            state = MethodState(module, self.hooks.memory, anchor)
            write_method_state(checkpoint, state, self.opened)
            seen = RunState(tuple(self.rows), self.compute, self.walk.memory)
            write_run_state(checkpoint, seen)
        self.trainer.accelerator.wait_for_everyone()

    def resume(self, checkpoint: Path) -> None:
        """Go on from a whole checkpoint."""
        first = bool(self.trainer.accelerator.is_main_process)
        seen = read_run_state(checkpoint, self._make_row, with_weights=first)
        self.rows, self.compute = list(seen.rows), seen.compute
        self.walk.recall(seen.walk)
        module, self.hooks.memory, anchor = read_method_state(checkpoint, self.opened, self.device)
        if self.forward.module is not None:
            self.forward.module.load_state_dict(module)
        if anchor is not None:
            self.anchor = another(self.trainer, self.reference)
            set_weights(self.anchor, anchor)

    def finish(self) -> Trajectory:
        """The run's result; adapters are merged into full weights when these are asked for."""
        steps = sum(row.step > 0 and row.loss is not None for row in self.rows)
        if self.compute.gradient_steps == 0 or steps == 0:
            raise RuntimeError(f"{self.name}: TRL's trainer took no step and did not say why")
        snapshots = self.walk.snapshots
        if is_peft_model(self.policy):
            snapshots = tuple(
                replace(one, state=Merged(self.policy, one.state)) for one in snapshots
            )
        unreached = self.walk.unreached_nats
        return Trajectory(snapshots, unreached, tuple(self.rows), self.compute)

    def _average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Average over processes, as is done with the policy's gradients elsewhere."""
        processes = int(self.trainer.accelerator.num_processes)
        if processes == 1:
            return
        for parameter in parameters:
            gradient = parameter.grad
            own = torch.zeros_like(parameter) if gradient is None else gradient
            parameter.grad = self.passes.total(own) / processes
