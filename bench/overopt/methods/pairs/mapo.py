"""MaPO: DPO whose tokens count by the reference model's own activations, with nothing to learn.

Paper: Christopoulou et al. 2024, "SparsePO: Controlling Preference Alignment of LLMs via Sparse
Token Masks" (https://arxiv.org/abs/2410.05102), its variant with activation-based masks:
    L = -log sigmoid( u - d )
    u = beta [ sum_t m(w_t) log pi/pi_ref(w_t) - sum_t m(l_t) log pi/pi_ref(l_t) ]
    d = beta [ D(l) - D(w) ],   D(y) = sum_t m(y_t) KL( pi_ref(.|x, y_<t) || pi(.|x, y_<t) )
w chosen, l rejected; one mask serves both terms.
Written from memory of the paper: that masks come from the magnitude of the reference's activations,
averaged over layers, is its idea; the exact normalization was not verified.
Deviations: here m(y_t) is the mean over layers of a_layer(t) / (mean of a_layer over the response's
tokens), a_layer(t) the mean magnitude of the layer's hidden state at the token; so the masks of a
response average 1, and the loss keeps DPO's scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import HiddenStates, StateShape, given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reference_states", "forward_kl")


@dataclass(frozen=True)
class Config:
    """Settings of MaPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )


class ActivationMask(nn.Module):
    """Relative magnitude of the hidden states of every token; there is nothing to train."""

    def forward(self, states: HiddenStates) -> Tensor:
        """Masks (R, T, 1), with mean 1 over each response; 0 on padding, whose states are 0."""
        size_RTL = states.after_RTLD.abs().mean(-1)
        tokens_R1L = (size_RTL > 0).sum(1, keepdim=True).clamp(min=1)
        mean_R1L = size_RTL.sum(1, keepdim=True) / tokens_R1L
        tiny = torch.finfo(size_RTL.dtype).tiny
        return (size_RTL / mean_R1L.clamp(min=tiny)).mean(-1, keepdim=True)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The mask, which has no parameters."""
    return ActivationMask()


def loss(config: Config, batch: PairBatch) -> Tensor:
    """MaPO loss of each pair, in nats.

    Args:
        config: beta, per nat.
        batch: B pairs of per-token log-probabilities, forward KL and masks, (B, T).

    Returns:
        Shape (B,).

    Reference:
        SparsePO, https://arxiv.org/abs/2410.05102
    """
    # A token adds m (log pi/pi_ref + KL) to a chosen response, and takes it from a rejected one.
    margin_B = _masked_gain(batch.chosen) - _masked_gain(batch.rejected)
    return -logsigmoid(config.beta * margin_B)


def _masked_gain(response: Reading) -> Tensor:
    """sum_t m(y_t) (log pi/pi_ref(y_t) + KL) of each response, nats, (B,)."""
    mask_BT = given(response.output, "reference_states")[..., 0]
    kl_BT = given(response.forward_kl, "forward_kl")
    return (mask_BT * (response.policy_logp - response.reference_logp + kl_BT)).sum(-1)
