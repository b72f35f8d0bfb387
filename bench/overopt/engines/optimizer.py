"""One gradient step of a policy: constant learning rate after warm-up, no tolerance of NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from overopt.models.optimizer import Stepper, build_optimizer


class OptimizerSettings(Protocol):
    """What the settings of every family that trains hold."""

    @property
    def learning_rate(self) -> float:
        """Of the policy, after the warm-up."""
        ...

    @property
    def warmup_steps(self) -> int:
        """Steps of the linear warm-up."""
        ...

    @property
    def max_gradient_norm(self) -> float:
        """Largest global norm of the gradient; larger ones are clipped."""
        ...


def warmup(step: int, settings: OptimizerSettings) -> float:
    """Learning rate of a step, counted from 0, over its peak: linear warm-up to a constant."""
    return min(1.0, (step + 1) / (settings.warmup_steps + 1))


class PolicyOptimizer:
    """AdamW on a policy: constant learning rate after a linear warm-up, no weight decay.

    Weight decay is left out because it would pull the policy toward zero rather than toward its
    start, and so move it in KL without any reward.

    Args:
        policy: the model to train, in place.
        settings: learning rate, warm-up steps and largest gradient norm.
        method: name of the method, for the error message.
        module: the method's own module, trained beside the policy.
        module_rate: its learning rate, relative to the policy's.
    """

    def __init__(
        self,
        policy: PreTrainedModel,
        settings: OptimizerSettings,
        method: str,
        module: nn.Module | None = None,
        module_rate: float = 1.0,
    ) -> None:
        self._method = method
        optimizer = build_optimizer(policy, settings.learning_rate)
        own = [] if module is None else list(module.parameters())
        if own:
            rate = module_rate * settings.learning_rate
            optimizer.add_param_group({"params": own, "lr": rate, "weight_decay": 0.0})
        self._stepper = Stepper(
            policy,
            optimizer,
            settings.max_gradient_norm,
            lambda step: warmup(step, settings),
            beside=module if own else None,
        )

    @property
    def steps_taken(self) -> int:
        """Steps taken so far."""
        return self._stepper.steps_taken

    @property
    def device(self) -> torch.device:
        """Where the policy's weights lie."""
        device = self._stepper.accelerator.device
        assert isinstance(device, torch.device)
        return device

    def step(
        self, loss: Tensor, correct: Callable[[dict[str, Tensor]], None] | None = None
    ) -> float:
        """Take one step down a scalar loss; the gradient's norm before clipping.

        Args:
            loss: scalar.
            correct: see ``models.optimizer.Stepper.step``.

        Raises:
            FloatingPointError: if the loss or its gradient is not finite; names method and step.
        """
        try:
            self._stepper.step(loss, correct)
        except FloatingPointError as error:
            raise FloatingPointError(f"{self._method}: {error}") from None
        return self._stepper.gradient_norm[-1]
