"""A rollout whose first response has three scored steps, its second one none."""

from __future__ import annotations

import torch

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout

CHANCES = (0.9, 0.95, 0.4)


def rollout(
    chances: tuple[float, ...] = CHANCES, log_ratios: tuple[float, float] = (0.0, 0.0)
) -> Rollout:
    """Steps of two tokens each, of these chances to be right; rewards 2 and 1.

    log_ratios: log(pi / pi_ref) of both responses, all of it at their first tokens.
    """
    tokens = 2 * len(chances)
    chance_T = torch.full((tokens,), 0.5, dtype=torch.float64)
    chance_T[1::2] = torch.tensor(chances, dtype=torch.float64)
    end_BNT = torch.zeros(1, 2, tokens, dtype=torch.bool)
    end_BNT[0, 0, 1::2] = True
    score_BNT = torch.where(end_BNT, torch.logit(chance_T), 0.0)
    mask_BNT = torch.ones_like(score_BNT)
    mask_BNT[0, 1, 3:] = 0.0
    logp_BNT = -mask_BNT
    moved_BNT = logp_BNT.clone()
    moved_BNT[0, :, 0] += torch.tensor(log_ratios, dtype=torch.float64)
    return Rollout(
        torch.tensor([[2.0, 1.0]], dtype=torch.float64),
        Reading(moved_BNT, logp_BNT, mask_BNT),
        step_reward=score_BNT,
        step_end=end_BNT,
    )
