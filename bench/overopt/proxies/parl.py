"""PARL: the reward model also answers for what the policy that it makes goes on to write.

Paper: Chakraborty et al. 2023, "PARL: A Unified Framework for Policy Alignment in Reinforcement
Learning from Human Feedback" (https://arxiv.org/abs/2308.02585) (abstract seen, equations from
memory): learning from fresh samples is a bilevel problem, since their distribution depends on the
reward model phi through the policy that is optimal for it, and the gradient of the labels' loss
    d/dphi E_{y ~ pi*(phi)} loss = E [d loss/dphi] + E [loss d log pi*(y_1) pi*(y_2) / dphi]
has a second, score-function term, which online reward models such as ``online-rm`` leave out.
For an inner problem with a KL penalty beta, pi* is proportional to pi_ref exp(r / beta), so that
    d log pi*(y)/dphi = (dr(y)/dphi - E_pi* dr/dphi) / beta
and the loss of a fresh comparison, l its Bradley-Terry loss, is
    L = l + w sg(l - mean l) (s - mean s) / beta,   s = r_w + r_l
with means over the fresh comparisons of a batch and sg stopping the gradient. Other comparisons
have L = l. Labels, refits and their settings are those of ``online-rm``.
Deviations: the paper's inner solution is differentiated through its Hessian; here it is the closed
form of the KL-penalized problem, whichever method optimizes the policy. Fresh comparisons are all
that the run has labeled so far: those of earlier refits are samples of older policies, where the
formula speaks of the present one. E_pi* dr is over the batch, not over samples to the same prompt,
of which a comparison has two. As the l - mean l add up to 0, that mean changes no gradient: what
all responses to one prompt have in common, which no comparison sees and E_pi* dr would take off, is
still pulled.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.proxies.contract.refits import Refit
from overopt.proxies.contract.training import FreshBatch
from overopt.spec.declare import param

USES_GOLD = "training"


@dataclass(frozen=True)
class Config:
    """Settings of PARL."""

    members: int = param(1, help="reward models, same pairs, different seeds", at_least=1)
    every: int = param(10, help="rollouts from one refit to the next", at_least=1)
    pairs: int = param(64, help="fresh comparisons that gold labels each time", at_least=1)
    weight: float = param(1.0, help="w: of the score-function term; 0 is online-rm", at_least=0.0)
    beta: float = param(1.0, help="KL penalty of the inner problem, per raw reward", above=0.0)


def refit(config: Config) -> Refit:
    """When members are trained again, and on how much.

    Args:
        config: every, pairs.

    Reference:
        PARL, https://arxiv.org/abs/2308.02585
    """
    return Refit(config.every, config.pairs)


def loss(config: Config, batch: FreshBatch) -> Tensor:
    """Bradley-Terry loss, and the score-function term of fresh comparisons, nats, (P,).

    Args:
        config: w, beta.
        batch: rewards of both sides, and which comparisons are fresh.

    Reference:
        PARL, https://arxiv.org/abs/2308.02585
    """
    loss_P = -logsigmoid(batch.chosen_P - batch.rejected_P)
    if batch.fresh_P is None or not bool(batch.fresh_P.any()):
        return loss_P
    fresh_P = batch.fresh_P.to(loss_P)
    surprise_P = (loss_P - (loss_P * fresh_P).sum() / fresh_P.sum()).detach()
    pull_P = batch.chosen_P + batch.rejected_P
    pull_P = (pull_P - (pull_P * fresh_P).sum() / fresh_P.sum()) / config.beta
    return loss_P + config.weight * fresh_P * surprise_P * pull_P
