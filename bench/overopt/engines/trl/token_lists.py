"""Tokens as TRL hands them about: lists of ids, one per row, without padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from overopt.worlds.tokens import PAD, Tokens


def to_lists(tokens: Tokens) -> list[list[int]]:
    """Every row's token ids, without padding."""
    return [ids[:n].tolist() for ids, n in zip(tokens.ids_NT, tokens.length_N, strict=True)]


def from_lists(rows: Sequence[Sequence[int]]) -> Tokens:
    """Tokens of rows of ids; the inverse of ``to_lists``."""
    width = max((len(ids) for ids in rows), default=0)
    padded = [[*ids, *([PAD] * (width - len(ids)))] for ids in rows]
    ids_NT = torch.tensor(padded, dtype=torch.int32).reshape(len(rows), width).numpy()
    length_N = torch.tensor([len(ids) for ids in rows], dtype=torch.int32).numpy()
    return Tokens(ids_NT, length_N)
