"""SLiC: a hinge on the margin of a pair, whose gradient is 0 once the margin is reached.

Paper: Zhao et al. 2023, "SLiC-HF: Sequence Likelihood Calibration with Human Feedback"
(https://arxiv.org/abs/2305.10425). Two losses go by its name, and ``form`` chooses one:
    hinge:    L = max(0, 1 - beta (r_w - r_l)),   r = log pi(y|x) - log pi_ref(y|x)
    slic-hf:  L = max(0, d - log pi(w|x) + log pi(l|x)) - lambda log pi(w|x)
log pi is summed over tokens. The first is the hinge of the family that contains DPO and IPO, as
TRL has it; the second is the paper's own, without a reference policy. The optimum of the hinge is
a set: every policy with all margins above 1/beta has loss 0.
Checked against TRL's "hinge"; slic-hf against the formula of HALOs (d = 1, lambda = .1).
Deviations: slic-hf takes the chosen response for the target of its likelihood term, where the
paper may take another text. In that form beta does nothing, and runs are read along their steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.math.responses import log_likelihood
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"


@dataclass(frozen=True)
class Config:
    """Settings of SLiC."""

    beta: float = param(0.1, help="1 / the margin that is asked for", unit="1/nats", above=0.0)
    form: str = param(
        "hinge", help="with a reference, or the paper's without", one_of=("hinge", "slic-hf")
    )
    margin: float = param(1.0, help="d of slic-hf", unit="nats", at_least=0.0)
    likelihood: float = param(0.1, help="lambda of slic-hf", at_least=0.0)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """Hinge loss of each pair; of slic-hf in nats, its likelihood term included.

    Args:
        config: form; beta, per nat; margin d and weight lambda of slic-hf.
        batch: B pairs of per-token log-probabilities, nats, shape (B, T).

    Returns:
        Shape (B,).

    Reference:
        SLiC-HF, https://arxiv.org/abs/2305.10425
    """
    if config.form == "hinge":
        margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
        return torch.relu(1 - config.beta * margin_B)
    chosen_B, rejected_B = log_likelihood(batch.chosen), log_likelihood(batch.rejected)
    return torch.relu(config.margin - chosen_B + rejected_B) - config.likelihood * chosen_B
