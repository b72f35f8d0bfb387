"""A policy that is a table: one prompt, six responses of one token, everything enumerated.

What a sampled run of a method would reach on average is computed here as an exact expectation in
float64, so that its optimum can be held against the closed form to many digits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize
from torch import Tensor

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading

Floats = npt.NDArray[np.float64]

REFERENCE_R = torch.tensor([0.30, 0.25, 0.20, 0.12, 0.08, 0.05], dtype=torch.float64)
REWARD_R = torch.tensor([0.1, -0.7, 0.9, 1.6, -1.2, 2.3], dtype=torch.float64)
RESPONSES = len(REWARD_R)
REFERENCE_LOGP_R = REFERENCE_R.log()


def tilted(beta: float) -> Tensor:
    """log of pi_ref exp(r / beta) / Z, the optimum of E[r] - beta KL(pi || pi_ref)."""
    return torch.log_softmax(REFERENCE_LOGP_R + REWARD_R / beta, -1)


def preference_RR() -> Tensor:
    """p(a beats b) = sigmoid(r_a - r_b), Bradley-Terry without noise beyond its own."""
    return torch.sigmoid(REWARD_R[:, None] - REWARD_R[None, :])


def all_pairs(logits_R: Tensor) -> tuple[PairBatch, Tensor]:
    """Every ordered pair (chosen a, rejected b), and its probability under full support.

    Both responses are drawn from the reference, and a is preferred with ``preference_RR``.
    """
    logp_R = torch.log_softmax(logits_R, -1)
    first_P, second_P = torch.cartesian_prod(torch.arange(RESPONSES), torch.arange(RESPONSES)).T
    one_P1 = torch.ones(RESPONSES**2, 1, dtype=torch.float64)
    forward_kl = (REFERENCE_R * (REFERENCE_LOGP_R - logp_R)).sum().expand(RESPONSES**2, 1)
    masks_P11 = one_P1.unsqueeze(-1)
    batch = PairBatch.of(
        Reading(logp_R[row_P, None], REFERENCE_LOGP_R[row_P, None], one_P1, forward_kl, masks_P11)
        for row_P in (first_P, second_P)
    )
    both_P = REFERENCE_R[first_P] * REFERENCE_R[second_P]
    return batch, both_P * preference_RR()[first_P, second_P]


def fresh_pairs(logp_R: Tensor, sampled_logp_R: Tensor, reference_logp_R: Tensor) -> SamplePairs:
    """Every ordered pair of R responses of one token, (R^2, 1), as if a policy had drawn them."""
    one_P1 = torch.ones(len(logp_R) ** 2, 1, dtype=torch.float64)
    row_R = torch.arange(len(logp_R))
    return SamplePairs(
        *(
            Reading(
                logp_R[row_P, None],
                reference_logp_R[row_P, None],
                one_P1,
                sampled_logp=sampled_logp_R[row_P, None],
            )
            for row_P in torch.cartesian_prod(row_R, row_R).T
        )
    )


def labeled(pairs: SamplePairs, label_RR: Tensor) -> SamplePairs:
    """The same pairs with a label for each."""
    return SamplePairs(*(side._replace(label=label_RR.flatten()) for side in pairs))


def minimize(loss: Callable[[Tensor], Tensor], start_R: Tensor = REFERENCE_LOGP_R) -> Tensor:
    """log-probabilities (R,) at the minimum of a smooth loss of the logits, from a start."""

    def value_and_gradient(logits: Floats) -> tuple[float, Floats]:
        logits_R = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        value = loss(logits_R)
        (gradient_R,) = torch.autograd.grad(value, logits_R)
        return value.item(), gradient_R.numpy()

    start = start_R.numpy()
    found = optimize.minimize(
        value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-11}
    )
    return torch.log_softmax(torch.tensor(found.x, dtype=torch.float64), -1)


def ascend(
    gradient: Callable[[Tensor], Tensor], rate: float, steps: int, start: Tensor | None = None
) -> Tensor:
    """log-probabilities (R,) after natural-gradient steps.

    Args:
        gradient: of the expected loss in the logits, at the logits.
        rate: step size; the natural gradient of a loss is its gradient over the probabilities.
        steps: how many.
        start: first logits; the reference's by default.
    """
    logits_R = (REFERENCE_LOGP_R if start is None else start).clone()
    for _ in range(steps):
        logits_R = logits_R - rate * gradient(logits_R) / torch.softmax(logits_R, -1)
        logits_R = torch.log_softmax(logits_R, -1)
    return logits_R
