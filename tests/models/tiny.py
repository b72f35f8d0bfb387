"""Models small enough that every response has a probability that can be written down."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from transformers import PreTrainedModel

from overopt.models.starts.scratch import build_policy, build_reward
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import BOS, EOS, SEP, SPECIALS, Tokens

VOCABULARY = (*SPECIALS, "red", "blue")
CONTEXT_TOKENS = 12
RESPONSE_TOKENS = 3
_ARCHITECTURE = ArchitectureSpec(layers=1, width=16, heads=2)


def policy(seed: int, contrast: float = 6.0) -> PreTrainedModel:
    """A random policy: near uniform at contrast 1, nearly deterministic at 40."""
    model = build_policy(_ARCHITECTURE, len(VOCABULARY), CONTEXT_TOKENS, seed)
    return _scaled(model, contrast)


def reward_model(seed: int, contrast: float = 6.0) -> PreTrainedModel:
    """A random reward model: all rewards near 0 at contrast 1, clearly different at 6."""
    model = build_reward(_ARCHITECTURE, len(VOCABULARY), CONTEXT_TOKENS, seed)
    return _scaled(model, contrast)


def _scaled(model: PreTrainedModel, contrast: float) -> PreTrainedModel:
    """The model in evaluation mode, its matrices drawn as if with an SD of 0.02 x contrast."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() >= 2:
                parameter.mul_(0.02 * contrast / model.config.initializer_range)
    return model.eval()


def tokens(*rows: list[int]) -> Tokens:
    """Tokens from lists of ids."""
    return Tokens.from_flat(np.array(list(itertools.chain(*rows))), np.array([*map(len, rows)]))


def prompts() -> Tokens:
    """Four prompts of three lengths, not in the order of their lengths."""
    return tokens([BOS, 4, 5, SEP], [BOS, 5, SEP], [BOS, 4, 4, 5, 5, SEP], [BOS, 5, 5, SEP])


def all_responses() -> Tokens:
    """Every response of at most three tokens: 1 + 4 + 16 that end, and 64 that are cut short."""
    symbols = [BOS, SEP, 4, 5]
    ended = [
        [*words, EOS]
        for length in range(RESPONSE_TOKENS)
        for words in itertools.product(symbols, repeat=length)
    ]
    cut = [list(words) for words in itertools.product(symbols, repeat=RESPONSE_TOKENS)]
    return tokens(*ended, *cut)


def count(responses: Tokens, listed: Tokens) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How often each of the listed responses occurs; every response must be listed."""
    position = {tuple(row[:n]): r for r, (row, n) in enumerate(zip(*listed, strict=True))}
    found = [position[tuple(row[:n])] for row, n in zip(*responses, strict=True)]
    return np.bincount(found, minlength=listed.rows())
