"""What every method that learns from its own samples sees of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given
from overopt.methods.contract.trees import Tree


class Rollout(NamedTuple):
    """B prompts with N fresh samples each; nothing here carries a gradient.

    reward_BN: proxy score of the whole response, in SDs of the initial policy.
    sampled: the responses, (B, N, T), as they were when they were drawn: ``policy_logp`` is the
        log-probability of each token when it was sampled, ``log_ratio`` the k1 estimate of KL, of
        the tempered policy where ``temperature`` is not 1.
    memory: what the method remembers, if it does (see ``contract.training.Memory``).
    opponents: samples of the same prompts, M each, from another policy, if INPUTS names one:
        ``sampled.policy_logp`` is what that policy said of each token. M is 1 of greedy ones, as
        many as a tree has nodes of searched ones, else N, or more if ``Training.opponents`` asks
        for them; revision n is that of sample n.
    preference: P(sample i beats opponent j), (B, N, M), of a proxy that compares responses; None
        where the proxy scores each on its own.
    member_reward: score of each of the proxy's K members, (B, N, K), in SDs of the initial policy,
        if INPUTS names ``member_rewards``.
    step_reward: score of each step at its last token, (B, N, T), zero elsewhere, if INPUTS names
        ``step_rewards``: log-odds that the step is right, a mean over the proxy's members.
    step_end: bool, (B, N, T), the last token of each step, beside ``step_reward``.
    tree: what is known of searched opponents, if INPUTS names them; their rewards are those of the
        text as it stands, and their log-probabilities the policy's before it learns from them.
    demonstrations: one reference text of each prompt, as ``opponents`` with M = 1, if INPUTS names
        them; ``sampled.policy_logp`` is what the policy said before it learned from this rollout.
    """

    reward_BN: Tensor
    sampled: Reading
    memory: Any = None
    opponents: Rollout | None = None
    preference: Tensor | None = None
    member_reward: Tensor | None = None
    step_reward: Tensor | None = None
    step_end: Tensor | None = None
    demonstrations: Rollout | None = None
    tree: Tree | None = None

    @property
    def step_reward_BNT(self) -> Tensor:
        """Score of each step at its last token, zero elsewhere."""
        return given(self.step_reward, "step_rewards")

    @property
    def row_BN(self) -> Tensor:
        """The number of each sample's row, for ``build``."""
        return _rows(self, 0)

    @property
    def opponent_row_BM(self) -> Tensor:
        """The number of each opponent's row, for ``build``: they follow the samples."""
        return _rows(given(self.opponents, "an opponent"), self.reward_BN.numel())

    @property
    def demonstration_row_B(self) -> Tensor:
        """The number of each demonstration's row, for ``build``: they are the last."""
        first = self.reward_BN.numel()
        first += 0 if self.opponents is None else self.opponents.reward_BN.numel()
        return _rows(given(self.demonstrations, "a demonstration"), first).squeeze(1)

    @property
    def preference_BNN(self) -> Tensor:
        """P(sample i beats opponent j), (B, N, M); from scores by Bradley-Terry, s(r_i - r_j)."""
        if self.preference is not None:
            return self.preference
        opponents = given(self.opponents, "an opponent")
        return torch.sigmoid(self.reward_BN[:, :, None] - opponents.reward_BN[:, None, :])

    def take(self, index_B: Tensor) -> Rollout:
        """The groups of these prompts."""
        opponents, demonstrations = self.opponents, self.demonstrations
        return self._replace(
            reward_BN=self.reward_BN[index_B],
            sampled=self.sampled.take(index_B),
            opponents=None if opponents is None else opponents.take(index_B),
            preference=_taken(self.preference, index_B),
            member_reward=_taken(self.member_reward, index_B),
            step_reward=_taken(self.step_reward, index_B),
            step_end=_taken(self.step_end, index_B),
            demonstrations=None if demonstrations is None else demonstrations.take(index_B),
            tree=None if self.tree is None else Tree(*(part[index_B] for part in self.tree)),
        )


def _taken(value: Tensor | None, index_B: Tensor) -> Tensor | None:
    return None if value is None else value[index_B]


def _rows(rollout: Rollout, first: int) -> Tensor:
    """Rows of as many responses as a rollout has, prompt by prompt, from a number on."""
    reward_BN = rollout.reward_BN
    row_R = torch.arange(first, first + reward_BN.numel(), device=reward_BN.device)
    return row_R.view(reward_BN.shape)
