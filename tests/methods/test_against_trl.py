"""Our losses and TRL's on the same models and the same batch: equal to 1e-6.

TRL's softmax is over the whole vocabulary, so the log-probabilities here come from a plain
log-softmax rather than from our policies' definition, which excludes padding.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel
from trl.trainer.dpo_trainer import DataCollatorForPreference

from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.pairs import dpo, ipo
from overopt.methods.rollout import rloo
from overopt.worlds.tokens import BOS, EOS, PAD, SEP

from . import stock

ROWS = [
    {"prompt_ids": [BOS, 4, SEP], "chosen_ids": [5, 6, EOS], "rejected_ids": [7, EOS]},
    {"prompt_ids": [BOS, 8, 9, SEP], "chosen_ids": [EOS], "rejected_ids": [4, 4, 10, 11, EOS]},
    {"prompt_ids": [BOS, 11, SEP], "chosen_ids": [6, 5, 4, 9, 8], "rejected_ids": [10, EOS]},
]


def pair_batch(
    policy: PreTrainedModel, reference: PreTrainedModel, batch: dict[str, Tensor]
) -> PairBatch:
    """What a native engine would make of TRL's batch."""
    mask_BT = batch["completion_mask"][:, 1:].float()
    ids_BL, attention_BL = batch["input_ids"], batch["attention_mask"]
    logp_BT = stock.token_logps(policy, ids_BL, attention_BL) * mask_BT
    with torch.no_grad():
        reference_BT = stock.token_logps(reference, ids_BL, attention_BL) * mask_BT
    reading = Reading(logp_BT, reference_BT, mask_BT)
    return PairBatch.of(reading.group(len(ROWS)).unbind(0))


def averaged(batch: PairBatch) -> PairBatch:
    """TRL's IPO reads log-probabilities per token of their response."""
    return PairBatch.of(
        one._replace(
            policy_logp=one.policy_logp / one.mask.sum(-1, keepdim=True),
            reference_logp=one.reference_logp / one.mask.sum(-1, keepdim=True),
        )
        for one in batch[:2]
    )


def gradients(loss: Tensor, model: PreTrainedModel) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


def assert_same_gradients(ours: list[Tensor], theirs: list[Tensor]) -> None:
    """Equal to 5e-6 of the largest entry, as far as float32 sums of either sign may round."""
    largest = max(float(gradient.abs().max()) for gradient in theirs)
    assert largest > 1e-3
    for our, their in zip(ours, theirs, strict=True):
        assert float((our - their).abs().max()) < 5e-6 * largest


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_dpo_is_trl_sigmoid(tmp_path: Path, beta: float) -> None:
    policy, reference = stock.policy(0), stock.policy(1)
    trainer = stock.dpo_trainer(tmp_path, policy, reference, "sigmoid", beta)
    batch = DataCollatorForPreference(pad_token_id=PAD)(ROWS)
    theirs = trainer.compute_loss(trainer.model, batch)
    ours = dpo.loss(dpo.Config(beta=beta), pair_batch(policy, reference, batch)).mean()
    assert abs(ours.item() - 0.6931) > 1e-2  # the two policies differ
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    assert_same_gradients(gradients(ours, policy), gradients(theirs, trainer.model))


@pytest.mark.parametrize("beta", [0.1, 0.7])
def test_ipo_is_trl_ipo_up_to_its_averaging(tmp_path: Path, beta: float) -> None:
    policy, reference = stock.policy(0), stock.policy(1)
    trainer = stock.dpo_trainer(tmp_path, policy, reference, "ipo", beta)
    collated = DataCollatorForPreference(pad_token_id=PAD)(ROWS)
    theirs = trainer.compute_loss(trainer.model, collated)
    batch = pair_batch(policy, reference, collated)
    config = ipo.Config(beta=beta)
    ours = ipo.loss(config, averaged(batch)).mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    assert_same_gradients(gradients(ours, policy), gradients(theirs, trainer.model))
    assert abs(ipo.loss(config, batch).mean().item() - theirs.item()) > 1e-2


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_rloo_is_trl_rloo(tmp_path: Path, beta: float) -> None:
    rewards: list[float] = []

    def reward(completion_ids: list[list[int]], **rest: object) -> list[float]:
        rewards[:] = [0.5 * len(ids) + 0.25 * ids[0] for ids in completion_ids]
        return rewards

    prompts = ["the cat", "big dog", "red cat"]
    reference = stock.policy(0)
    trainer = stock.rloo_trainer(tmp_path, reference, reward, prompts, beta, samples_per_prompt=4)
    trainer.model.load_state_dict(stock.policy(1).state_dict())
    trainer.model.train()
    asked = [{"prompt": prompt} for prompt in prompts for _ in range(4)]
    batch = trainer._generate_and_score_completions(asked)

    mask_NT = batch["completion_mask"].float()
    ids_NL = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention_NL = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    width = mask_NT.shape[1]

    def grouped(model: PreTrainedModel) -> Tensor:
        logp_NT = stock.token_logps(model, ids_NL, attention_NL)[:, -width:] * mask_NT
        return torch.reshape(logp_NT, (3, 4, width))

    logp_BNT = grouped(trainer.model)
    now = Reading(logp_BNT, grouped(reference).detach(), mask_NT.view(3, 4, width))
    rollout = Rollout(torch.tensor(rewards).view(3, 4), now.map(Tensor.detach))
    config = rloo.Config(beta=beta)
    advantage_BN = rloo.advantages(config, rollout)
    assert advantage_BN.std() > 0.1
    assert torch.allclose(advantage_BN.flatten(), batch["advantages"], rtol=1e-6, atol=1e-6)

    theirs = trainer.compute_loss(trainer.model, batch)
    ours = rloo.loss(config, RolloutStep(rollout, now, advantage_BN)).mean()
    assert_same_gradients(gradients(ours, trainer.model), gradients(theirs, trainer.model))
