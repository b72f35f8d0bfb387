"""Losses on pairs held against TRL's own trainer of preferences, on the same models and rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from torch import Tensor
from trl import DPOConfig, DPOTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference

from overopt.methods.contract.pairs import PairBatch
from overopt.models.folders import build_tokenizer
from overopt.worlds.tokens import BOS, EOS, PAD, SEP

from . import stock
from .test_against_trl import ROWS, assert_same_gradients, gradients, pair_batch

CHOSEN_OF_THREE = [
    {"prompt_ids": [BOS, 4, SEP], "chosen_ids": [5, 6, EOS], "rejected_ids": [7, EOS]},
    {"prompt_ids": [BOS, 8, 9, SEP], "chosen_ids": [4, 4, 10], "rejected_ids": [EOS]},
    {"prompt_ids": [BOS, 11, SEP], "chosen_ids": [6, 5, EOS], "rejected_ids": [10, 4, 7, EOS]},
]
"""Chosen responses of equal length: a mean over tokens is a mean over responses."""


def assert_same(
    folder: Path,
    loss: Callable[[PairBatch], Tensor],
    loss_types: Sequence[str],
    rows: list[dict[str, list[int]]] = ROWS,
    **arguments: Any,
) -> None:
    """The mean of a loss and its gradient are those of TRL's trainer of preferences.

    Args:
        folder: for the trainer.
        loss: ours.
        loss_types: TRL's names.
        rows: pairs as token ids.
        arguments: of TRL's configuration.
    """
    policy, reference = stock.policy(0), stock.policy(1)
    formality = Dataset.from_list([{"prompt": "the cat", "chosen": " sat", "rejected": " ran"}] * 2)
    trainer: Any = DPOTrainer(
        policy,
        ref_model=reference,
        args=DPOConfig(str(folder), loss_type=[*loss_types], **arguments, **stock.ON_THE_CPU),
        train_dataset=formality,
        processing_class=build_tokenizer(stock.VOCABULARY, stock.CONTEXT_TOKENS),
    )
    batch = DataCollatorForPreference(pad_token_id=PAD)(rows)
    theirs = trainer.compute_loss(trainer.model, batch)
    ours = loss(pair_batch(policy, reference, batch)).mean()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6, rel=1e-6)
    assert_same_gradients(gradients(ours, policy), gradients(theirs, trainer.model))
