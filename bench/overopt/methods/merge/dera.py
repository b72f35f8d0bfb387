"""DeRa: decoding-time realignment, an aligned policy turned up or down at every token.

Paper: Liu et al. 2024, "Decoding-time Realignment of Language Models"
(https://arxiv.org/abs/2402.02992):
    pi_lam(v | prefix) proportional to pi_ref(v | prefix)^(1 - lam) pi(v | prefix)^lam
that is, logits h_ref + lam (h - h_ref) of a trained policy pi. Formula from third-party sources,
re-derived; the equation's number was not verified. Where a response is one token, and pi is the
optimum pi_ref exp(r / beta) / Z, the result is the optimum at beta / lam, exactly; over several
tokens it is the approximation that the paper makes, since the normalization is that of each token.
Sweeping lam gives a whole KL grid from one run: 0 is pi_ref, 1 the trained policy.
Deviations: the trained policy is the last one of another method's own run, budgets and all, which
that method shares; lam may exceed 1, an extrapolation, so that budgets just beyond the trained
policy can be met. Lam is one number, as in most of the paper; nothing else is read or trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from overopt.methods.contract.composition import Composition
from overopt.spec.declare import knob, param

FAMILY = "merge"
KNOB = knob("lam", low=0.01, high=2.0, raises_kl=True)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of decoding-time realignment."""

    member: str = param("dpo", help="method whose trained policy is realigned")


def compose(config: Config, knob: float) -> Composition:
    """Weights 1 - lam of the initial policy and lam of the trained one.

    Args:
        config: the method that trains.
        knob: lam, 0 (the initial policy) to 1 (the trained one) or beyond.

    Returns:
        Weights of log-probabilities; any constant in them leaves the policy as it is.

    Reference:
        Decoding-time Realignment of Language Models, https://arxiv.org/abs/2402.02992
    """
    return Composition(initial=1.0 - knob, trained=(knob,))
