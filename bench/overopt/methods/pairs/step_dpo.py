"""Step-DPO: DPO on single steps, where a solution went wrong, after the steps that were right.

Paper: Lai et al. 2024, "Step-DPO: Step-wise Preference Optimization for Long-chain Reasoning of
LLMs" (https://arxiv.org/abs/2406.18629):
    L = -log sigmoid( beta ( log pi/pi_ref(s_w | x, s_<k) - log pi/pi_ref(s_l | x, s_<k) ) )
with s_l the first wrong step of a failed solution and s_w a right one, sampled by the reference
from the same prefix (equation number not verified). Checked against the authors' code (beta .4):
the loss is DPO's with steps in place of responses, no EOS after them; GPT-4 locates the error; of
sampled corrections those count that end at the right answer.
Deviations: nobody locates errors here. The value of a prefix is the proxy's mean score of responses
that the initial policy makes of it (samples of them); s_l is the step of the rejected response
after which the value falls most, s_w the first step of the best response made of what precedes s_l.
A pair is left out if that is the same step, or scores no more than s_l is worth. There is one s_w,
where the code pairs s_l with every different right step.
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
INPUTS = ("step_pairs",)


@dataclass(frozen=True)
class Config:
    """Settings of Step-DPO."""

    beta: float = param(
        0.4, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    samples: int = param(4, help="responses made of each prefix, to value it", at_least=1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO loss of each pair of steps, in nats.

    Args:
        config: beta, per nat.
        batch: B pairs of steps after the same prefix: per-token log-probabilities, nats, (B, T).

    Returns:
        Shape (B,).

    Reference:
        Step-DPO, https://arxiv.org/abs/2406.18629
    """
    return -logsigmoid(config.beta * (batch.chosen.log_ratio - batch.rejected.log_ratio))
