"""MaPO: DPO whose tokens count by the reference model's own activations, with nothing to learn.

Paper: Christopoulou et al. 2024, "SparsePO: Controlling Preference Alignment of LLMs via Sparse
Token Masks" (https://arxiv.org/abs/2410.05102), its variant with activation-based masks:
    L = -log sigmoid( u - d )
    u = beta [ sum_t m(w_t) log pi/pi_ref(w_t) - sum_t m(l_t) log pi/pi_ref(l_t) ]
    d = beta [ D(l) - D(w) ],   D(y) = sum_t m(y_t) KL( pi_ref(.|x, y_<t) || pi(.|x, y_<t) )
    m(y_t) = mean over layers of (a_t - min a) / (max a - min a),  min and max over y's tokens
w chosen, l rejected; one mask serves both terms. a_t is the mean over the hidden dimension, signs
kept, of the reference's state at the position that predicts y_t. So in every layer the lowest token
of a response has 0 and the highest 1: it is learned from less, and more slowly, than by DPO.
Checked against the authors' code: the loss, and masks by its default mapping, in which rescaling
undoes the z-scores that come first; equation numbers not verified.
Deviations: the layers are the embeddings and the residual stream after each block, the last after
the final norm; the code averages with them what is inside the blocks (attention, MLP, norms) and
the logits. A layer that is constant over a response up to rounding, as over a single token, gives
0, where the code divides by 0.
"""

from __future__ import annotations

import math
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

ROUNDING = 16
"""How many units in the last place a layer's means differ by if they are taken to be equal."""


@dataclass(frozen=True)
class Config:
    """Settings of MaPO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )


class ActivationMask(nn.Module):
    """Where a token lies between the lowest and the highest activation; nothing to train."""

    def forward(self, states: HiddenStates) -> Tensor:
        """Masks (R, T, 1), from 0 to 1; 0 on padding, whose states are 0."""
        state_RTLD = states.before_RTLD
        token_RT1 = (state_RTLD != 0).flatten(2).any(-1, keepdim=True)
        mean_RTL = state_RTLD.mean(-1)
        low_R1L = mean_RTL.masked_fill(~token_RT1, math.inf).amin(1, keepdim=True)
        high_R1L = mean_RTL.masked_fill(~token_RT1, -math.inf).amax(1, keepdim=True)
        range_R1L = high_R1L - low_R1L
        # means of states that cancel, as after a fresh norm, differ by rounding alone
        rounding = ROUNDING * torch.finfo(mean_RTL.dtype).eps
        varies_R1L = range_R1L > rounding * state_RTLD.abs().mean(-1).amax(1, keepdim=True)
        place_RTL = ((mean_RTL - low_R1L) / range_R1L).where(token_RT1 & varies_R1L, 0.0)
        return place_RTL.mean(-1, keepdim=True)


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
