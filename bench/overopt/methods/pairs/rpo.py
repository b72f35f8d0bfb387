"""RPO: DPO with a likelihood term on chosen responses, a pessimist's answer to a reward's errors.

Paper: Liu et al. 2024, "Provably Mitigating Overoptimization in RLHF: Your SFT Loss is Implicitly
an Adversarial Regularizer" (https://arxiv.org/abs/2405.16436), as its authors' trainers have it:
    L = -log sigmoid(beta (r_w - r_l)) - beta eta log pi(w|x)            log pi summed over tokens
or, with ``averaged``, the variant that their README advises,
    L = -log sigmoid(beta (r_w - r_l)) - eta log pi(w|x) / |w|           eta not scaled by beta
r = log pi(y|x) - log pi_ref(y|x). eta = 0 is DPO; as it grows, policies go to the law of the
chosen responses, which is not pi_ref. Recipes: beta .01 or .05, eta .005; averaged, .5 and .2.
Checked against both formulas in the released code, and against TRL's "sigmoid" with "sft", whose
token average is over the batch, on chosen responses of one length. Equation numbers not verified.
Deviations: none in the loss. beta is 0.1 by default, as for dpo, so that eta is what differs.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import log_likelihood, mean_log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of RPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    eta: float = param(0.005, help="weight of the likelihood of chosen responses", at_least=0.0)
    averaged: bool = param(False, help="likelihood per token, its weight not scaled by beta")


def loss(config: Config, batch: PairBatch) -> Tensor:
    """RPO loss of each pair, in nats.

    Args:
        config: beta, per nat; eta; averaged.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Provably Mitigating Overoptimization in RLHF, https://arxiv.org/abs/2405.16436
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    if config.averaged:
        likelihood_B = config.eta * mean_log_likelihood(batch.chosen)
    else:
        likelihood_B = config.beta * config.eta * log_likelihood(batch.chosen)
    return -logsigmoid(config.beta * margin_B) - likelihood_B
