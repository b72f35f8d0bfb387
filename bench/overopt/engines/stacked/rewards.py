"""Rewards of all cells of a stack at once, where their proxies are made of small reward models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import GPT2ForSequenceClassification, PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.stacked.model import StackedPolicy, stack
from overopt.models.packed import is_plain
from overopt.models.rewards.reward import distinct_rows
from overopt.models.sequences import Batch
from overopt.models.weights import weights_of
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ModelReward:
    """A reward whose models a stack may read together with those of other cells.

    models: K sequence classifiers with one output.
    combine: their raw scores (K, N) into rewards (N,), in SDs of the initial policy.
    alone: the same reward, computed for this cell only.
    """

    models: Sequence[PreTrainedModel]
    combine: Callable[[Floats], Floats]
    alone: Reward

    def __call__(self, prompts: Tokens, responses: Tokens) -> Floats:
        """Reward of each response to its prompt, (N,)."""
        return self.alone(prompts, responses)


class StackedRewards:
    """The reward models of all cells side by side.

    Args:
        rewards: of each cell, of the same number of models of the same shapes (``can_stack``).
        width: of the stack.
        device: of the stack.
    """

    def __init__(self, rewards: Sequence[ModelReward], width: int, device: torch.device) -> None:
        self._rewards = rewards
        filled = [rewards[min(place, len(rewards) - 1)] for place in range(width)]
        self._readers = [StackedPolicy(model) for model in rewards[0].models]
        self._weights = []
        for member in range(len(self._readers)):
            stacked = stack([weights_of(one.models[member]) for one in filled])
            self._weights.append({name: value.to(device) for name, value in stacked.items()})

    @torch.no_grad()
    def score(
        self,
        ids_CRL: Tensor,
        batches: Mapping[int, Batch],
        texts: Mapping[int, tuple[Tokens, Tokens]],
    ) -> dict[int, Floats]:
        """Raw scores (K, R) of cells at these places; equal texts have equal ones, to the last bit.

        What a cell makes of its own is its own affair (``combine``), and so is how that fails.

        Args:
            ids_CRL: all cells' rows, padded to the rectangle.
            batches: joined rows of each cell.
            texts: its prompts and responses, row by row.
        """
        last_CR = torch.zeros(ids_CRL.shape[:2], dtype=torch.int64)
        for place, batch in batches.items():
            last_CR[place, : len(batch.attention_BL)] = batch.attention_BL.sum(1) - 1
        last_CR1 = last_CR.to(ids_CRL.device).unsqueeze(2)
        raw_KCR = []
        for reader, weights in zip(self._readers, self._weights, strict=True):
            states_CRLD = reader.last_states(weights, ids_CRL)
            index_CR1D = last_CR1.unsqueeze(3).expand(-1, -1, -1, states_CRLD.shape[-1])
            last_CRD = states_CRLD.gather(2, index_CR1D).squeeze(2)
            raw_KCR.append(torch.bmm(last_CRD, weights["score.weight"].transpose(1, 2)).squeeze(2))
        raw = torch.stack(raw_KCR).double().cpu().numpy()
        found = {}
        for place, (prompts, responses) in texts.items():
            first_U, inverse_R = distinct_rows(prompts, responses)
            found[place] = raw[:, place, first_U][:, inverse_R]
        return found

    def combine(self, place: int, raw_KR: Floats) -> Floats:
        """Rewards (R,) of one cell out of its raw scores.

        Raises:
            FloatingPointError: a reward is not finite.
        """
        return self._rewards[place].combine(raw_KR)


def stackable(
    rewards: Sequence[Reward | None], width: int, device: torch.device
) -> StackedRewards | None:
    """The rewards of all cells side by side; None where some are not made of such models."""
    models = [one for one in rewards if isinstance(one, ModelReward)]
    if len(models) < len(rewards):
        return None
    shapes = {tuple(_shape(model) for model in one.models) for one in models}
    if len(shapes) > 1 or None in next(iter(shapes)):
        return None
    return StackedRewards(models, width, device)


def _shape(model: PreTrainedModel) -> tuple[tuple[str, torch.Size], ...] | None:
    """The shapes of a small classifier's weights; None of any other model."""
    if not isinstance(model, GPT2ForSequenceClassification) or not is_plain(model):
        return None
    if model.config.num_labels != 1:
        return None
    return tuple((name, value.shape) for name, value in model.named_parameters())
