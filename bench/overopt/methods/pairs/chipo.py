"""chi^2-PO: DPO whose link adds the probability ratio itself to its logarithm.

Paper: Huang et al. 2024, "Correcting the Mythos of KL-Regularization: Direct Alignment without
Overoptimization via Chi-Squared Preference Optimization" (https://arxiv.org/abs/2407.13399):
    L = -log sigmoid( clip_{+-2R}( beta (phi(z_w) - phi(z_l)) ) ),   phi(z) = z^a + g log z
z = pi(y|x)/pi_ref(y|x) of the whole response. a = g = 1 is the link of the theory, whose optimum
is pi_ref W0(exp((r - Z)/beta)), that of a KL penalty plus chi^2; the experiments' links have a in
{1/4, 1}, g in {.1, 1} (eq. 9, algorithm 1 and appendix E.2 by third-party sources, re-derived). R
bounds the true reward. The clip is on the difference and has no gradient beyond it, also where a
pair is ordered wrongly; a log z is clipped to [-88, 20] before exp, as the experiments do.
Formula from third-party sources; their code was seen, the authors' does not seem to be public.
Deviations: R is a guess, 5 by default, so that the clip acts beyond a logit of 10 only.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of chi^2-PO."""

    beta: float = param(0.1, help="strength of KL and chi^2 together", above=0.0)
    power: float = param(1.0, help="a, power of the ratio in the link", above=0.0)
    log_weight: float = param(1.0, help="g, weight of the logarithm in the link", at_least=0.0)
    bound: float = param(5.0, help="R, bound of the true reward", unit="nats", above=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """chi^2-PO loss of each pair, in nats.

    Args:
        config: beta; the link's power and log_weight; bound R.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,), between log(1 + exp(-2R)) and log(1 + exp(2R)).

    Reference:
        Correcting the Mythos of KL-Regularization, eq. 9, https://arxiv.org/abs/2407.13399
    """
    linked_B = _link(config, batch.chosen.log_ratio) - _link(config, batch.rejected.log_ratio)
    logit_B = (config.beta * linked_B).clamp(-2 * config.bound, 2 * config.bound)
    return -logsigmoid(logit_B)


def _link(config: Config, log_ratio_B: Tensor) -> Tensor:
    """phi of each response; a ratio of a long response has no float32 of its own."""
    ratio_B = (config.power * log_ratio_B).clamp(-88.0, 20.0).exp()
    return ratio_B + config.log_weight * log_ratio_B
