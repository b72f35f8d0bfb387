"""Sampling, log-probabilities and rewards hold for every family of decoders, not GPT-2 alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from overopt.models.enumeration import enumerate_logps
from overopt.models.folders import save_model
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.models.rewards.reward import score
from overopt.models.sampling import sample

from . import tiny

FAMILIES = ("llama", "qwen2", "gpt_neox")


def _config(family: str, **extra: Any) -> Any:
    return AutoConfig.for_model(
        family,
        vocab_size=len(tiny.VOCABULARY),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=tiny.CONTEXT_TOKENS,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
        **extra,
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_policies_of_other_families(family: str, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = AutoModelForCausalLM.from_config(_config(family))
    built.generation_config.suppress_tokens = [0]
    save_model(built, tmp_path, tiny.VOCABULARY)
    model, prompts = load_policy(tmp_path), tiny.prompts()
    drawn = sample(model, prompts, 20, 6, torch.Generator().manual_seed(0), batch_rows=33)
    rows = prompts.take(np.repeat(np.arange(prompts.rows()), 20))
    np.testing.assert_allclose(
        drawn.logp_NT, score_logps(model, rows, drawn.responses, 100), atol=1e-5
    )
    logp_BR = enumerate_logps(model, prompts, tiny.all_responses())
    np.testing.assert_allclose(np.exp(logp_BR).sum(1), 1.0, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_reward_models_of_other_families(family: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = AutoModelForSequenceClassification.from_config(_config(family, num_labels=1))
    model = built.eval()
    responses = tiny.tokens([4, 5, 3], [3], [5, 4, 4, 5, 3], [2, 3])
    scored_N = score(model, tiny.prompts(), responses)
    alone_N = [
        score(model, tiny.prompts().take(np.array([n])), responses.take(np.array([n])))[0]
        for n in range(4)
    ]
    np.testing.assert_allclose(scored_N, alone_N, atol=1e-5)
    assert np.ptp(scored_N) > 1e-3
