"""What a reward model with a bottleneck lets through of a response."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.models.rewards.headed import HeadedReward
from overopt.models.rewards.pairwise import read_trunk
from overopt.worlds.tokens import Tokens


def latent_means(
    model: HeadedReward, prompts: Tokens, responses: Tokens
) -> npt.NDArray[np.float64]:
    """Mean (N, E) of the latents of each response, as the reward is read off them.

    Args:
        model: whose head has ``encode``: from states to means and log-variances, (B, E) each.
        prompts: N prompts.
        responses: the response to each.

    Raises:
        FloatingPointError: a latent is not finite.
    """
    states = read_trunk(model, prompts, responses)
    head: Any = model.head
    with torch.inference_mode():
        part = type(states)(*(one.to(model.device) for one in states))
        mean_NE: Tensor = head.encode(part)[0]
    latent_NE: npt.NDArray[np.float64] = mean_NE.double().cpu().numpy()
    if not np.isfinite(latent_NE).all():
        raise FloatingPointError("a latent of the reward model is not finite")
    return latent_NE
