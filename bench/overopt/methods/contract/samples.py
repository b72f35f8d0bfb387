"""What every method that learns from its own samples sees of them."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from overopt.methods.contract.reading import Reading


class Rollout(NamedTuple):
    """B prompts with N fresh samples each; nothing here carries a gradient.

    reward_BN: proxy score of the whole response, in SDs of the initial policy.
    sampled: the responses, (B, N, T), as they were when they were drawn: ``policy_logp`` is the
        log-probability of each token when it was sampled, ``log_ratio`` the k1 estimate of KL.
    memory: what the method remembers, if it ``observe``s; None otherwise.
    """

    reward_BN: Tensor
    sampled: Reading
    memory: Any = None

    def take(self, index_B: Tensor) -> Rollout:
        """The groups of these prompts."""
        return self._replace(reward_BN=self.reward_BN[index_B], sampled=self.sampled.take(index_B))
