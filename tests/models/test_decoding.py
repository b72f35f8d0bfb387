"""Decoding step by step against one forward pass over the whole sequence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from overopt.models import decoding
from overopt.models.decoding import read_prompts
from overopt.models.starts.scratch import build_policy
from overopt.spec.training import ArchitectureSpec

VOCABULARY, CONTEXT = 11, 12
PROMPT_DL = torch.tensor([[1, 5, 7], [1, 9, 2]])
PROMPT_R = torch.tensor([0, 1, 1, 0])
TOKENS_RT = torch.tensor([[4, 6, 8, 10], [5, 5, 5, 3], [10, 9, 8, 7], [3, 4, 5, 6]])


def gpt2() -> PreTrainedModel:
    return build_policy(ArchitectureSpec(layers=3, width=16, heads=4), VOCABULARY, CONTEXT, seed=2)


def llama() -> PreTrainedModel:
    config = AutoConfig.for_model(
        "llama",
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model


def altered(**changes: Any) -> PreTrainedModel:
    """GPT-2 with other settings than usual."""
    config = gpt2().config
    for name, value in changes.items():
        setattr(config, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model


def whole(model: PreTrainedModel, row_R: torch.Tensor, tokens: int) -> torch.Tensor:
    """Logits after the prompt and so many tokens of these rows, in one forward pass."""
    ids_RL = torch.cat([PROMPT_DL[PROMPT_R[row_R]], TOKENS_RT[row_R, :tokens]], 1)
    logits: torch.Tensor = model(input_ids=ids_RL).logits[:, -1]
    return logits


@pytest.mark.parametrize("build", [gpt2, llama], ids=["its own step", "through forward"])
@torch.no_grad()
def test_steps_give_what_one_pass_gives(build: Any) -> None:
    model = build().eval()
    decoder, logits_AV = read_prompts(model, PROMPT_DL, PROMPT_R, new_tokens=4)
    every, kept = torch.arange(4), torch.tensor([3, 1])
    torch.testing.assert_close(logits_AV, whole(model, every, 0))
    for step in (1, 2):
        logits_AV = decoder.step(TOKENS_RT[:, step - 1])
        torch.testing.assert_close(logits_AV, whole(model, every, step), rtol=1e-5, atol=1e-5)
    decoder.keep(kept)
    for step in (3, 4):
        logits_AV = decoder.step(TOKENS_RT[kept, step - 1])
        torch.testing.assert_close(logits_AV, whole(model, kept, step), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "own"),
    [
        ({}, True),
        ({"activation_function": "relu"}, True),
        ({"n_inner": 24}, True),
        ({"tie_word_embeddings": False}, True),
        ({"scale_attn_weights": False}, False),
        ({"scale_attn_by_inverse_layer_idx": True}, False),
    ],
)
@torch.no_grad()
def test_gpt2_of_other_settings_is_decoded_rightly(changes: dict[str, Any], own: bool) -> None:
    model = altered(**changes).eval()
    decoder, _ = read_prompts(model, PROMPT_DL, PROMPT_R, new_tokens=1)
    assert (type(decoder) is decoding._GPT2Decoder) == own
    logits_AV = decoder.step(TOKENS_RT[:, 0])
    expected = whole(model, torch.arange(4), 1)
    torch.testing.assert_close(logits_AV, expected, rtol=1e-5, atol=1e-5)


def test_a_model_in_training_is_decoded_through_its_forward() -> None:
    decoder, _ = read_prompts(gpt2().train(), PROMPT_DL, PROMPT_R, new_tokens=1)
    assert type(decoder) is not decoding._GPT2Decoder
