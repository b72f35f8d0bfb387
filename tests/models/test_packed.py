"""A pass without repeated prompts and padding against transformers' own, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.models import packed
from overopt.models.logprobs import choose_logps, predict
from overopt.models.packed import is_plain, pack
from overopt.models.rewards.reward import classify
from overopt.models.sequences import Batch, join
from overopt.models.starts.scratch import build_policy, build_reward
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import BOS, EOS, SEP

from .tiny import tokens

ARCHITECTURE = ArchitectureSpec(layers=3, width=16, heads=4)
PROMPTS = tokens([BOS, 4, SEP], [BOS, 5, 4, SEP], [BOS, 4, SEP], [BOS, 4, SEP], [BOS, 5, 4, SEP])
RESPONSES = tokens([4, 5, EOS], [5], [4, 5, EOS], [], [5, 5, 4, EOS])


def batch() -> Batch:
    return join(PROMPTS, RESPONSES)


def policy() -> PreTrainedModel:
    return build_policy(ARCHITECTURE, 6, 12, seed=1)


def reward() -> PreTrainedModel:
    return build_reward(ARCHITECTURE, 6, 12, seed=1)


def _gradients(model: PreTrainedModel, value: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    torch.autograd.backward(value)
    found = {name: given.grad for name, given in model.named_parameters()}
    return {name: grad.clone() for name, grad in found.items() if grad is not None}


def _check(
    model: PreTrainedModel, packed_way: Callable[[], Tensor], own: Callable[[], Tensor]
) -> None:
    """Equal values, and equal gradients of a sum in which no two outputs weigh the same."""
    one, other = packed_way(), own()
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    weights = torch.linspace(0.5, 1.5, one.numel()).view_as(one)
    mine, theirs = (_gradients(model, (weights * value).sum()) for value in (one, other))
    assert mine.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(mine[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_a_policy_reads_the_same() -> None:
    """``together`` goes through transformers, so that it is what to compare with."""
    model, joined = policy(), batch()
    assert is_plain(model)
    _check(
        model,
        lambda: choose_logps(predict(model, joined).logp_BKV, joined),
        lambda: choose_logps(predict(model, joined, together=True).logp_BKV, joined),
    )
    assert predict(model, joined).logp_BKV.shape == predict(model, joined, together=True)[0].shape


def test_a_reward_model_reads_the_same() -> None:
    model, joined = reward(), batch()

    def by_transformers() -> Tensor:
        found: Any = model(
            input_ids=joined.ids_BL, attention_mask=joined.attention_BL, use_cache=False
        )
        logits: Tensor = found.logits
        return logits

    _check(model, lambda: classify(model, joined), by_transformers)


def test_a_prompt_is_read_once_and_only_what_predicts_goes_on() -> None:
    """Two prompts of 3 and 4 tokens; responses of 3, 1, 3, 0 and 4 tokens, less their last."""
    laid = pack(batch())
    assert laid.silent == 2 + 3
    assert len(laid.token_N) == 3 + 4 + (2 + 0 + 2 + 0 + 3)
    assert len(pack(batch(), with_last=True).token_N) == 3 + 4 + (3 + 1 + 3 + 0 + 4)
    flat = batch().ids_BL[:, : laid.place_BL.shape[1]].flatten()
    assert torch.equal(flat[laid.cell_N], laid.token_N)
    assert laid.position_N[: laid.silent].tolist() == [0, 1, 0, 1, 2]
    nobody = len(laid.token_N) - laid.silent
    assert (laid.reads_BK[3] == nobody).all(), "an empty response has no token to predict"
    assert int((laid.reads_BK != nobody).sum()) == 3 + 1 + 3 + 0 + 4


def test_what_departs_from_gpt2_goes_through_forward() -> None:
    assert is_plain(policy()) and is_plain(policy().train()) and is_plain(reward())
    assert not is_plain(policy().to(torch.bfloat16))
    adapted: Any = policy()
    adapted.transformer.h[1].mlp.c_fc = torch.nn.Sequential(adapted.transformer.h[1].mlp.c_fc)
    assert not is_plain(adapted)
    wrapped: Any = policy()
    wrapped.forward = packed.packed_logits
    assert not is_plain(wrapped)
    dropping: Any = policy()
    dropping.transformer.h[1].attn.attn_dropout.p = 0.1
    assert is_plain(dropping.eval()) and not is_plain(dropping.train())
    checkpointed: Any = policy()
    checkpointed.gradient_checkpointing_enable()
    assert not is_plain(checkpointed)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_plain(policy())
