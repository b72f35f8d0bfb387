"""What every method that learns from its own samples sees of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given


class Rollout(NamedTuple):
    """B prompts with N fresh samples each; nothing here carries a gradient.

    reward_BN: proxy score of the whole response, in SDs of the initial policy.
    sampled: the responses, (B, N, T), as they were when they were drawn: ``policy_logp`` is the
        log-probability of each token when it was sampled, ``log_ratio`` the k1 estimate of KL.
    memory: what the method remembers, if it does (see ``contract.training.Memory``).
    opponents: as many samples of the same prompts from another policy, if INPUTS names one:
        ``sampled.policy_logp`` is what that policy said of each token.
    preference: P(sample i beats opponent j), (B, N, N), of a proxy that compares responses; None
        where the proxy scores each on its own.
    member_reward: score of each of the proxy's K members, (B, N, K), in SDs of the initial policy,
        if INPUTS names ``member_rewards``.
    """

    reward_BN: Tensor
    sampled: Reading
    memory: Any = None
    opponents: Rollout | None = None
    preference: Tensor | None = None
    member_reward: Tensor | None = None

    @property
    def preference_BNN(self) -> Tensor:
        """P(sample i beats opponent j), (B, N, N); from scores by Bradley-Terry, s(r_i - r_j)."""
        if self.preference is not None:
            return self.preference
        opponents = given(self.opponents, "an opponent")
        return torch.sigmoid(self.reward_BN[:, :, None] - opponents.reward_BN[:, None, :])

    def take(self, index_B: Tensor) -> Rollout:
        """The groups of these prompts."""
        opponents = self.opponents
        return self._replace(
            reward_BN=self.reward_BN[index_B],
            sampled=self.sampled.take(index_B),
            opponents=None if opponents is None else opponents.take(index_B),
            preference=_taken(self.preference, index_B),
            member_reward=_taken(self.member_reward, index_B),
        )


def _taken(value: Tensor | None, index_B: Tensor) -> Tensor | None:
    return None if value is None else value[index_B]
