"""A run of the trl engine on its way, whatever its family: steps, the method's belongings, KL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate.utils import DistributedType, broadcast
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import PreTrainedModel

from overopt.engines.forward import Judge, state_shape
from overopt.engines.hooks import Hooks, declares_hooks
from overopt.engines.kl_walk import Compute, KLWalk, Snapshot, Trajectory
from overopt.engines.learner import name_of, training_of
from overopt.engines.trl.checkpoints import Ledger, Row, read_ledger, write_ledger
from overopt.engines.trl.memory import Belongings, is_writable, read_belongings, write_belongings
from overopt.engines.trl.private_api import fused_response_logps
from overopt.engines.trl.steps import Pass, Seen, Step, blank, is_row_wise, splice, stand_in
from overopt.engines.trl.weights import Gathered, Merged, another, is_adapted, reference_of
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.models.sequences import Batch, join
from overopt.models.weights import set_weights, weights_of
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.spec.trl import TrlSpec

_SHARDED = (DistributedType.DEEPSPEED, DistributedType.FSDP)


class Course:
    """What a run has seen and spent, how it steps, and how it goes on after a kill.

    Args:
        method: the module that supplies the mathematics.
        config: its ``Config``.
        settings: learning rate, warm-up, clipping, number of steps.
        policy: its shape only; the trainer has it.
        budgets_nats: rising; empty for a run of exactly ``max_steps``.
        passes: forward and backward passes of a process in one step.
        progress: told the fraction done.
    """

    trainer: Any
    reference: Any
    hooks: Hooks

    def __init__(
        self,
        method: Any,
        config: Any,
        settings: PairsSpec | RolloutSpec,
        policy: PreTrainedModel,
        budgets_nats: Sequence[float],
        passes: int,
        progress: Progress,
    ) -> None:
        self.name = name_of(method)
        self.method, self.config = method, config
        self.settings = settings
        self.progress = progress
        self.micro_batches = passes
        self.training = training_of(method, config)
        self.module_rate = self.training.module_rate
        self.judge = Judge(self.name, method, config, state_shape(policy), together=True)
        self.anchor: PreTrainedModel | None = None
        self.walk = KLWalk(budgets_nats, settings.max_steps)
        self.rows: list[Row] = []
        self.compute = Compute(0, 0, 0)
        self._row_wise: bool | None = None
        self._loss = 0.0

    @property
    def own_parameters(self) -> list[nn.Parameter]:
        """Parameters of the method's module, which the trainer's optimizer holds too."""
        return [] if self.judge.module is None else list(self.judge.module.parameters())

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

    def begin(self, reference: PreTrainedModel) -> None:
        """Prepare the reference and the method's belongings, once the trainer is there.

        Raises:
            UserError: the method needs whole weights, and they are spread over processes.
        """
        accelerator = self.trainer.accelerator
        beside = declares_hooks(self.method) or bool(self.own_parameters)
        if beside and accelerator.distributed_type in _SHARDED:
            raise UserError(
                f"{self.name}: a method with a module or hooks needs the policy whole on every "
                "process, and DeepSpeed or FSDP spreads it; leave these out, or give "
                "--engine native."
            )
        self.reference = reference_of(self.trainer, reference)
        if self.judge.module is not None:
            # its first weights may be random, and every process has drawn its own
            module = self.judge.module.to(self.device)
            module.load_state_dict(broadcast(module.state_dict()))
        self.hooks = Hooks(self.method, self.config, weights_of(self.reference))

    def rate_at(self, step: int) -> float:
        """Linear warm-up to a constant, as ``engines.optimizer`` has it."""
        return min(1.0, (step + 1) / (self.settings.warmup_steps + 1))

    def share(self, index_G: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
        """This process's part of some groups, in as many nearly equal pieces as it makes passes."""
        accelerator = self.trainer.accelerator
        own_G = np.array_split(index_G, accelerator.num_processes)[accelerator.process_index]
        return np.array_split(own_G, self.micro_batches)

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes."""
        summed: Tensor = self.trainer.accelerator.reduce(value, "sum")
        return summed

    def look(self, model: Any, batch: Batch, mask_GNT: Tensor) -> Seen:
        """What the policy says of some groups, as wide as the step; with gradient if enabled.

        TRL's head is enough for log-probabilities; other inputs need the logits or the states.
        """
        forward_kl_RT: Tensor | None = None
        output_RTC: Tensor | None = None
        if self.judge.reads_tokens_only:
            logp_RT = fused_response_logps(model, batch)
        else:
            reads = self.judge.reads_reference
            about = self.judge.consult(self.reference, batch) if reads else None
            logp_RT, forward_kl_RT, output_RTC, _ = self.judge.judge(model, batch, about)
        _, samples, tokens = mask_GNT.shape

        def grouped(value_RT: Tensor | None) -> Tensor | None:
            if value_RT is None:
                return None
            more = (0, 0) * (value_RT.dim() - 2)
            wide_RT = pad(value_RT, (*more, 0, tokens - value_RT.shape[1]))
            return wide_RT.view(-1, samples, *wide_RT.shape[1:])

        logp_GNT = grouped(logp_RT)
        assert logp_GNT is not None
        return Seen(logp_GNT, grouped(forward_kl_RT), grouped(output_RTC))

    def lay_out(self, step: Step) -> list[Pass]:
        """This process's passes over a step."""
        groups, samples, _ = step.mask_GNT.shape
        passes = []
        for index_K in self.share(np.arange(groups)):
            counts = len(index_K) > 0
            given_K = index_K if counts else np.zeros(1, np.int64)
            row_R = (given_K[:, None] * samples + np.arange(samples)).ravel()
            prompts = step.prompts.take(np.repeat(given_K, samples))
            batch = join(prompts, step.responses.take(row_R), self.device)
            passes.append(Pass(step, torch.from_numpy(given_K).to(self.device), batch, counts))
        if self.micro_batches > 1 and not self._row_wise:
            # the passes come one after another, and each needs to know of those after it
            with torch.no_grad():
                looks = [self.look(self.policy, one.batch, step.mask_GNT) for one in passes]
            others = self._gather(passes, looks)
            passes = [one._replace(others=others) for one in passes]
            self._judge_loss(step, others)
        return passes

    def loss(self, model: nn.Module, given: Pass) -> Tensor:
        """Loss of a pass; the trainer's mean over passes and processes is the step's loss."""
        step = given.step
        own = self.look(model, given.batch, step.mask_GNT)
        if given.others is not None:
            others = given.others
        elif self._row_wise:
            others = stand_in(step, own)
        else:
            others = self._gather([given], [own.map(Tensor.detach)])
            self._judge_loss(step, others)
        if not given.counts:
            return own.nothing()
        seen = splice(others, given.index_K, own)
        loss_G = step.loss(seen)
        mine_K = loss_G[given.index_K]
        self._loss += float(mine_K.detach().double().sum()) / loss_G.numel()
        self.note(given, seen.map(Tensor.detach))
        # other groups' losses may depend on these groups, unless that was ruled out
        loss = mine_K.sum() / loss_G.numel() if self._row_wise else loss_G.mean()
        return loss * self.micro_batches * int(self.trainer.accelerator.num_processes)

    def note(self, given: Pass, seen: Seen) -> None:
        """Called in every pass with what the policy says."""

    def check(self, gradient_norm: float) -> None:
        """Called before the optimizer steps: the module's gradient, and whether all is finite.

        The module's gradient is clipped on its own, as in ``optimizer.Stepper``.

        Raises:
            FloatingPointError: loss or gradient is not finite; names method and step.
        """
        own = self.own_parameters
        if own:
            self._average_gradients(own)
            norm = nn.utils.clip_grad_norm_(own, self.settings.max_gradient_norm)
            gradient_norm = math.hypot(gradient_norm, float(norm))
        loss = float(self.total(torch.tensor(self._loss, device=self.device)))
        self._loss = 0.0
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            raise FloatingPointError(
                f"{self.name}: step {self.step + 1}: loss {loss}, gradient norm {gradient_norm}; "
                "lower the learning rate"
            )
        self.record(loss, gradient_norm)

    def record(self, loss: float, gradient_norm: float) -> None:
        """Called before the optimizer steps, with the whole step's loss and gradient."""

    def after_step(self) -> bool:
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

    def may_pause(self) -> bool:
        """Whether all that the next step depends on can be written now.

        A memory that cannot be written means no checkpoints: a killed run then starts anew.
        """
        return is_writable(self.hooks.memory, self.method)

    def save(self, checkpoint: Path) -> None:
        """Complete and seal a checkpoint; all processes have written their parts of it by then."""
        self.trainer.accelerator.wait_for_everyone()
        if self.trainer.accelerator.is_main_process:
            module = {} if self.judge.module is None else self.judge.module.state_dict()
            anchor = None if self.anchor is None else weights_of(self.anchor)
            belongings = Belongings(module, self.hooks.memory, anchor)
            write_belongings(checkpoint, belongings, self.method)
            write_ledger(checkpoint, Ledger(tuple(self.rows), self.compute, self.walk.memory))
        self.trainer.accelerator.wait_for_everyone()

    def recall(self, checkpoint: Path) -> None:
        """Go on from a whole checkpoint."""
        first = bool(self.trainer.accelerator.is_main_process)
        rows, self.compute, memory = read_ledger(checkpoint, with_weights=first)
        self.rows = list(rows)
        self.walk.recall(memory)
        module, self.hooks.memory, anchor = read_belongings(checkpoint, self.method, self.device)
        if self.judge.module is not None:
            self.judge.module.load_state_dict(module)
        if anchor is not None:
            self.anchor = another(self.trainer, self.reference)
            set_weights(self.anchor, anchor)

    def finish(self) -> Trajectory:
        """The run's result; adapters are merged into full weights when these are asked for."""
        steps = sum(row.step > 0 and row.loss is not None for row in self.rows)
        if self.compute.gradient_steps == 0 or steps == 0:
            raise RuntimeError(f"{self.name}: TRL's trainer took no step and did not say why")
        snapshots = self.walk.snapshots
        if is_adapted(self.policy):
            merged = [Merged(self.policy, snapshot.state) for snapshot in snapshots]
            snapshots = tuple(
                Snapshot(one.step, one.kl_nats, one.budgets_nats, one.compute, state)
                for one, state in zip(snapshots, merged, strict=True)
            )
        rows: Any = tuple(self.rows)
        return Trajectory(snapshots, self.walk.unreached_nats, rows, self.compute)

    def _gather(self, passes: Sequence[Pass], looks: Sequence[Seen]) -> Seen:
        """What the policy says of all groups of the step, out of every process's passes."""
        whole = blank(passes[0].step, looks[0])
        for one, seen in zip(passes, looks, strict=True):
            if one.counts:
                whole = splice(whole, one.index_K, seen)
        return whole.map(self.total)

    def _judge_loss(self, step: Step, seen: Seen) -> None:
        """Find out, at the first step, whether later ones can do without the others' numbers."""
        if self._row_wise is None:
            self._row_wise = is_row_wise(step, seen)

    def _average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Average over processes, as is done with the policy's gradients elsewhere."""
        processes = int(self.trainer.accelerator.num_processes)
        if processes == 1:
            return
        for parameter in parameters:
            gradient = parameter.grad
            own = torch.zeros_like(parameter) if gradient is None else gradient
            parameter.grad = self.total(own) / processes


def check_options(method: Any, options: TrlSpec) -> None:
    """Refuse options that would change what a method means.

    Raises:
        UserError: hooks on weights, with adapters. Hooks average weights, and the average of the
            adapters' two factors is not the adapter of the averaged weights.
    """
    if options.lora_rank and declares_hooks(method):
        raise UserError(
            f"{name_of(method)} acts on the policy's weights between steps, which adapters "
            "(trl.lora_rank) hold as products; set trl.lora_rank=0, or choose another method."
        )
