"""One gradient step: AdamW under ``accelerate``, with warm-up, clipping and no tolerance of NaN."""

from __future__ import annotations

import math

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers import PreTrainedModel

from overopt.spec import PairsSpec, RolloutSpec


class Descent:
    """AdamW on a policy: constant learning rate after a linear warm-up, no weight decay.

    Weight decay is left out because it would pull the policy towards zero rather than towards its
    start, and so move it in KL without any reward.

    Args:
        policy: the model to train, in place.
        settings: learning rate, warm-up steps and largest gradient norm.
        method: name of the method, for the error message.
    """

    def __init__(
        self, policy: PreTrainedModel, settings: PairsSpec | RolloutSpec, method: str
    ) -> None:
        self._accelerator = Accelerator()
        self._settings = settings
        self._method = method
        optimizer = torch.optim.AdamW(
            policy.parameters(), lr=settings.learning_rate, weight_decay=0.0
        )
        self.policy, self._optimizer = self._accelerator.prepare(policy, optimizer)
        self.steps = 0

    @property
    def device(self) -> torch.device:
        """Where the policy's weights lie."""
        device = self._accelerator.device
        assert isinstance(device, torch.device)
        return device

    def descend(self, loss: Tensor) -> float:
        """Take one step down a scalar loss; the gradient's norm before clipping.

        Raises:
            FloatingPointError: if the loss or its gradient is not finite; names method and step.
        """
        self.steps += 1
        if not math.isfinite(loss.item()):
            raise FloatingPointError(f"{self._method}: the loss of step {self.steps} is {loss}")
        warm = min(1.0, self.steps / (self._settings.warmup_steps + 1))
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * warm
        self._accelerator.backward(loss)
        norm = float(
            self._accelerator.clip_grad_norm_(
                self.policy.parameters(), self._settings.max_gradient_norm
            )
        )
        if not math.isfinite(norm):
            raise FloatingPointError(
                f"{self._method}: the gradient of step {self.steps} has norm {norm}"
            )
        self._optimizer.step()
        self._optimizer.zero_grad()
        return norm
