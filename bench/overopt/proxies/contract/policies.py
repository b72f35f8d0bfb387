"""A system whose members are policies: their log-probabilities, against a reference's, are rewards.

A file declares POLICY, the name of a method of the family pairs, which trains each member on the
comparisons as the task trains such methods. Fields that the Config of both have are the method's:
``beta`` of the system is that of DPO. The reference is the initial policy; with REFERENCE, the name
of a Config field that is a share from above 0 to 1, it is the initial policy as it would be after
so much of its examples.
A file with score and a loss, and without POLICY, trains its policies by that loss, as the task
trains proxies: it finds in ``ReadBatch.chosen_P`` and ``rejected_P`` what ``score`` says,
differentiable, and log-probabilities of both sides by policy and reference in the readings.
INPUTS = ("step_ends",) asks where the steps of responses end, in worlds that have any.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from overopt.proxies.contract import ProxySystem


class PolicyReading(NamedTuple):
    """N responses as a member and its reference read them.

    policy_logp_NT, reference_logp_NT: float64 (N, T), log-probability of each token given what
        precedes it, nats, 0 on padding.
    mask_NT: bool (N, T), True on the response's tokens, its end included.
    end_NT: bool (N, T), True where a step of the response ends; None unless INPUTS asks for it.
    """

    policy_logp_NT: Tensor
    reference_logp_NT: Tensor
    mask_NT: Tensor
    end_NT: Tensor | None = None


class Scores(ProxySystem, Protocol):
    """A module that scores a response by two policies."""

    def score(self, config: Any, reading: PolicyReading, /) -> Tensor:
        """Raw reward (N,); it is brought to mean 0 and SD 1 under the initial policy."""
        ...
