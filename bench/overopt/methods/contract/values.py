"""Values of prefixes, learned from samples of the initial policy, for decoding rules that add them.

The engine draws responses of the initial policy to training prompts, has them rewarded by the
proxy, and trains a model whose output for token v at a prefix is V(prefix + v). A method says what
V is to become (``value_targets``) and how far it is from that (``value_loss``).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from torch import Tensor


class Valued(NamedTuple):
    """R responses of the initial policy as they are valued now, without gradient.

    value_RT: V of the prompt and the response up to each token, that token included, in SDs of the
        reward. mask_RT: 1 on response tokens. reward_R: proxy score of the whole response, in SDs
        of the initial policy.
    """

    value_RT: Tensor
    mask_RT: Tensor
    reward_R: Tensor


class ValueMethod(Protocol):
    """What a method supplies that learns values."""

    def value_targets(self, config: Any, valued: Valued, /) -> Tensor:
        """What V of each token is to become, (R, T), in SDs of the reward; without gradient."""
        ...

    def value_loss(self, config: Any, value_RT: Tensor, target_RT: Tensor, /) -> Tensor:
        """Loss of each token, (R, T); the engine takes the mean over response tokens."""
        ...
