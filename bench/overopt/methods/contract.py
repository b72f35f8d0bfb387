"""What a method supplies: pure functions of log-probabilities and rewards, by family.

A method is a module named after it. Its constants and its ``Config`` are literals, read by the
catalogue without importing the file; its functions are pure and see neither models nor gold.

Every family:
    FAMILY: one of ``spec.Family``.
    KNOB: ``spec.knob(...)``, the field of ``Config`` (or, for the selection family, the free
        parameter of ``weights``) that moves the method along KL.
    USES_GOLD: ``"none"`` unless the method is allowed to see gold (``spec.GoldUse``).
    Config: a frozen dataclass of ``spec.param`` fields.

pairs:      loss(config, batch: PairBatch) -> loss_B
rollout:    advantages(config, rollout: Rollout) -> advantage (B, N) or (B, N, T)
            loss(config, step: RolloutStep) -> loss_BN
selection:  weights(config, pool: ScoredPool, knob) -> weights_BN
            kl_bound_nats(config, knob) -> float     analytic KL, an upper bound
            knob_for_kl(config, kl_nats) -> float    its inverse
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor


class PairBatch(NamedTuple):
    """B preference pairs: log-probabilities of each response token under policy and reference.

    Every tensor is float32 (B, T), zero where the mask is zero; gradients flow through the
    policy's log-probabilities only.
    """

    policy_chosen_logp_BT: Tensor
    policy_rejected_logp_BT: Tensor
    reference_chosen_logp_BT: Tensor
    reference_rejected_logp_BT: Tensor
    chosen_mask_BT: Tensor
    rejected_mask_BT: Tensor

    @property
    def chosen_log_ratio_B(self) -> Tensor:
        """r_w = log pi(y_w|x) - log pi_ref(y_w|x), summed over tokens, nats."""
        return (self.policy_chosen_logp_BT - self.reference_chosen_logp_BT).sum(-1)

    @property
    def rejected_log_ratio_B(self) -> Tensor:
        """r_l = log pi(y_l|x) - log pi_ref(y_l|x), summed over tokens, nats."""
        return (self.policy_rejected_logp_BT - self.reference_rejected_logp_BT).sum(-1)


class Rollout(NamedTuple):
    """B prompts with N fresh samples each; nothing here carries a gradient.

    reward_BN: proxy score of the whole response, in SDs of the initial policy.
    sampled_logp_BNT: log-probability of each token when it was sampled.
    reference_logp_BNT: the same tokens under the reference (initial) policy.
    mask_BNT: 1 on response tokens (EOS included), 0 on padding.
    """

    reward_BN: Tensor
    sampled_logp_BNT: Tensor
    reference_logp_BNT: Tensor
    mask_BNT: Tensor

    @property
    def log_ratio_BN(self) -> Tensor:
        """log(pi / pi_ref) of each response at sampling time: the k1 estimate of KL, nats."""
        return ((self.sampled_logp_BNT - self.reference_logp_BNT) * self.mask_BNT).sum(-1)


class RolloutStep(NamedTuple):
    """One gradient step on a rollout: the tokens' log-probabilities now, with gradient."""

    rollout: Rollout
    logp_BNT: Tensor
    advantage: Tensor

    @property
    def advantage_BNT(self) -> Tensor:
        """Advantage of each token; a sequence's advantage is shared by its tokens."""
        if self.advantage.dim() == self.logp_BNT.dim():
            return self.advantage
        return self.advantage.unsqueeze(-1).expand_as(self.logp_BNT)


class ScoredPool(NamedTuple):
    """N samples of the initial policy for each of B prompts, scored by the proxy.

    proxy_BN: float64, in SDs of the initial policy.
    """

    proxy_BN: npt.NDArray[np.float64]


class PairsMethod(Protocol):
    """The functions of a method that learns from preference pairs."""

    __name__: str
    Config: Any

    def loss(self, config: Any, batch: PairBatch, /) -> Tensor:
        """Loss of each pair, shape (B,); the engine descends their mean."""
        ...


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


class SelectionMethod(Protocol):
    """The functions of a method that reweights samples of the initial policy."""

    __name__: str
    Config: Any

    def weights(self, config: Any, pool: ScoredPool, knob: float, /) -> npt.NDArray[np.float64]:
        """Probability of each sample, shape (B, N); every row sums to 1."""
        ...

    def kl_bound_nats(self, config: Any, knob: float, /) -> float:
        """Analytic upper bound of the KL from the initial policy, in nats."""
        ...

    def knob_for_kl(self, config: Any, kl_nats: float, /) -> float:
        """The knob that is expected to meet a KL budget in nats."""
        ...
