"""SPO: DPO, and beside it a head that tells how much of a response was left out.

Paper: Li et al. 2024, "Self-supervised Preference Optimization: Enhance Your Language Model with
Preference Degree Awareness" (https://arxiv.org/abs/2409.17791): key content is removed from
responses in several degrees, and a self-supervised module classifies the degree,
    L = L_align + g CE( degree | response with content removed )
An analogue: the equation is not public. The abstract and a review were read; the repository holds
no code, and the number of degrees, what the module reads, which responses are degraded, and g are
not known. Checked against nothing but hand-computed numbers; g = 0 is DPO.
Deviations: everything that was not known. L_align is DPO's; both responses of a pair are degraded,
each in one of K degrees at random; degree k leaves out k/K of the tokens, those that the initial
policy expected least (the paper extracts key words, by RAKE as that review says, from text); the
module is linear, on the mean over tokens of the policy's last hidden states.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.functional import cross_entropy, logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.training import HiddenStates, StateShape, Training, given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("degraded", "policy_states")


@dataclass(frozen=True)
class Config:
    """Settings of SPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    degree_weight: float = param(0.1, help="g, weight of the degrees' loss", at_least=0.0)
    degrees: int = param(4, help="K, degrees in which content is left out", at_least=2)
    head_rate: float = param(10.0, help="head's learning rate over the policy's", above=0.0)


class DegreeHead(nn.Module):
    """K logits at every token, linear in the last hidden state; 0 at first."""

    def __init__(self, width: int, degrees: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, degrees)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, states: HiddenStates) -> Tensor:
        """Logits (R, T, K); their mean over tokens is that of the mean state."""
        logits_RTK: Tensor = self.linear(states.after_RTLD[:, :, -1])
        return logits_RTK


def training(config: Config) -> Training:
    """The head's relative learning rate."""
    return Training(module_rate=config.head_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The head that tells degrees apart."""
    return DegreeHead(shape.width, config.degrees)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """DPO loss of each pair and g times the mean cross-entropy of its two degrees, nats.

    Args:
        config: beta, per nat; g.
        batch: B pairs of per-token log-probabilities, nats, (B, T), and 2 B degraded responses.

    Returns:
        Shape (B,).

    Reference:
        Self-supervised Preference Optimization, https://arxiv.org/abs/2409.17791
    """
    degraded = given(batch.degraded, "degraded")
    logits_RTK, mask_RT = given(degraded.output, "policy_states"), degraded.mask
    tokens_R1 = mask_RT.sum(-1, keepdim=True).clamp(min=1)
    logits_RK = (logits_RTK * mask_RT.unsqueeze(-1)).sum(1) / tokens_R1
    degree_R = given(degraded.label, "degraded").long()
    degrees_B = cross_entropy(logits_RK, degree_R, reduction="none").view(2, -1).mean(0)
    margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
    return -logsigmoid(config.beta * margin_B) + config.degree_weight * degrees_B
