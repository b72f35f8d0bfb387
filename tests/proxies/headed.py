"""Batches of systems with a head of their own, made of hidden states."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overopt.proxies.contract.heads import HeadStates, ReadBatch, Reading


def states(pairs: int, width: int, seed: int = 0) -> tuple[HeadStates, HeadStates]:
    """States of both sides; the prompt's is the same."""
    generator = torch.Generator().manual_seed(seed)
    prompt_PD, *sides = (torch.randn(pairs, width, generator=generator) for _ in range(3))
    chosen, rejected = (HeadStates(side.requires_grad_(), prompt_PD) for side in sides)
    return chosen, rejected


def read(
    head: nn.Module, both: tuple[HeadStates, HeadStates], labels: Mapping[str, Tensor]
) -> ReadBatch:
    """What the head says of both sides."""
    chosen_PC, rejected_PC = (head(side) for side in both)
    return outputs(chosen_PC, rejected_PC, labels)


def outputs(chosen_PC: Tensor, rejected_PC: Tensor, labels: Mapping[str, Tensor]) -> ReadBatch:
    """A batch of these outputs."""
    return ReadBatch(
        chosen_PC[:, 0], rejected_PC[:, 0], Reading(chosen_PC), Reading(rejected_PC), labels
    )
