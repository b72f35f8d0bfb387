"""Monitors, resolved; and what a practitioner sees along a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from overopt.spec.frozen import SourcedSpec

Signal = Literal[
    "kl_nats",
    "length",
    "entropy_nats",
    "reward",
    "spread",
    "heldout_proxy",
    "outlier_share",
    "energy_loss",
]
"""What can be seen of a policy in training without gold, besides its step.

kl_nats: KL from the initial policy, nats per response. length: mean tokens of a response.
entropy_nats: mean entropy of a response, nats. reward: mean of what is optimized, above the
initial policy, in its SDs. spread: SD over the members of an ensemble, mean over samples, in SDs of
the initial policy. heldout_proxy: as reward, of a reward model that nobody optimizes.
outlier_share: share of samples that are outliers among the reward model's hidden states.
energy_loss: energy lost in the policy's last layer, above the initial policy, in SDs of its
responses.
"""

WATCHED: tuple[Signal, ...] = ("spread", "heldout_proxy", "outlier_share", "energy_loss")
"""Those that need further models beside a run, or the insides of one."""

LIMIT = "limit"
"""The field of a monitor's ``Config`` that is set on other seeds than those that are scored."""

Act = Literal["alarm", "stop"]


class MonitorSpec(SourcedSpec):
    """A monitor resolved.

    reads: the signals that its statistic is made of; none where the step is enough.
    acts: whether it asks for a look (alarm) or ends the run (stop).
    from_initial: whether it compares with the initial policy, so that a run whose first look is
        another policy cannot be judged.
    """

    reads: tuple[Signal, ...] = Field(default=(), strict=False)
    acts: Act
    from_initial: bool = True
