"""Adam over stacked weights: a learning rate, a clipped gradient and an end for each cell."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from overopt.engines.stacked.model import Stacked

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class StackedAdam:
    """Adam without weight decay on C policies at once, as ``engines.optimizer`` has it for one.

    Attributes:
        weights: trained in place.
        first, second: moments of the gradients, by name.
        steps_taken: of the stack; a cell that has ended took fewer.

    Args:
        weights: of C cells.
        rate_C: learning rate of each cell.
        warmup_steps: steps of the linear warm-up.
        max_gradient_norm: each cell's gradient is clipped to that norm, by its own.
    """

    def __init__(
        self,
        weights: Stacked,
        rate_C: Sequence[float],
        warmup_steps: int,
        max_gradient_norm: float,
    ) -> None:
        self.weights = {name: value.requires_grad_(True) for name, value in weights.items()}
        self.first = {name: torch.zeros_like(value) for name, value in weights.items()}
        self.second = {name: torch.zeros_like(value) for name, value in weights.items()}
        self.steps_taken = 0
        some = next(iter(weights.values()))
        self._rate_C = torch.tensor(rate_C, dtype=some.dtype, device=some.device)
        self._warmup_steps, self._max_norm = warmup_steps, max_gradient_norm

    def step(self, loss: Tensor, active_C: Tensor) -> Tensor:
        """One step down the cells' losses; norm (C,) of each gradient before it is clipped.

        A cell that is not active, or whose gradient is not finite, stays where it is.

        Args:
            loss: sum over cells, so that each cell's weights see its own loss only.
            active_C: bool, cells that still learn.
        """
        gradients = dict(
            zip(self.weights, torch.autograd.grad(loss, list(self.weights.values())), strict=True)
        )
        norms = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients.values()]
        norm_C: Tensor = torch.linalg.vector_norm(torch.stack(norms), dim=0)
        scale_C = (self._max_norm / (norm_C + 1e-6)).clamp(max=1.0)
        moving_C = active_C.to(norm_C.device) & norm_C.isfinite()
        self.steps_taken += 1
        share = min(1.0, self.steps_taken / (self._warmup_steps + 1))
        with torch.no_grad():
            for name, gradient in gradients.items():
                self._move(name, gradient, scale_C, share * self._rate_C, moving_C)
        found: Tensor = norm_C
        return found

    def _move(
        self, name: str, gradient: Tensor, scale_C: Tensor, rate_C: Tensor, moving_C: Tensor
    ) -> None:
        """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate m' / (sqrt(v') + eps)."""
        weight, first, second = self.weights[name], self.first[name], self.second[name]
        wide = (-1, *(1,) * (gradient.dim() - 1))
        moving = moving_C.view(wide)
        gradient = torch.where(moving, gradient * scale_C.view(wide), 0.0)
        beta, gamma = _BETAS
        first.copy_(torch.where(moving, beta * first + (1 - beta) * gradient, first))
        second.copy_(torch.where(moving, gamma * second + (1 - gamma) * gradient**2, second))
        corrected = (second / (1 - gamma**self.steps_taken)).sqrt() + _EPSILON
        change = rate_C.view(wide) * (first / (1 - beta**self.steps_taken)) / corrected
        weight.sub_(torch.where(moving, change, 0.0))
