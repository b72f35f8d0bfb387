"""A reading of responses: what policy and reference say of them, token by token.

All batches that a method is handed are made of readings, so that an input which a method may ask
for is laid out, cut and grouped here, whatever the family.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from overopt.methods.contract.training import given

_OF_POLICY = ("policy_logp", "forward_kl", "output", "collision_logp", "reverse_kl")
"""Parts that change as the policy does, and carry its gradient where there is one."""


class Reading(NamedTuple):
    """Responses of up to T tokens: pairs and kept samples (B, T), groups of samples (B, N, T).

    Tensors are float32 (..., T), zero where the mask is zero, unless said otherwise. Gradients flow
    through the policy's log-probabilities, its KL and the module's outputs only. What is optional
    is None unless the method asks for it:

    policy_logp: log-probability of each token under the policy, nats.
    reference_logp: under the reference (initial) policy.
    mask: 1 on response tokens (EOS included), 0 on padding.
    forward_kl: KL(pi_ref || pi) of the next token at each position (``forward_kl``), nats.
    output: outputs of the method's module, (..., T, C).
    anchor_logp: under the anchor that a hook has set; None while it is the reference.
    sampled_logp: under the policy that drew the response (``sampled_logp``), at the temperature at
        which it did; of a demonstration, under the policy before it learned from the rollout.
    weight, label: number of each response, (...), that the method's ``build`` gave to it.
    score: the proxy's score of each response, (...), in SDs of the initial policy, if INPUTS of a
        method of the family pairs names ``proxy_scores`` or ``listed``.
    collision_logp: log sum_v pi(v)^2 of the next token at each position, nats, without gradient:
        of the chance that two draws are the same (``collision_logp``).
    reverse_kl: KL(pi || pi_ref) of the next token at each position (``reverse_kl``), nats.
    """

    policy_logp: Tensor
    reference_logp: Tensor
    mask: Tensor
    forward_kl: Tensor | None = None
    output: Tensor | None = None
    anchor_logp: Tensor | None = None
    sampled_logp: Tensor | None = None
    weight: Tensor | None = None
    label: Tensor | None = None
    score: Tensor | None = None
    collision_logp: Tensor | None = None
    reverse_kl: Tensor | None = None

    @property
    def log_ratio(self) -> Tensor:
        """log(pi / pi_ref) of each response, summed over its tokens, nats, shape (...)."""
        return ((self.policy_logp - self.reference_logp) * self.mask).sum(-1)

    @property
    def mean_logp(self) -> Tensor:
        """log pi of each response, a mean over its tokens, nats, shape (...)."""
        tokens = self.mask.sum(-1).clamp(min=1)
        return (self.policy_logp * self.mask).sum(-1) / tokens

    @property
    def anchor_log_ratio(self) -> Tensor:
        """log(pi / pi_anchor) of each response, nats, shape (...)."""
        anchor = self.reference_logp if self.anchor_logp is None else self.anchor_logp
        return ((self.policy_logp - anchor) * self.mask).sum(-1)

    @property
    def sampled_log_ratio(self) -> Tensor:
        """log(pi / pi_t) of each response, for pi_t the policy that drew it, nats, shape (...)."""
        sampled = given(self.sampled_logp, "sampled_logp")
        return ((self.policy_logp - sampled) * self.mask).sum(-1)

    def map(self, change: Callable[[Tensor], Tensor]) -> Reading:
        """The same with every part that is there changed."""
        return Reading._make(None if part is None else change(part) for part in self)

    def map_policy(self, change: Callable[[Tensor], Tensor]) -> Reading:
        """The same with every part that is there and changes as the policy does changed."""
        parts = self.policy_parts().items()
        return self._replace(**{name: change(part) for name, part in parts})

    def policy_parts(self) -> dict[str, Tensor]:
        """By name, every part that is there and changes as the policy does."""
        named = self._asdict()
        return {name: named[name] for name in _OF_POLICY if named[name] is not None}

    def take(self, index: Tensor) -> Reading:
        """Some rows, or groups, of the first dimension."""
        return self.map(lambda part: part[index])

    def group(self, rows: int) -> Reading:
        """R rows as R / ``rows`` groups, ``rows`` in each."""
        return self.map(lambda part: part.view(-1, rows, *part.shape[1:]))

    def unbind(self, dimension: int) -> list[Reading]:
        """One reading for each index of a dimension, which is gone from them."""
        count = self.mask.shape[dimension]
        return [self._select(dimension, index) for index in range(count)]

    def _select(self, dimension: int, index: int) -> Reading:
        return self.map(lambda part: part.select(dimension, index))
