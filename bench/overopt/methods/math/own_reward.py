"""How a policy ranks responses by itself, without a proxy."""

from __future__ import annotations

from torch import Tensor

from overopt.methods.contract.reading import Reading

STILL_NATS = 0.01
"""Below this log-ratio of every response a policy is the initial one: what is left is rounding."""


def own_reward(logp_BNT: Tensor, read: Reading) -> Tensor:
    """log(pi/pi_ref) of each response, nats; of the initial policy, its log-likelihood per token.

    The implicit reward is 0 of whatever the initial policy says, so that it ranks nothing there.

    Args:
        logp_BNT: log-probabilities of the tokens under pi, nats.
        read: the same responses under the initial policy, with their mask.

    Returns:
        Shape (B, N).

    Reference:
        CREAM, https://arxiv.org/abs/2410.12735
    """
    ratio_BN = ((logp_BNT - read.reference_logp) * read.mask).sum(-1)
    if bool((ratio_BN.abs() > STILL_NATS).any()):
        return ratio_BN
    return (read.reference_logp * read.mask).sum(-1) / read.mask.sum(-1)
