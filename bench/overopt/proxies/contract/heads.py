"""A head of a system's own, and what a loss is handed of a model that has one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from overopt.proxies.contract import ProxySystem


class HeadShape(NamedTuple):
    """What a head is made for: hidden states of ``width`` numbers.

    labels: of the label columns that the system asks for, how many kinds or numbers each has.
    """

    width: int
    labels: Mapping[str, int] = MappingProxyType({})


class HeadStates(NamedTuple):
    """Hidden states of the trunk's last layer, after its final norm, that a head reads.

    last_BD: at the response's last token, which has seen prompt and response.
    prompt_BD: at the prompt's last token, which has seen the prompt only.
    """

    last_BD: Tensor
    prompt_BD: Tensor


class MakesHead(ProxySystem, Protocol):
    """A module that reads rewards off hidden states in its own way."""

    def make_head(self, config: Any, shape: HeadShape, /) -> nn.Module:
        """A module from ``HeadStates`` to outputs (B, C): column 0 is the reward.

        What the other columns say is between the head and the system's loss. The head is trained
        with the trunk, saved with it, and in evaluation mode where it scores.
        """
        ...


class TrainedStates(NamedTuple):
    """What a trained trunk makes of the P comparisons that it learned from, without gradient.

    chosen, rejected: states of both sides, float32, where the head lies.
    chosen_length_P, rejected_length_P: tokens of both responses, their end included.
    labels: the columns that LABELS names.
    """

    chosen: HeadStates
    rejected: HeadStates
    chosen_length_P: Tensor
    rejected_length_P: Tensor
    labels: Mapping[str, Tensor] = MappingProxyType({})


class Settles(ProxySystem, Protocol):
    """A module whose head holds more than it was trained to."""

    def settle(self, config: Any, head: Any, trained: TrainedStates, /) -> None:
        """Set buffers or parameters of the head, in evaluation mode; they are saved with it.

        What it draws from torch's global generator is the member's own. Scores come after it.
        """
        ...


class Reading(NamedTuple):
    """What the model in training says of P responses, beside their reward.

    output_PC: outputs of the own head; None without one.
    logp_PT, reference_logp_PT: log-probabilities of the response's tokens, nats, 0 on padding, by
        the kept language head (differentiable) and by the initial policy; None unless INPUTS
        names ``logps`` and ``reference_logps``.
    state_PTD: states of the last layer at the response's tokens, each of which has seen what comes
        before, differentiable, 0 on padding; None unless INPUTS names ``states``.
    length_P: tokens of each response, its end included, float32.
    """

    output_PC: Tensor | None = None
    logp_PT: Tensor | None = None
    reference_logp_PT: Tensor | None = None
    state_PTD: Tensor | None = None
    length_P: Tensor | None = None


class ReadBatch(NamedTuple):
    """P comparisons as the model in training reads them; a ``RewardBatch`` with more in it.

    chosen_P, rejected_P: raw rewards, differentiable, in the model's own units.
    chosen, rejected: the rest of what it says of either side.
    labels: the columns that LABELS names, see ``overopt.proxies.contract.labels``.
    member: which of the system's members is in training, counted from 0.
    previous_P: chosen less rejected reward by the model that the round before has made, without
        gradient; None in the first round, and of a system without ROUNDS.
    """

    chosen_P: Tensor
    rejected_P: Tensor
    chosen: Reading
    rejected: Reading
    labels: Mapping[str, Tensor] = MappingProxyType({})
    member: int = 0
    previous_P: Tensor | None = None


def given(value: Tensor | None, name: str) -> Tensor:
    """An optional part of a reading that the system has asked for.

    Raises:
        ValueError: it was not computed, because the system does not ask for it.
    """
    if value is None:
        raise ValueError(f"{name} was not computed: the system has to ask for it")
    return value
