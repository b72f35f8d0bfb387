"""Fresh samples of one token, and what is learned of them exactly, for the tests of rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from overopt.methods.contract.iterative import SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from tabular_optima import table

from .three_responses import LOG_REFERENCE_R, REWARD_R

CYCLE_RR = torch.tensor([[0.5, 0.8, 0.2], [0.2, 0.5, 0.8], [0.8, 0.2, 0.5]], dtype=torch.float64)
"""Chance that the first response beats the second: which one is best depends on the opponent."""


def rollout(reward_BN: Tensor | Sequence[Sequence[float]]) -> Rollout:
    """Samples with these rewards; the policy is the initial one."""
    reward_BN = torch.as_tensor(reward_BN)
    zero_BNT = torch.zeros(*reward_BN.shape, 1)
    return Rollout(reward_BN, Reading(zero_BNT, zero_BNT, zero_BNT + 1))


def every_draw(logp_R: Tensor, samples: int) -> tuple[Tensor, Tensor]:
    """All ways to draw N of the three responses: which ones, (B, N), and their chances, (B,)."""
    drawn_BN = torch.cartesian_prod(*[torch.arange(len(logp_R))] * samples).view(-1, samples)
    return drawn_BN, logp_R[drawn_BN].sum(-1).exp()


def read(logp_R: Tensor, row_K: Tensor, reference_R: Tensor = LOG_REFERENCE_R) -> Reading:
    """Responses by number, as a policy of these log-probabilities reads them."""
    one_K1 = torch.ones(len(row_K), 1, dtype=torch.float64)
    return Reading(logp_R[row_K, None], reference_R[row_K, None], one_K1)


def learned(loss: Callable[[Tensor], Tensor], start_R: Tensor = LOG_REFERENCE_R) -> Tensor:
    """log-probabilities at the minimum of an expected loss of the log-probabilities."""
    return table.minimize(lambda logits_R: loss(torch.log_softmax(logits_R, -1)), start_R)


def round_of_pairs(
    loss: Callable[[SamplePairs], Tensor],
    start_R: Tensor,
    label_RR: Tensor,
    drawn_R: Tensor | None = None,
) -> Tensor:
    """log-probabilities after an exact round on all pairs of samples.

    Args:
        loss: of pairs; the first of a pair is the chosen one.
        start_R: the policy at the start.
        label_RR: of each pair.
        drawn_R: log-probabilities of the policy that draws both; by default that at the start.
    """
    drawn_R = start_R if drawn_R is None else drawn_R
    chance_P = torch.outer(drawn_R.exp(), drawn_R.exp()).flatten()

    def expected(logp_R: Tensor) -> Tensor:
        pairs = table.fresh_pairs(logp_R, start_R, LOG_REFERENCE_R)
        return (chance_P * loss(table.labeled(pairs, label_RR))).sum()

    return learned(expected, start_R)


def tilted(start_R: Tensor, value_R: Tensor = REWARD_R) -> Tensor:
    """log of a policy times the exponential of a value, normalized."""
    return torch.log_softmax(start_R + value_R, -1)


def sides(
    chosen: tuple[float, float], rejected: tuple[float, float], label: float = 1.0
) -> SamplePairs:
    """One pair of one token by the log-ratios of each over the initial and the sampling policy."""
    mask, zero = torch.ones(1, 1), torch.zeros(1, 1)
    return SamplePairs(
        *(
            Reading(zero - 2, zero - 2 - first, mask, sampled_logp=zero - 2 - second)._replace(
                label=torch.tensor([label])
            )
            for first, second in (chosen, rejected)
        )
    )
