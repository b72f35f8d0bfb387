"""Control: a random number for every response, which says nothing about it.

Paper: Shao et al. 2025, "Spurious Rewards: Rethinking Training Signals in RLVR"
(https://arxiv.org/abs/2506.10947), which trains on random rewards (cited from memory).
Optimized against this control, gold must stay where it is.
Deviations: the number belongs to prompt, response and seed, so that it is the same whenever the
response is scored, and it is normal instead of a coin. A network with random weights would not do:
it likes some words more than others, and gold may follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract.controls import Seen
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Chance has no setting."""

    members: int = param(1, help="rules; a single one", at_least=1, at_most=1)


def judge(config: Config, seen: Seen) -> npt.NDArray[np.float64]:
    """A standard normal number (N,) for each response.

    Args:
        config: no setting.
        seen: with draws.
    """
    return seen.draw_N
