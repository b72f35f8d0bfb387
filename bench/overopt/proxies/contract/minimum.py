"""A minimum found to convergence, for what ``settle`` fits by a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_STEPS, _ROUNDS = 500, 4
_SLOPE, _CHANGE = 1e-8, 1e-14
_ENOUGH, _TOO_LARGE = 1e-6, 1e-4
"""Slopes: below the first no further round is begun; above the second there is no minimum."""


def minimize(objective: Callable[[], Tensor], parameters: Sequence[Tensor]) -> None:
    """Bring parameters to a minimum of the objective near where they are, in place.

    By L-BFGS with a strong Wolfe line search, which draws nothing. Single precision would end where
    slopes are still a thousandth, so that parameters are leaves in double precision.

    Args:
        objective: a single number, differentiable in the parameters; a mean over comparisons.
        parameters: where the search starts, and ends.

    Raises:
        FloatingPointError: no minimum was found.
    """

    def read() -> float:
        for each in parameters:
            each.grad = None
        value = objective()
        torch.autograd.backward(value)
        return float(value.detach())

    slope = torch.inf
    for _ in range(_ROUNDS):  # a search that ends early begins anew, without its memory
        search: Any = torch.optim.LBFGS(
            parameters,
            max_iter=_STEPS,
            max_eval=4 * _STEPS,
            tolerance_grad=_SLOPE,
            tolerance_change=_CHANGE,
            history_size=20,
            line_search_fn="strong_wolfe",
        )
        search.step(read)
        read()
        slope = max(float(each.grad.abs().max()) for each in parameters if each.grad is not None)
        if slope <= _ENOUGH:
            return
    if not slope <= _TOO_LARGE:
        raise FloatingPointError(
            f"what is fitted after training has not converged: a slope of {slope:.1g} is left; the "
            "comparisons may be too few for it"
        )
