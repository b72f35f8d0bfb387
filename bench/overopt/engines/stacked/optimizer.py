"""Adam over stacked weights: a learning rate, a clipped gradient and an end for each cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.engines.stacked.model import Stacked

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(frozen=True)
class Moved:
    """Stacked weights with the moments of their gradients, by name.

    rate_factor: their learning rate over the policies'.
    """

    weights: Stacked
    first: Stacked
    second: Stacked
    rate_factor: float = 1.0


def moved(weights: Stacked, rate_factor: float = 1.0) -> Moved:
    """Weights that have not moved yet."""
    return Moved(
        {name: value.requires_grad_(True) for name, value in weights.items()},
        {name: torch.zeros_like(value) for name, value in weights.items()},
        {name: torch.zeros_like(value) for name, value in weights.items()},
        rate_factor,
    )


class StackedAdam:
    """Adam without weight decay on C policies at once, as ``engines.optimizer`` has it for one.

    Attributes:
        policies, modules: trained in place; the methods' own modules are clipped on their own.
        steps_taken: of the stack; a cell that has ended took fewer.

    Args:
        policies: weights of C cells.
        rate_C: learning rate of each cell.
        warmup_steps: steps of the linear warm-up.
        max_gradient_norm: each cell's gradient is clipped to that norm, by its own.
        modules: weights of each cell's own module; none by default.
        module_rate: their learning rate over the policies'.
    """

    def __init__(
        self,
        policies: Stacked,
        rate_C: Sequence[float],
        warmup_steps: int,
        max_gradient_norm: float,
        modules: Stacked | None = None,
        module_rate: float = 1.0,
    ) -> None:
        self.policies, self.modules = moved(policies), moved(modules or {}, module_rate)
        self.steps_taken = 0
        some = next(iter(policies.values()))
        self._rate_C = torch.tensor(rate_C, dtype=some.dtype, device=some.device)
        self._warmup_steps, self._max_norm = warmup_steps, max_gradient_norm

    @property
    def weights(self) -> Stacked:
        """Those of the policies."""
        return self.policies.weights

    def step(self, loss: Tensor, active_C: Tensor) -> Tensor:
        """One step down the cells' losses; norm (C,) of each gradient before it is clipped.

        A cell that is not active, or whose gradient is not finite, stays where it is.

        Args:
            loss: sum over cells, so that each cell's weights see its own loss only.
            active_C: bool, cells that still learn.
        """
        parts = [part for part in (self.policies, self.modules) if part.weights]
        trained = [value for part in parts for value in part.weights.values()]
        found = iter(torch.autograd.grad(loss, trained, allow_unused=True, materialize_grads=True))
        gradients = [{name: next(found) for name in part.weights} for part in parts]
        norms = [_norm(of_part) for of_part in gradients]
        norm_C = norms[0] if len(norms) == 1 else torch.hypot(*norms)
        moving_C = active_C.to(norm_C.device) & norm_C.isfinite()
        self.steps_taken += 1
        share = min(1.0, self.steps_taken / (self._warmup_steps + 1))
        with torch.no_grad():
            for part, of_part, part_norm_C in zip(parts, gradients, norms, strict=True):
                scale_C = (self._max_norm / (part_norm_C + 1e-6)).clamp(max=1.0)
                rate_C = share * part.rate_factor * self._rate_C
                for name, gradient in of_part.items():
                    self._move(part, name, gradient, scale_C, rate_C, moving_C)
        return norm_C

    def _move(
        self,
        part: Moved,
        name: str,
        gradient: Tensor,
        scale_C: Tensor,
        rate_C: Tensor,
        moving_C: Tensor,
    ) -> None:
        """m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate m' / (sqrt(v') + eps)."""
        weight, first, second = part.weights[name], part.first[name], part.second[name]
        wide = (-1, *(1,) * (gradient.dim() - 1))
        moving = moving_C.view(wide)
        gradient = torch.where(moving, gradient * scale_C.view(wide), 0.0)
        beta, gamma = _BETAS
        first.copy_(torch.where(moving, beta * first + (1 - beta) * gradient, first))
        second.copy_(torch.where(moving, gamma * second + (1 - gamma) * gradient**2, second))
        corrected = (second / (1 - gamma**self.steps_taken)).sqrt() + _EPSILON
        change = rate_C.view(wide) * (first / (1 - beta**self.steps_taken)) / corrected
        weight.sub_(torch.where(moving, change, 0.0))


def _norm(gradients: Stacked) -> Tensor:
    """Norm (C,) of each cell's gradient."""
    norms = [torch.linalg.vector_norm(g.reshape(len(g), -1), dim=1) for g in gradients.values()]
    norm_C: Tensor = torch.linalg.vector_norm(torch.stack(norms), dim=0)
    return norm_C
