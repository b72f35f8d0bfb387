"""Control: the same reward for every response.

Paper: Ng, Harada and Russell 1999, "Policy Invariance under Reward Transformations"
(https://people.eecs.berkeley.edu/~russell/papers/icml99-shaping.pdf): a constant reward changes no
policy's standing (from memory).
There is nothing to optimize: a selection method must stay the initial policy, and a method that
trains must not gain gold. What moves here is the method's own drift.
Deviations: it is a control, not a system of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract.controls import Seen
from overopt.spec.declare import param


@dataclass(frozen=True)
class Config:
    """A constant has no setting: its value is taken off again."""

    members: int = param(1, help="rules; a single one", at_least=1, at_most=1)


def judge(config: Config, seen: Seen) -> npt.NDArray[np.float64]:
    """Zero (N,) for every response.

    Args:
        config: no setting.
        seen: looked at only for how many there are.
    """
    return np.zeros_like(seen.length_N)
