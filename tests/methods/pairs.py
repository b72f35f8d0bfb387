"""Preference pairs for the tests of losses: two whose sums are easy, and random ones."""

from __future__ import annotations

import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading


def worked() -> PairBatch:
    """Two pairs of at most two tokens: r_w = 1, r_l = -1 and r_w = -0.5, r_l = 0.5."""
    return PairBatch(
        chosen=Reading(
            policy_logp=torch.tensor([[-1.0, -2.0], [-2.5, 0.0]]),
            reference_logp=torch.tensor([[-1.5, -2.5], [-2.0, 0.0]]),
            mask=torch.tensor([[1.0, 1.0], [1.0, 0.0]]),
        ),
        rejected=Reading(
            policy_logp=torch.tensor([[-3.0, 0.0], [-0.5, -1.0]]),
            reference_logp=torch.tensor([[-2.0, 0.0], [-1.0, -1.0]]),
            mask=torch.tensor([[1.0, 0.0], [1.0, 1.0]]),
        ),
    )


def random(generator: torch.Generator, pairs: int = 3, tokens: int = 4) -> PairBatch:
    """Random log-probabilities in float64, with gradient on the policy's."""
    logps = [
        -3.0 * torch.rand(pairs, tokens, generator=generator, dtype=torch.float64) for _ in range(4)
    ]
    mask_BT = torch.ones(pairs, tokens, dtype=torch.float64)
    chosen_BT, rejected_BT, reference_chosen_BT, reference_rejected_BT = logps
    return PairBatch(
        Reading(chosen_BT.requires_grad_(), reference_chosen_BT, mask_BT),
        Reading(rejected_BT.requires_grad_(), reference_rejected_BT, mask_BT),
    )


def doubled(batch: PairBatch) -> PairBatch:
    """The same pairs with every token twice."""
    return PairBatch.of(one.map(lambda part: torch.cat([part, part], dim=1)) for one in batch[:2])


def moved(batch: PairBatch, chosen_BT: torch.Tensor, rejected_BT: torch.Tensor) -> PairBatch:
    """The same pairs under a policy of other log-probabilities."""
    return PairBatch(
        batch.chosen._replace(policy_logp=chosen_BT),
        batch.rejected._replace(policy_logp=rejected_BT),
    )
