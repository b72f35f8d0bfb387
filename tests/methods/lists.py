"""Lists of ranked responses for the tests of losses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading

from . import pairs


def of_one_token(logps: Sequence[Sequence[float]], rewards: Sequence[Sequence[float]]) -> PairBatch:
    """Lists whose responses have one token each, with gradient; the pairs are a formality."""
    logp_BM1 = torch.tensor(logps, requires_grad=True)[:, :, None]
    listed = Reading(
        logp_BM1, 0 * logp_BM1.detach(), 0 * logp_BM1.detach() + 1, score=torch.tensor(rewards)
    )
    return pairs.worked()._replace(listed=listed)


def of_tokens(logps: Sequence[Sequence[float]], rewards: Sequence[float]) -> PairBatch:
    """One list of responses of several tokens."""
    longest = max(len(row) for row in logps)
    padded = [[*row, *[0.0] * (longest - len(row))] for row in logps]
    mask = [[1.0] * len(row) + [0.0] * (longest - len(row)) for row in logps]
    logp_1MT = torch.tensor([padded])
    listed = Reading(
        logp_1MT, 0 * logp_1MT, torch.tensor([mask]), score=torch.tensor([list(rewards)])
    )
    return pairs.worked()._replace(listed=listed)


def slopes(loss_B: torch.Tensor, batch: PairBatch) -> list[list[float]]:
    """Gradient of the summed losses in each listed response's log-probability."""
    assert batch.listed is not None
    (slope_BM1,) = torch.autograd.grad(loss_B.sum(), batch.listed.policy_logp)
    found: list[list[float]] = slope_BM1.squeeze(-1).tolist()
    return found
