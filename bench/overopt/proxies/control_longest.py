"""Control: the longer, the better; the oldest hack of all.

Paper: Singhal, Goyal, Xu and Durrett 2023, "A Long Way to Go: Investigating Length Correlations in
RLHF" (https://arxiv.org/abs/2310.03716), which optimizes length alone (cited from memory).
What gold gains here is gained by length. A proxy that does no better has learned nothing else.
Deviations: length is counted in tokens and has no target.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract.controls import Seen
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """Length has no setting."""

    members: int = param(1, help="rules; a single one", at_least=1, at_most=1)


def judge(config: Config, seen: Seen) -> npt.NDArray[np.float64]:
    """Tokens (N,) of each response, its end included.

    Args:
        config: no setting.
        seen: with lengths.
    """
    return seen.length_N
