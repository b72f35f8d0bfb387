"""AdamW and its steps: clipped by global norm, checked, through accelerate, on any device."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from accelerate import Accelerator
from torch import Tensor, nn


def build_optimizer(
    model: nn.Module, learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.AdamW:
    """AdamW that decays matrices and embeddings, and neither biases nor norms.

    Args:
        model: whose trainable parameters are optimized.
        learning_rate: peak learning rate.
        weight_decay: decoupled decay of parameters with two or more dimensions.

    Reference: Loshchilov, Hutter, "Decoupled Weight Decay Regularization", algorithm 2,
        https://arxiv.org/abs/1711.05101
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    trained_groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(trained_groups, lr=learning_rate, fused=True)


def training_device() -> torch.device:
    """Where accelerate puts what is trained, so that what is read beside it can be put there."""
    device: torch.device = Accelerator().device
    return device


class Stepper:
    """Optimizer steps of one model, clipped and checked, through accelerate.

    Args:
        model: trained in place, on the device that accelerate chooses.
        optimizer: as ``build_optimizer`` makes it.
        max_gradient_norm: largest global norm of the gradient.
        rate_at: fraction of the peak learning rate at a step; constant 1 by default.
        beside: a further module whose parameters the optimizer holds too; its gradient is clipped
            on its own, so that neither can crowd out the other.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        max_gradient_norm: float,
        rate_at: Callable[[int], float] = lambda _step: 1.0,
        beside: nn.Module | None = None,
    ) -> None:
        self.accelerator = Accelerator()
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.beside = None if beside is None else beside.to(self.accelerator.device)
        self.max_gradient_norm = max_gradient_norm
        self.rate_at = rate_at
        self.peaks = [float(group["lr"]) for group in optimizer.param_groups]
        self.loss: list[float] = []
        self.gradient_norm: list[float] = []

    @property
    def steps_taken(self) -> int:
        """Steps taken so far."""
        return len(self.loss)

    def gradients(self) -> dict[str, Tensor]:
        """Gradients of the model's parameters by name, those that have one."""
        named = self.accelerator.unwrap_model(self.model).named_parameters()
        return {name: value.grad for name, value in named if value.grad is not None}

    def step(
        self, loss: Tensor, correct: Callable[[dict[str, Tensor]], None] | None = None
    ) -> float:
        """One step down the gradient of a scalar loss; returns the loss.

        Args:
            loss: scalar.
            correct: changes the gradients of the model's parameters, given by name, in place
                before they are clipped.

        Raises:
            FloatingPointError: where loss or gradient is not finite, naming the step.
        """
        step = self.steps_taken
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * self.rate_at(step)
        self.accelerator.backward(loss)
        if correct is not None:
            correct(self.gradients())
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.max_gradient_norm)
        value, norm_value = float(loss.detach()), float(norm)
        if self.beside is not None:
            own = torch.nn.utils.clip_grad_norm_(self.beside.parameters(), self.max_gradient_norm)
            norm_value = math.hypot(norm_value, float(own))
        if not (math.isfinite(value) and math.isfinite(norm_value)):
            raise FloatingPointError(
                f"step {step + 1}: loss {value}, gradient norm {norm_value}; "
                "lower the learning rate"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss.append(value)
        self.gradient_norm.append(norm_value)
        return value
