"""A pair whose sums are easy, and a world of three responses in which optima are enumerated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from scipy import optimize
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from tabular_optima import table

LOG_REFERENCE_R = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
REWARD_R = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
_FIRST_P, _SECOND_P = torch.tensor([(i, j) for i in range(3) for j in range(3) if i != j]).T

Loss = Callable[[PairBatch], Tensor]


def pair(
    chosen: Sequence[float] = (-1.0, -0.5, -1.5), rejected: Sequence[float] = (-2.0, -1.0)
) -> PairBatch:
    """One pair of 3 and 2 tokens: log pi -3 and -3, pi_ref -3.4 and -2.2, r .4 and -.8, h 1.2.

    Args:
        chosen: log-probabilities of the chosen response's tokens under the policy, nats.
        rejected: of the rejected one's.
    """
    return PairBatch(
        _reading([*chosen], [-1.2, -0.8, -1.4], [1, 1, 1]),
        _reading([*rejected, 0.0], [-1.5, -0.7, 0.0], [1, 1, 0]),
    )


def at_the_start(batch: PairBatch) -> PairBatch:
    """The same pairs under the reference itself."""
    return PairBatch.of(
        side._replace(policy_logp=side.reference_logp.clone()) for side in batch[:2]
    )


def flipped(batch: PairBatch) -> PairBatch:
    """The same pairs with their labels reversed."""
    return PairBatch(batch.rejected, batch.chosen)


def of_margin(*margins: float) -> PairBatch:
    """Pairs of one token whose log-ratios are half of these margins, and minus that; float64."""
    half_B1 = torch.tensor(margins, dtype=torch.float64)[:, None] / 2
    one_B1 = torch.ones_like(half_B1)
    return PairBatch.of(Reading(sign * half_B1 - 2, -2 * one_B1, one_B1) for sign in (1, -1))


def expected_loss(loss: Loss, logits_R: Tensor, lengths: Sequence[int] = (1, 1, 1)) -> Tensor:
    """Mean loss over all ordered pairs of unlike responses, drawn by the reference.

    A response's log-probability is that of its first token; those that follow are certain.
    """
    logp_R = torch.log_softmax(logits_R, -1)
    length_R = torch.tensor(lengths)
    mask_RT = (torch.arange(int(length_R.max()))[None] < length_R[:, None]).double()
    first_T = torch.nn.functional.one_hot(torch.tensor(0), mask_RT.shape[1])
    everything = Reading(logp_R[:, None] * first_T, LOG_REFERENCE_R[:, None] * first_T, mask_RT)
    batch = PairBatch.of(everything.take(row_P) for row_P in (_FIRST_P, _SECOND_P))
    chance_P = (LOG_REFERENCE_R[_FIRST_P] + LOG_REFERENCE_R[_SECOND_P]).exp()
    chance_P = chance_P * torch.sigmoid(REWARD_R[_FIRST_P] - REWARD_R[_SECOND_P])
    return (chance_P * loss(batch)).sum() / chance_P.sum()


def optimum(loss: Loss, lengths: Sequence[int] = (1, 1, 1)) -> list[float]:
    """Probabilities of the three responses at the minimum of ``expected_loss``."""
    found_R = table.minimize(
        lambda logits_R: expected_loss(loss, logits_R, lengths), LOG_REFERENCE_R
    )
    chances: list[float] = found_R.exp().tolist()
    return chances


def best_margin(loss: Loss, flips: float, span: float = 40.0) -> float:
    """Margin h at which a loss is least when labels are flipped with a chance.

    Args:
        loss: of pairs.
        flips: chance that the label of a pair is the wrong one.
        span: h is searched from -span to span.
    """

    def value(margin: float) -> float:
        batch = of_margin(margin)
        wrong = loss(flipped(batch)).item()
        return (1 - flips) * loss(batch).item() + flips * wrong

    found = optimize.minimize_scalar(value, bounds=(-span, span), options={"xatol": 1e-9})
    return float(found.x)


def _reading(policy: list[float], reference: list[float], mask: list[int]) -> Reading:
    return Reading(
        *(torch.tensor([part], dtype=torch.float64) for part in (policy, reference, mask))
    )
