"""A tokenizer of a pool's own: byte pairs, trained on the texts of its training prompts."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from overopt.worlds.tokens import SPECIALS

CHARACTERS = 4_000_000
"""Of text that merges are learned from, at most; the first ones."""


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Byte-level byte-pair encoding: any text can be written and read back, byte by byte.

    Args:
        texts: in a fixed order; the same texts give the same tokenizer.
        vocabulary: tokens, special ones and the 256 bytes included; fewer where texts have no more.

    Reference: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units",
        section 3.2, https://arxiv.org/abs/1508.07909
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(word, normalized=False) for word in SPECIALS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_first(texts), trainer)
    return tokenizer


def _first(texts: Iterable[str]) -> Iterable[str]:
    left = CHARACTERS
    for text in texts:
        if left <= 0:
            return
        yield text[:left]
        left -= len(text)
