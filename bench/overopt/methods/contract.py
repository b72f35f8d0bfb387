"""What a method supplies: pure functions of log-probabilities and rewards, by family.

A method is a module named after it. Its constants and its ``Config`` are literals, read by the
catalog without importing the file; its functions are pure and see neither models nor gold.

Every family:
    FAMILY: one of ``spec.Family``.
    KNOB: ``spec.knob(...)``, the field of ``Config`` (or, for selection and merge, the free
        parameter of ``weights`` or ``merge``) that moves the method along KL.
    USES_GOLD: ``"none"`` unless the method is allowed to see gold (``spec.GoldUse``).
    Config: a frozen dataclass of ``spec.param`` fields.

pairs:      loss(config, batch: PairBatch) -> loss_B
rollout:    advantages(config, rollout: Rollout) -> advantage (B, N) or (B, N, T)
            loss(config, step: RolloutStep) -> loss_BN
round:      build(config, rollout: Rollout) -> KeptRows or RowPairs      the data of a round
            loss(config, batch: SampleBatch or PairBatch) -> loss_B
selection:  weights(config, pool: ScoredPool, knob) -> weights_BN
            samples_used(config, pool_samples, knob) -> int
            and, where the KL is known in closed form, both of
            kl_bound_nats(config, knob) -> float     analytic KL, an upper bound
            knob_for_kl(config, kl_nats) -> float    its inverse
merge:      MEMBER_FAMILY: family of the runs whose weights are merged; its functions too
            Config.members: how many they are
            merge(config, initial, trained, knob) -> Weights

Any family that trains may add, and the engine then supplies what they need:
    INPUTS: names out of ``spec.MethodInput`` of what costs extra to compute.
    training(config) -> Training                        inner epochs, minibatches, module's rate
    make_module(config, shape: StateShape) -> Module    trained beside the policy
    begin(config, initial: Weights) -> memory           both hooks, or neither
    after_step(config, memory, weights: Weights, step) -> AfterStep
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

Weights = Mapping[str, Tensor]
"""Parameters of a policy by name, without gradient."""


def given(value: Tensor | None, name: str) -> Tensor:
    """An optional tensor that the method has asked for.

    Raises:
        ValueError: if the engine did not supply it, because the method does not ask for it.
    """
    if value is None:
        raise ValueError(f"{name} was not computed: the method has to name it in INPUTS")
    return value


class Training(NamedTuple):
    """How the engine takes its steps.

    epochs: passes over the samples of one rollout or round.
    minibatches: gradient steps in each of them; prompts are dealt out to them at random.
    module_rate: learning rate of the method's own module, relative to the policy's.
    """

    epochs: int = 1
    minibatches: int = 1
    module_rate: float = 1.0


class StateShape(NamedTuple):
    """Hidden states of a model: embeddings and one per block, ``layers`` in all, each ``width``."""

    layers: int
    width: int


class HiddenStates(NamedTuple):
    """Hidden states of R responses, (R, T, L, D) each, last layer after the final norm.

    before_RTLD: at the position that predicts the token, which has seen what precedes it.
    after_RTLD: at the token's own position, which has seen the token too.
    """

    before_RTLD: Tensor
    after_RTLD: Tensor


class AfterStep(NamedTuple):
    """What a hook decides after a gradient step.

    memory: handed to the next call.
    weights: replace the policy's; the optimizer's moments and the own module stay. None: keep.
    anchor: replace the anchor's, the policy behind ``Rollout.anchor_logp_BNT``. None: keep.
    """

    memory: Any
    weights: Weights | None = None
    anchor: Weights | None = None


class PairBatch(NamedTuple):
    """B preference pairs: log-probabilities of each response token under policy and reference.

    Every tensor is float32 (B, T), zero where the mask is zero; gradients flow through the
    policy's log-probabilities, its KL and the module's outputs only. Optional:

    *_forward_kl_BT: KL(pi_ref || pi) of the next token along the response (``forward_kl``), nats.
    *_output_BTC: outputs of the method's module.
    """

    policy_chosen_logp_BT: Tensor
    policy_rejected_logp_BT: Tensor
    reference_chosen_logp_BT: Tensor
    reference_rejected_logp_BT: Tensor
    chosen_mask_BT: Tensor
    rejected_mask_BT: Tensor
    chosen_forward_kl_BT: Tensor | None = None
    rejected_forward_kl_BT: Tensor | None = None
    chosen_output_BTC: Tensor | None = None
    rejected_output_BTC: Tensor | None = None

    @property
    def chosen_log_ratio_B(self) -> Tensor:
        """r_w = log pi(y_w|x) - log pi_ref(y_w|x), summed over tokens, nats."""
        return (self.policy_chosen_logp_BT - self.reference_chosen_logp_BT).sum(-1)

    @property
    def rejected_log_ratio_B(self) -> Tensor:
        """r_l = log pi(y_l|x) - log pi_ref(y_l|x), summed over tokens, nats."""
        return (self.policy_rejected_logp_BT - self.reference_rejected_logp_BT).sum(-1)


class SampleBatch(NamedTuple):
    """B responses to learn from by likelihood; tensors and options as in ``PairBatch``."""

    policy_logp_BT: Tensor
    reference_logp_BT: Tensor
    mask_BT: Tensor
    forward_kl_BT: Tensor | None = None
    output_BTC: Tensor | None = None


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


class KeptRows(NamedTuple):
    """Samples to learn from by likelihood: rows b * N + n of a rollout, shape (K,)."""

    row_K: Tensor


class RowPairs(NamedTuple):
    """Preference pairs among the samples: rows b * N + n of a rollout, shape (P,) each."""

    chosen_P: Tensor
    rejected_P: Tensor


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


class RoundMethod(Protocol):
    """The functions of a method that turns fresh samples into data, round after round."""

    __name__: str
    Config: Any

    def build(self, config: Any, rollout: Rollout, /) -> KeptRows | RowPairs:
        """The data of a round, out of its samples; no rows at all is allowed."""
        ...

    def loss(self, config: Any, batch: Any, /) -> Tensor:
        """Loss of each kept sample (``SampleBatch``) or pair (``PairBatch``), shape (B,)."""
        ...


class SelectionMethod(Protocol):
    """The functions of a method that reweights samples of the initial policy."""

    __name__: str
    Config: Any

    def weights(self, config: Any, pool: ScoredPool, knob: float, /) -> npt.NDArray[np.float64]:
        """Probability of each sample, shape (B, N); every row sums to 1."""
        ...

    def samples_used(self, config: Any, pool_samples: int, knob: float, /) -> int:
        """Samples that one response costs at this knob, out of pools of ``pool_samples``."""
        ...


class AnalyticSelection(SelectionMethod, Protocol):
    """A selection method whose KL is known without looking at a pool."""

    def kl_bound_nats(self, config: Any, knob: float, /) -> float:
        """Analytic upper bound of the KL from the initial policy, in nats."""
        ...

    def knob_for_kl(self, config: Any, kl_nats: float, /) -> float:
        """The knob that is expected to meet a KL budget in nats."""
        ...


class MergeMethod(Protocol):
    """The functions of a method that merges trained policies; its members' functions beside."""

    __name__: str
    Config: Any

    def merge(
        self, config: Any, initial: Weights, trained: Sequence[Weights], knob: float
    ) -> Weights:
        """The merged policy at this knob; knob 0 would be the initial policy."""
        ...


class OwnModule(Protocol):
    """The optional function of a method with parameters of its own."""

    def make_module(self, config: Any, shape: StateShape, /) -> nn.Module:
        """A module from ``HiddenStates`` (R rows) to outputs (R, T, C).

        It reads the states that INPUTS names: the policy's or the reference's.
        """
        ...


class Hooks(Protocol):
    """The optional functions of a method that acts on weights between gradient steps."""

    def begin(self, config: Any, initial: Weights, /) -> Any:
        """The memory before the first step, from the initial policy's weights."""
        ...

    def after_step(self, config: Any, memory: Any, weights: Weights, step: int, /) -> AfterStep:
        """What to remember and to replace after gradient step ``step`` (1 is the first)."""
        ...
