"""SparsePO: DPO whose tokens count by learned sparse masks, of rewards and of the KL.

Paper: Christopoulou et al. 2024, "SparsePO: Controlling Preference Alignment of LLMs via Sparse
Token Masks" (https://arxiv.org/abs/2410.05102):
    L = -log sigmoid( u - d ) + c sum of masks
    u = beta [ sum_t m_u(w_t) log pi/pi_ref(w_t) - sum_t m_u(l_t) log pi/pi_ref(l_t) ]
    d = beta [ D(l) - D(w) ],   D(y) = sum_t m_d(y_t) KL( pi_ref(.|x, y_<t) || pi(.|x, y_<t) )
    m(y_t) = ReLU( sum over blocks k of a_k ReLU( w_k . norm(h_k) + b_k ) )
w chosen, l rejected; h_k is the reference's state after block k at the position that predicts y_t,
norm a layer norm that the blocks share. With m = 1 it is the token-level loss of TDPO (Zeng et al.
2024); without d, too, DPO. The L1 term sums over the tokens of both responses and over both masks;
a common mask counts once, as the code halves the two weights then.
Checked against the authors' code: masks, loss, L1, a common mask and c = 0 by default (.001 in its
runs on HH); equation numbers not verified.
Deviations: masks start at 1 everywhere (w = 0, b = 1, a one over the number of blocks) and training
as TDPO, where theirs start at random, some tokens at 0; masks learn faster than the policy by a set
factor, where theirs do not; no dropout (.01 there) and no weight decay of masks (.01 there).
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
    sparsity: float = param(0.0, help="c, weight of the masks' L1 norm", at_least=0.0)
    independent: bool = param(False, help="a mask of its own for the KL, not one for both")
    mask_rate: float = param(10.0, help="masks' learning rate over the policy's", above=0.0)


class TokenMask(nn.Module):
    """A mask of every token out of the hidden states of all blocks."""

    def __init__(self, shape: StateShape) -> None:
        super().__init__()
        blocks = shape.layers - 1  # without the embeddings
        self.norm = nn.LayerNorm(shape.width)
        self.weight_LD = nn.Parameter(torch.zeros(blocks, shape.width))
        self.bias_L = nn.Parameter(torch.ones(blocks))
        self.mixer_L = nn.Parameter(torch.full((blocks,), 1 / blocks))

    def forward(self, states: HiddenStates) -> Tensor:
        """Mask (R, T, 1), at least 0."""
        state_RTLD = self.norm(states.before_RTLD[:, :, 1:])
        layer_RTL = torch.einsum("rtld,ld->rtl", state_RTLD, self.weight_LD) + self.bias_L
        return torch.relu(torch.relu(layer_RTL) @ self.mixer_L).unsqueeze(-1)


class TokenMasks(nn.Module):
    """C masks of every token, each with parameters of its own."""

    def __init__(self, shape: StateShape, masks: int) -> None:
        super().__init__()
        self.masks = nn.ModuleList(TokenMask(shape) for _ in range(masks))

    def forward(self, states: HiddenStates) -> Tensor:
        """Masks (R, T, C), at least 0."""
        return torch.cat([mask(states) for mask in self.masks], -1)


def training(config: Config) -> Training:
    """The masks' relative learning rate."""
    return Training(module_rate=config.mask_rate)


def make_module(config: Config, shape: StateShape) -> nn.Module:
    """The mask of rewards, and of the KL unless it has one of its own; 1 everywhere at first."""
    return TokenMasks(shape, 2 if config.independent else 1)


def loss(config: Config, batch: PairBatch) -> Tensor:
    """SparsePO loss of each pair, in nats, the L1 term included.

    Args:
        config: beta, per nat; sparsity c.
        batch: B pairs of per-token log-probabilities, forward KL and masks, (B, T).

    Returns:
        Shape (B,).

    Reference:
        SparsePO, https://arxiv.org/abs/2410.05102
    """
    chosen, rejected = _masked(batch.chosen), _masked(batch.rejected)
    reward_B = chosen.log_ratio_B - rejected.log_ratio_B
    divergence_B = rejected.kl_B - chosen.kl_B
    norm_B = chosen.norm_B + rejected.norm_B
    return -logsigmoid(config.beta * (reward_B - divergence_B)) + config.sparsity * norm_B


class _Masked(NamedTuple):
    """Sums over a response's tokens: masked log-ratio and KL, nats, and the masks, at least 0."""

    log_ratio_B: Tensor
    kl_B: Tensor
    norm_B: Tensor


def _masked(response: Reading) -> _Masked:
    mask_BTC = given(response.output, "reference_states")
    kl_BT = given(response.forward_kl, "forward_kl")
    return _Masked(
        (mask_BTC[..., 0] * (response.policy_logp - response.reference_logp)).sum(-1),
        (mask_BTC[..., -1] * kl_BT).sum(-1),
        mask_BTC.sum((-2, -1)),
    )
