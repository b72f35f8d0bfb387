from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel
from trl import KTOConfig, KTOTrainer
from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.pairs import kto
from overopt.models.folders import build_tokenizer
from overopt.worlds.tokens import BOS, EOS, PAD, SEP
from tabular_optima import table

from . import stock


def responses(*log_ratios: float) -> Reading:
    """Responses of one token with these log-ratios."""
    ratio_B1 = torch.tensor(log_ratios)[:, None]
    return Reading(ratio_B1 - 1, torch.full_like(ratio_B1, -1.0), torch.ones_like(ratio_B1))


@pytest.mark.parametrize(
    ("beta", "desirable", "undesirable", "mean"),
    [(0.1, 0.4950, 0.4750, 0.4850), (0.5, 0.4750, 0.3775, 0.4263)],
)
def test_loss_by_hand(beta: float, desirable: float, undesirable: float, mean: float) -> None:
    """z0 = (.1 + .3)/2; 1 - s(.1 (.4 - .2)) = .4950; 1 - s(.1 (.2 + .8)) = .4750."""
    batch = PairBatch(responses(0.4), responses(-0.8), responses(0.1, 0.3))
    (both,) = kto.loss(kto.Config(beta=beta), batch).tolist()
    assert both == pytest.approx(mean, abs=5e-5)
    for weights, one in (((2.0, 0.0), desirable), ((0.0, 2.0), undesirable)):
        config = kto.Config(beta, *weights)
        assert kto.loss(config, batch).item() == pytest.approx(one, abs=5e-5)


def test_the_reference_point_is_never_negative_and_carries_no_gradient() -> None:
    mismatched = responses(-0.5, 0.1)
    mismatched = mismatched._replace(policy_logp=mismatched.policy_logp.requires_grad_())
    batch = PairBatch(responses(0.4), responses(-0.8), mismatched)
    same = batch._replace(mismatched=responses(0.0, 0.0))
    loss = kto.loss(kto.Config(), batch)
    assert torch.equal(loss, kto.loss(kto.Config(), same))
    assert not loss.requires_grad


def test_loss_at_the_start_is_one_half() -> None:
    batch = PairBatch(responses(0.0, 0.0), responses(0.0, 0.0), responses(0.0, 0.0))
    assert kto.loss(kto.Config(), batch).tolist() == [0.5, 0.5]


def test_without_mismatched_rows_the_file_is_to_be_mended() -> None:
    with pytest.raises(ValueError, match="mismatched was not computed"):
        kto.loss(kto.Config(), PairBatch(responses(0.1), responses(0.2)))


ROWS = [
    ([BOS, 4, SEP], [5, 6, EOS], [7, EOS]),
    ([BOS, 8, 9, SEP], [EOS], [4, 4, 10, 11, EOS]),
    ([BOS, 11, SEP], [6, 5, 4, 9, 8], [10, EOS]),
]


def read(
    policy: PreTrainedModel, reference: PreTrainedModel, batch: dict[str, Tensor], prefix: str
) -> Reading:
    """What a native engine would make of TRL's batch."""
    mask_BT = batch[f"{prefix}completion_mask"][:, 1:].float()
    rows = batch[f"{prefix}input_ids"], batch[f"{prefix}attention_mask"]
    with torch.no_grad():
        reference_BT = stock.token_logps(reference, *rows) * mask_BT
    return Reading(stock.token_logps(policy, *rows) * mask_BT, reference_BT, mask_BT)


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_loss_is_trls(tmp_path: Path, beta: float) -> None:
    policy, reference = stock.policy(0), stock.policy(1)
    arguments: Any = KTOConfig(str(tmp_path), beta=beta, **stock.ON_THE_CPU)
    rows = [{"prompt": "the cat", "completion": " sat", "label": k < 1} for k in range(2)]
    trainer: Any = KTOTrainer(
        policy,
        ref_model=reference,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=build_tokenizer(stock.VOCABULARY, stock.CONTEXT_TOKENS),
    )
    after = ROWS[1:] + ROWS[:1]
    examples = [
        {
            "prompt_ids": prompt,
            "completion_ids": sides[side],
            "KL_completion_ids": others[side],
            "label": side == 0,
        }
        for side in (0, 1)
        for (prompt, *sides), (_, *others) in zip(ROWS, after, strict=True)
    ]
    batch = DataCollatorForUnpairedPreference(pad_token_id=PAD)(examples)
    theirs = trainer.compute_loss(trainer.model, batch)
    both = read(policy, reference, batch, "").group(len(ROWS)).unbind(0)
    ours = kto.loss(
        kto.Config(beta=beta), PairBatch(both[0], both[1], read(policy, reference, batch, "KL_"))
    ).mean()
    assert abs(ours.item() - 0.5) > 1e-3  # the two policies differ
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    for our, their in zip(
        torch.autograd.grad(ours, list(policy.parameters()), retain_graph=True),
        torch.autograd.grad(theirs, list(trainer.model.parameters())),
        strict=True,
    ):
        assert torch.allclose(our, their, atol=1e-6)


def test_an_optimum_separates_responses_by_the_odds_of_being_preferred() -> None:
    """With z0 held at 0 each response's loss is linear in s(beta r): the better half rises."""
    config = kto.Config(beta=0.5)

    def expected_loss(logits_R: Tensor) -> Tensor:
        batch, chance_P = table.all_pairs(logits_R)
        still = batch.chosen._replace(policy_logp=batch.chosen.reference_logp)
        return (chance_P * kto.loss(config, batch._replace(mismatched=still))).sum()

    logits_R = table.REFERENCE_LOGP_R.clone().requires_grad_()
    (gradient_R,) = torch.autograd.grad(expected_loss(logits_R), logits_R)
    wins_R = (table.preference_RR() @ table.REFERENCE_R - 0.5) * table.REFERENCE_R
    # d/dr of the loss at r = 0 is beta/4 in favor of what wins more than half of the time
    assert torch.allclose(gradient_R, -config.beta / 4 * wins_R, atol=1e-9)
