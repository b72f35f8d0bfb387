"""Values of prefixes, learned from samples of the initial policy, for decoding rules that add them.

The engine draws responses of the initial policy to training prompts, has them rewarded by the
proxy, and trains a model whose output for token v at a prefix is V(prefix + v). A method says what
V is to become (``value_targets``) and how far it is from that (``value_loss``).

Or it learns two heads on one trunk: Q of a prefix and the token that follows, and V of a prefix,
out of one loss of both (``critic_loss``). A copy of the model follows it slowly (``follow``), for
targets that hold still. What is added when decoding is Q; V is for learning it.
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


class Critic(NamedTuple):
    """R responses of the initial policy as two heads see them now.

    q_RT: Q of each response token at its prefix, in SDs of the reward. log_sum_q_RT: the log of the
        sum of exp Q over every token that could have stood there. value_RT: V of the prefix before
        the token. All three with gradient.
    slow_q_RT: Q by the copy that follows slowly. next_value_RT: V of the prefix that ends with the
        token, 0 where the response ends. Both without gradient.
    mask_RT: 1 on response tokens. reward_R: proxy score of the whole response, in SDs of the
        initial policy.
    """

    q_RT: Tensor
    log_sum_q_RT: Tensor
    value_RT: Tensor
    slow_q_RT: Tensor
    next_value_RT: Tensor
    mask_RT: Tensor
    reward_R: Tensor


class CriticMethod(Protocol):
    """What a method supplies that learns Q and V."""

    def critic_loss(self, config: Any, critic: Critic, /) -> Tensor:
        """Loss of each token, (R, T); the engine takes the mean over response tokens."""
        ...

    def follow(self, config: Any, /) -> float:
        """The part of the way to the model's weights that the copy's go after each step."""
        ...
