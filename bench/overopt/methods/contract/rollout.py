"""The rollout family: advantages and a loss over fresh, rewarded samples."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Rollout(NamedTuple):
    """B prompts with N fresh samples each; nothing here carries a gradient.

    reward_BN: proxy score of the whole response, in SDs of the initial policy.
    sampled_logp_BNT: log-probability of each token when it was sampled.
    reference_logp_BNT: the same tokens under the reference (initial) policy.
    mask_BNT: 1 on response tokens (EOS included), 0 on padding.
    anchor_logp_BNT: under the anchor that a hook has set; None while it is the reference.
    output_BNTC: outputs of the method's module when the samples were drawn.
    """

    reward_BN: Tensor
    sampled_logp_BNT: Tensor
    reference_logp_BNT: Tensor
    mask_BNT: Tensor
    anchor_logp_BNT: Tensor | None = None
    output_BNTC: Tensor | None = None

    @property
    def log_ratio_BN(self) -> Tensor:
        """log(pi / pi_ref) of each response at sampling time: the k1 estimate of KL, nats."""
        return ((self.sampled_logp_BNT - self.reference_logp_BNT) * self.mask_BNT).sum(-1)

    @property
    def anchor_log_ratio_BN(self) -> Tensor:
        """log(pi / pi_anchor) of each response at sampling time, nats."""
        anchor = self.anchor_logp_BNT
        anchor_BNT = self.reference_logp_BNT if anchor is None else anchor
        return ((self.sampled_logp_BNT - anchor_BNT) * self.mask_BNT).sum(-1)

    def take(self, index_B: Tensor) -> Rollout:
        """The groups of these prompts."""
        anchor, output = self.anchor_logp_BNT, self.output_BNTC
        return Rollout(
            self.reward_BN[index_B],
            self.sampled_logp_BNT[index_B],
            self.reference_logp_BNT[index_B],
            self.mask_BNT[index_B],
            None if anchor is None else anchor[index_B],
            None if output is None else output[index_B],
        )


class RolloutStep(NamedTuple):
    """One gradient step on a rollout: the tokens' log-probabilities now, with gradient.

    output_BNTC: outputs of the method's module now; forward_kl_BNT: KL(pi_ref || pi) of the next
    token now, nats; both with gradient, and None unless asked for.
    """

    rollout: Rollout
    logp_BNT: Tensor
    advantage: Tensor
    output_BNTC: Tensor | None = None
    forward_kl_BNT: Tensor | None = None

    @property
    def advantage_BNT(self) -> Tensor:
        """Advantage of each token; a sequence's advantage is shared by its tokens."""
        if self.advantage.dim() == self.logp_BNT.dim():
            return self.advantage
        return self.advantage.unsqueeze(-1).expand_as(self.logp_BNT)


class RolloutMethod(Protocol):
    """The functions of a method that learns from its own fresh, rewarded samples."""

    __name__: str
    Config: Any

    def advantages(self, config: Any, rollout: Rollout, /) -> Tensor:
        """Advantage of each response (B, N) or of each token (B, N, T), without gradient."""
        ...

    def loss(self, config: Any, step: RolloutStep, /) -> Tensor:
        """Loss of each response, shape (B, N); the engine descends their mean."""
        ...
