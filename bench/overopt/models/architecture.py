"""The only place that knows model families: an architecture's transformers configuration."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig

from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import BOS, EOS, PAD, SEP


def build_config(
    architecture: ArchitectureSpec, vocabulary_size: int, context_tokens: int, **extra: Any
) -> Any:
    """The transformers configuration of a small decoder without dropout.

    GPT-2 with the tanh approximation of GELU as one fused kernel (``gelu_pytorch_tanh``, the same
    function as GPT-2's ``gelu_new``) and scaled-dot-product attention. Dropout is 0 everywhere, so
    that a policy in training and in evaluation is the same distribution.

    Args:
        architecture: family, layers, width, heads.
        vocabulary_size: V, special tokens included.
        context_tokens: longest prompt and response together.
        extra: further entries of the configuration.

    Returns:
        A ``PreTrainedConfig``.
    """
    return AutoConfig.for_model(
        architecture.family,
        vocab_size=vocabulary_size,
        n_positions=context_tokens,
        n_embd=architecture.width,
        n_layer=architecture.layers,
        n_head=architecture.heads,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        summary_first_dropout=0.0,
        # GPT-2's 0.02 suits widths of 768 and more; at these it slows learning to copy from the
        # prompt several times. 0.64 / sqrt(width) is 0.08 at width 64 and 0.023 at width 768.
        initializer_range=0.64 / architecture.width**0.5,
        attn_implementation="sdpa",
        pad_token_id=PAD,
        bos_token_id=BOS,
        sep_token_id=SEP,
        eos_token_id=EOS,
        **extra,
    )
