"""Q and V of prefixes on one trunk, with a copy of the model that follows it slowly."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.engines.method.values import OpenedValues
from overopt.methods.contract.values import Critic
from overopt.models.logprobs import suppressed_ids
from overopt.models.sequences import Batch, take_rows
from overopt.models.values import critic_values, response_values, start_state_head
from overopt.models.weights import evaluating


class TwoHeads:
    """How a method learns that has one loss of two heads.

    beside: the head of V, which is not kept.

    Args:
        method: with ``critic_loss``.
        model: outputs Q; trained in place.
    """

    def __init__(self, method: OpenedValues, model: PreTrainedModel) -> None:
        self._method, self._model = method, model
        self._suppressed = suppressed_ids(model)
        self._part = method.follow()
        self._slow = copy.deepcopy(model).eval()
        self.beside = start_state_head(model)

    def see(self, batch: Batch, reward_R: Tensor) -> Tensor:
        """Take up a batch; Q of its tokens, (R, T), without gradient."""
        self._batch, self._reward_R = batch, reward_R
        with evaluating(self._model):
            return response_values(self._model, batch)

    def loss(self, row_K: Tensor) -> Tensor:
        """The method's loss of each token of some rows, (K, T)."""
        part = take_rows(self._batch, row_K)
        now = critic_values(self._model, self.beside, part, self._suppressed)
        with torch.no_grad():
            slow_q_KT = response_values(self._slow, part)
        # V is 0 beyond a response's last token, as it is on padding
        next_KT = torch.nn.functional.pad(now.value_BT.detach()[:, 1:], (0, 1))
        return self._method.critic_loss(
            Critic(
                q_RT=now.q_BT,
                log_sum_q_RT=now.log_sum_q_BT,
                value_RT=now.value_BT,
                slow_q_RT=slow_q_KT,
                next_value_RT=next_KT,
                mask_RT=part.mask_BT.float(),
                reward_R=self._reward_R[row_K],
            )
        )

    def after_step(self) -> None:
        """Let the slow copy go a part of the way to the model."""
        with torch.no_grad():
            for slow, now in zip(self._slow.parameters(), self._model.parameters(), strict=True):
                slow.lerp_(now, self._part)
