"""A trunk with a head that compares two responses to one prompt."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from overopt.models.rewards.headed import HeadedReward, TrunkStates
from overopt.models.rewards.reward import distinct_rows
from overopt.models.sequences import bucket_rows, join
from overopt.models.weights import evaluating
from overopt.worlds.tokens import Tokens

BATCH_TOKENS = 2048
_COMPARISONS = 1 << 14


class Compared(NamedTuple):
    """What the head reads: states of two responses to each of B prompts."""

    first: TrunkStates
    second: TrunkStates


class PairwiseReward(HeadedReward):
    """Each response goes through the trunk by itself; the head sees the states of both."""

    def outputs(self, states: TrunkStates) -> Tensor:
        """Logits (2 P, 1) that a row of either half is preferred to its row of the other half.

        Training batches hold the preferred responses of P comparisons, then the others.
        """
        half = len(states.last_BD) // 2
        turned = TrunkStates(*(part.roll(half, dims=0) for part in states))
        return self.compare(states, turned)

    def compare(self, first: TrunkStates, second: TrunkStates) -> Tensor:
        """Logit (B, 1) that the first of two responses is preferred, in this order only.

        Raises:
            ValueError: it has another shape.
        """
        logit_B1: Tensor = self.head(Compared(first, second))
        if logit_B1.shape != (len(first.last_BD), 1):
            raise ValueError(
                f"the head returns shape {tuple(logit_B1.shape)} for {len(first.last_BD)} "
                "comparisons; it must be one logit for each"
            )
        return logit_B1.float()


def read_trunk(model: HeadedReward, prompts: Tokens, responses: Tokens) -> TrunkStates:
    """States (N, D) of responses, float32 on the CPU; equal rows are read once."""
    first_U, inverse_N = distinct_rows(prompts, responses)
    length_U = (prompts.length_N + responses.length_N)[first_U]
    width = int(model.trunk.config.hidden_size)
    read = TrunkStates(torch.empty(len(first_U), width), torch.empty(len(first_U), width))
    with evaluating(model):
        for index_B in bucket_rows(length_U, BATCH_TOKENS):
            row_B = first_U[index_B]
            batch = join(prompts.take(row_B), responses.take(row_B), model.device)
            for whole, part in zip(read, model.states(batch), strict=True):
                whole[torch.from_numpy(index_B)] = part.float().cpu()
    inverse = torch.from_numpy(inverse_N)
    return TrunkStates(read.last_BD[inverse], read.prompt_BD[inverse])


def preferences(
    model: PairwiseReward, first: TrunkStates, second: TrunkStates
) -> npt.NDArray[np.float64]:
    """P(first > second), (N,), both orders averaged: those of (a, b) and (b, a) sum to 1.

    (sigmoid f(a, b) + 1 - sigmoid f(b, a)) / 2

    Raises:
        FloatingPointError: one is not finite.
    """
    chance_N = np.empty(len(first.last_BD))
    with evaluating(model):
        for start in range(0, len(chance_N), _COMPARISONS):
            a, b = (
                TrunkStates(*(part[start : start + _COMPARISONS].to(model.device) for part in one))
                for one in (first, second)
            )
            forth, back = (
                torch.sigmoid(model.compare(*order).double()) for order in ((a, b), (b, a))
            )
            both = (forth + 1 - back) / 2
            chance_N[start : start + _COMPARISONS] = both.squeeze(-1).cpu().numpy()
    if not np.isfinite(chance_N).all():
        raise FloatingPointError("a comparison of two responses is not finite")
    return chance_N
