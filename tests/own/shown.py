"""A method of a user's own that prefers reference texts to what the initial policy says.

Paper: none, 2026. For tests of demonstrations and of opponents in a round.
Deviations: none.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.iterative import RowPairs, SamplePairs
from overopt.methods.contract.samples import Rollout
from overopt.spec.declare import knob, param

FAMILY = "iterative"
KNOB = knob("beta", low=0.01, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("demonstrations", "reference_samples")


@dataclass(frozen=True)
class Config:
    """Settings of the preference."""

    beta: float = param(0.1, help="weight of the log-ratios", above=0.0)


def build(config: Config, rollout: Rollout) -> RowPairs:
    """Each prompt's reference text against the first of its opponents."""
    return RowPairs(rollout.demonstration_row_B, rollout.opponent_row_BM[:, 0])


def loss(config: Config, batch: SamplePairs) -> Tensor:
    """DPO's."""
    return -logsigmoid(config.beta * (batch.chosen.log_ratio - batch.rejected.log_ratio))
