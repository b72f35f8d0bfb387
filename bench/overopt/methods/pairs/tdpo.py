"""TDPO: DPO token by token, with the KL that each response has passed through in its margin.

Paper: Zeng et al. 2024, "Token-level Direct Preference Optimization"
(https://arxiv.org/abs/2404.11999):
    TDPO1:  L = -log sigmoid( beta ( h - (D(l) - D(w)) ) )
    TDPO2:  L = -log sigmoid( beta ( h - alpha (D(l) - sg D(w)) ) )
h = r_w - r_l, r = log pi(y|x) - log pi_ref(y|x), D(y) = sum_t KL( pi_ref(.|x, y_<t) ||
pi(.|x, y_<t) ), sg without gradient. Without D it is DPO. Where all responses share their one
prefix (a single token), TDPO1 has DPO's optimum; D is at its least where pi is pi_ref.
Checked against the formula in the authors' released code, where TDPO2 with alpha .5 is the default;
equation numbers not verified.
Deviations: none in the loss.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("forward_kl",)


@dataclass(frozen=True)
class Config:
    """Settings of TDPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    alpha: float = param(0.5, help="weight of the KL difference in tdpo2", at_least=0.0)
    form: str = param("tdpo2", help="which of the paper's two losses", one_of=("tdpo1", "tdpo2"))


def loss(config: Config, batch: PairBatch) -> Tensor:
    """TDPO loss of each pair, in nats.

    Args:
        config: beta, per nat; alpha; form.
        batch: B pairs of per-token log-probabilities and forward KL, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        Token-level Direct Preference Optimization, https://arxiv.org/abs/2404.11999
    """
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    chosen_B, rejected_B = _passed_kl(batch.chosen), _passed_kl(batch.rejected)
    if config.form == "tdpo1":
        further_B = rejected_B - chosen_B
    else:
        further_B = config.alpha * (rejected_B - chosen_B.detach())
    return -logsigmoid(config.beta * (margin_B - further_B))


def _passed_kl(reading: Reading) -> Tensor:
    """D of each response, nats, (B,)."""
    return (given(reading.forward_kl, "forward_kl") * reading.mask).sum(-1)
