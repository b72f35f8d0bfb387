"""SparsePO: DPO whose tokens count by learned sparse masks, one on rewards and one on the KL.

Paper: Christopoulou et al. 2024, "SparsePO: Controlling Preference Alignment of LLMs via Sparse
Token Masks" (https://arxiv.org/abs/2410.05102):
    L = -log sigmoid( u - d ) + L1
    u = beta [ sum_t m_u(w_t) log pi/pi_ref(w_t) - sum_t m_u(l_t) log pi/pi_ref(l_t) ]
    d = beta [ D(l) - D(w) ],   D(y) = sum_t m_d(y_t) KL( pi_ref(.|x, y_<t) || pi(.|x, y_<t) )
    m(y_t) = mean over layers of ReLU( h_layer(y_t) . w_layer + b_layer ), h of the reference
w chosen, l rejected. With m = 1 it is the token-level loss of TDPO (Zeng et al. 2024); without d,
too, DPO. Written from memory of the paper: that masks read the reference's states, the start of
the mask weights and the size of the L1 term were not verified.
Deviations: masks start at 1 everywhere (w = 0, b = 1), so that training starts as TDPO; the L1 term
is the mean mask over the tokens of a pair; masks learn faster than the policy by a set factor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import HiddenStates, StateShape, Training, given
from overopt.spec.declare import knob, param

FAMILY = "pairs"
KNOB = knob("beta", low=0.001, high=10.0, raises_kl=False)
USES_GOLD = "none"
INPUTS = ("reference_states", "forward_kl")


@dataclass(frozen=True)
class Config:
    """Settings of SparsePO."""

    beta: float = param(
        0.1, help="strength of the pull toward the initial policy", unit="1/nats", above=0.0
    )
    sparsity: float = param(0.001, help="weight of the masks' L1 norm", at_least=0.0)
    independent: bool = param(True, help="a mask of its own for the KL, not one for both")
    mask_rate: float = param(10.0, help="masks' learning rate over the policy's", above=0.0)


class TokenMasks(nn.Module):
    """C masks of every token out of the hidden states of all layers."""

    def __init__(self, shape: StateShape, masks: int) -> None:
        super().__init__()
        self.weight_LDC = nn.Parameter(torch.zeros(shape.layers, shape.width, masks))
        self.bias_LC = nn.Parameter(torch.ones(shape.layers, masks))

    def forward(self, states: HiddenStates) -> Tensor:
        """Masks (R, T, C), at least 0."""
        layer_RTLC = torch.einsum("rtld,ldc->rtlc", states.after_RTLD, self.weight_LDC)
        return torch.relu(layer_RTLC + self.bias_LC).mean(-2)


def training(config: Config) -> Training:
    """The masks' relative learning rate."""
    return Training(module_rate=config.mask_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The masks on rewards and, if independent, on the KL; 1 everywhere at first."""
    return TokenMasks(shape, 2 if config.independent else 1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """SparsePO loss of each pair, in nats, the L1 term included.

    Args:
        config: beta, per nat; sparsity.
        batch: B pairs of per-token log-probabilities, forward KL and masks, (B, T).

    Returns:
        Shape (B,).

    Reference:
        SparsePO, https://arxiv.org/abs/2410.05102
    """
    chosen, rejected = _masked(batch.chosen), _masked(batch.rejected)
    reward_B = chosen.log_ratio_B - rejected.log_ratio_B
    divergence_B = rejected.kl_B - chosen.kl_B
    tokens_B = batch.chosen.mask.sum(-1) + batch.rejected.mask.sum(-1)
    norm_B = (chosen.masks_B + rejected.masks_B) / tokens_B
    return -logsigmoid(config.beta * (reward_B - divergence_B)) + config.sparsity * norm_B


class _Masked(NamedTuple):
    """Sums over a response's tokens: masked log-ratio and KL, nats, and the mean of its masks."""

    log_ratio_B: Tensor
    kl_B: Tensor
    masks_B: Tensor


def _masked(response: Reading) -> _Masked:
    mask_BTC = given(response.output, "reference_states")
    kl_BT = given(response.forward_kl, "forward_kl")
    return _Masked(
        (mask_BTC[..., 0] * (response.policy_logp - response.reference_logp)).sum(-1),
        (mask_BTC[..., -1] * kl_BT).sum(-1),
        mask_BTC.mean(-1).sum(-1),
    )
