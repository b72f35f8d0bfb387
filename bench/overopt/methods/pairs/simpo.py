"""SimPO: pairs are told apart by log-likelihood per token, without any reference policy.

Paper: Meng et al. 2024, "SimPO: Simple Preference Optimization with a Reference-Free Reward"
(https://arxiv.org/abs/2405.14734):
    L = -log sigmoid( beta ( log pi(w|x)/|w| - log pi(l|x)/|l| ) - gamma )
gamma is the target margin; the authors' settings give it as a share of beta (gamma/beta .25 with
beta 2; recipes: beta 2 to 10, shares of .1 to .8). Nothing here knows of the initial policy, so
that no setting holds a policy near it: runs are read along their steps. A larger beta has the
gradient fade at a smaller difference per token.
Checked against the formula in the authors' released code, and against TRL's cpo_loss of the type
"simpo" (whose trainer adds a likelihood term, unless told not to). Equation number not verified.
Deviations: none in the loss. The knob beta is not the paper's; with it, KL after a set number of
steps is moved, not an optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.1, high=100.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of SimPO."""

    beta: float = param(2.0, help="scale of the difference", unit="tokens/nat", above=0.0)
    gamma: float = param(0.5, help="target margin, in units of the logit", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """SimPO loss of each pair, in nats.

    Args:
        config: beta, tokens per nat; gamma.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        SimPO, https://arxiv.org/abs/2405.14734
    """
    difference_B = mean_log_likelihood(batch.chosen) - mean_log_likelihood(batch.rejected)
    return -logsigmoid(config.beta * difference_B - config.gamma)
