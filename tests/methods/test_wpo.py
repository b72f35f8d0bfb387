from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.pairs import dpo, wpo
from overopt.models.folders import build_tokenizer
from overopt.worlds.tokens import PAD

from . import pairs, stock
from .test_against_trl import ROWS, assert_same_gradients, gradients, pair_batch


def colliding(batch: PairBatch, *logps: float) -> PairBatch:
    """The same pairs, with one collision log-chance at every token of both sides of each."""
    chance_B1 = torch.tensor(logps)[:, None]
    return PairBatch.of(
        one._replace(collision_logp=(chance_B1 * one.mask).requires_grad_()) for one in batch[:2]
    )


def test_loss_by_hand() -> None:
    """Means of log pi: -1.5 and -3; -2.5 and -.75. Against -2 they are .5 and -1: w = exp(-.5)
    of the first pair; against -1, -1.5 and .25: exp(-1.25) of the second."""
    batch = colliding(pairs.worked(), -2.0, -1.0)
    found = wpo.loss(wpo.Config(beta=0.5), batch).tolist()
    plain = dpo.loss(dpo.Config(beta=0.5), batch).tolist()
    expected = [plain[0] * math.exp(-0.5), plain[1] * math.exp(-1.25)]
    assert found == pytest.approx(expected, abs=1e-6)


def test_no_pair_weighs_more_than_the_cap() -> None:
    batch = colliding(pairs.worked(), -9.0, -9.0)
    plain = dpo.loss(dpo.Config(beta=0.5), batch)
    assert torch.equal(wpo.loss(wpo.Config(beta=0.5), batch), plain)
    assert torch.equal(wpo.loss(wpo.Config(beta=0.5, cap=0.5), batch), plain / 2)


def test_the_weight_carries_no_gradient() -> None:
    batch = pairs.random(torch.Generator().manual_seed(0))
    batch = PairBatch.of(one._replace(collision_logp=one.reference_logp) for one in batch[:2])
    weighted = wpo.loss(wpo.Config(), batch)
    plain = dpo.loss(dpo.Config(), batch)
    weight_B = (weighted / plain).detach()
    (found,) = torch.autograd.grad(weighted.sum(), batch.chosen.policy_logp)
    (expected,) = torch.autograd.grad((weight_B * plain).sum(), batch.chosen.policy_logp)
    assert torch.allclose(found, expected)


def collision_logps(model: Any, batch: dict[str, Tensor]) -> Tensor:
    """log sum_v pi(v)^2 at every token but the first, from a plain log-softmax."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    logp_BLV = torch.log_softmax(logits[:, :-1].float(), -1)
    return torch.logsumexp(2 * logp_BLV, -1)


def test_without_a_cap_it_is_trls(tmp_path: Path) -> None:
    policy, reference = stock.policy(0), stock.policy(1)
    rows = Dataset.from_list([{"prompt": "the cat", "chosen": " sat", "rejected": " ran"}] * 2)
    arguments: Any = DPOConfig(str(tmp_path), beta=0.7, use_weighting=True, **stock.ON_THE_CPU)
    trainer: Any = DPOTrainer(
        policy,
        ref_model=reference,
        args=arguments,
        train_dataset=rows,
        processing_class=build_tokenizer(stock.VOCABULARY, stock.CONTEXT_TOKENS),
    )
    collated = DataCollatorForPreference(pad_token_id=PAD)(ROWS)
    theirs = trainer.compute_loss(trainer.model, collated)
    with torch.no_grad():
        collision = collision_logps(policy, collated).view(2, len(ROWS), -1)
    sides = pair_batch(policy, reference, collated)[:2]
    batch = PairBatch.of(
        side._replace(collision_logp=part * side.mask)
        for side, part in zip(sides, collision, strict=True)
    )
    ours = wpo.loss(wpo.Config(beta=0.7, cap=1e9), batch).mean()
    plain = dpo.loss(dpo.Config(beta=0.7), batch).mean()
    assert abs(ours.item() - plain.item()) > 1e-3
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    assert_same_gradients(gradients(ours, policy), gradients(theirs, trainer.model))
