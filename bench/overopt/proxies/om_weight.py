"""Objective mismatch: pairs count by how close they are to what an optimized policy writes.

Paper: Lambert et al. 2020, "Objective Mismatch in Model-based Reinforcement Learning"
(https://arxiv.org/abs/2002.04523): a model of the world is trained for likelihood everywhere, but
used where the controller goes; its loss is weighted by closeness to the optimal trajectory (from
memory of the paper; nothing of it was verified).
An analogue: there is no world model here. A reward model stands for it, a policy optimized against
a plain reward model of the same pairs for the controller, and a response y* of that policy to the
pair's prompt for the trajectory:
    L = -w log sigmoid(r_w - r_l),   w proportional to exp(-c d),   mean over pairs 1
    d = (|h(y_w) - h(y*)| + |h(y_l) - h(y*)|) / 2, over its mean over pairs
h is the initial policy's state at the response's last token.
Deviations: all of it, as said. The policy is optimized by RLOO to the task's last step, under the
KL penalty with which off-policy correction in this setting (``ocrm``) optimizes its own. Two of its
runs ended at 3.9 and 4.7 nats; without a penalty at 253 and 42, the former at one string whatever
the prompt, and closeness to that says little. One response is drawn for each pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.heads import ReadBatch
from overopt.proxies.contract.known import KnownPairs
from overopt.spec.declare import param

OPTIMIZED = "rloo"


@dataclass(frozen=True)
class Config:
    """Settings of weights by closeness."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    sharpness: float = param(
        1.0, help="c: how fast weights fall, per mean distance; 0 is Bradley-Terry", at_least=0.0
    )
    beta: float = param(
        0.05, help="KL penalty of the optimized policy", unit="reward SDs/nat", at_least=0.0
    )


def prepare(config: Config, known: KnownPairs) -> Mapping[str, npt.NDArray[np.float64]]:
    """Weight of each pair, (P,), mean 1.

    Args:
        config: c.
        known: states of both responses, and of one of the optimized policy.

    Reference:
        Objective Mismatch in Model-based Reinforcement Learning, https://arxiv.org/abs/2002.04523
    """
    assert known.optimized_PD is not None
    distance_P = 0.5 * (
        np.linalg.norm(known.chosen_PD - known.optimized_PD, axis=1)
        + np.linalg.norm(known.rejected_PD - known.optimized_PD, axis=1)
    )
    mean = distance_P.mean()
    if mean == 0:
        return {"weight": np.ones(len(distance_P))}
    weight_P = np.exp(-config.sharpness * distance_P / mean)
    return {"weight": weight_P / weight_P.mean()}


def loss(config: Config, batch: ReadBatch) -> Tensor:
    """Weighted Bradley-Terry loss of each comparison, nats, (P,).

    Args:
        config: unused.
        batch: rewards of both sides, and weights.

    Reference:
        Objective Mismatch in Model-based Reinforcement Learning, https://arxiv.org/abs/2002.04523
    """
    return -batch.labels["weight"] * logsigmoid(batch.chosen_P - batch.rejected_P)
