"""GRPO and its kin, and TRL's losses of their names, on the same samples: equal to 1e-6.

The policy that is trained is not the one that sampled, so that ratios differ from 1 and clip, and
not the reference either, so that the penalty counts.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.methods.contract.reading import Reading
from overopt.methods.contract.rollout import RolloutMethod, RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.rollout import cispo, dapo, dr_grpo, grpo, gspo, sapo

from . import stock
from .test_against_trl import assert_same_gradients, gradients

PROMPTS = ["the cat", "big dog", "red cat"]
SAMPLES = 4
OPTIONS = {
    "loss_type": "grpo",
    "beta": 0.0,
    "epsilon_low": 0.2,
    "epsilon_high": 0.2,
    "scale_rewards": "group",
    "importance_sampling_level": "token",
    "use_bias_correction_kl": False,
}
"""Of TRL's trainer, unless a case says otherwise."""
WITH_PENALTY = {"beta": 0.3, "epsilon_low": 0.05, "epsilon_high": 0.05}
SEQUENCES = {
    "importance_sampling_level": "sequence",
    "epsilon_low": 3e-4,
    "epsilon_high": 4e-4,
}
LOSSES: list[tuple[RolloutMethod, Any, dict[str, Any]]] = [
    (grpo, grpo.Config(), {}),
    (grpo, grpo.Config(beta=0.3, clip=0.05), WITH_PENALTY),
    (
        grpo,
        grpo.Config(beta=0.3, clip=0.05, corrected=True),
        WITH_PENALTY | {"use_bias_correction_kl": True},
    ),
    (
        dr_grpo,
        dr_grpo.Config(beta=0.3, clip=0.05, divisor=stock.MAX_NEW_TOKENS),
        WITH_PENALTY | {"loss_type": "dr_grpo", "scale_rewards": "none"},
    ),
    (
        dr_grpo,
        dr_grpo.Config(beta=0.3, clip=0.05, corrected=True, divisor=stock.MAX_NEW_TOKENS),
        WITH_PENALTY
        | {"loss_type": "dr_grpo", "scale_rewards": "none", "use_bias_correction_kl": True},
    ),
    (dapo, dapo.Config(), {"loss_type": "dapo", "epsilon_high": 0.28}),
    (dapo, dapo.Config(beta=0.3), {"loss_type": "dapo", "epsilon_high": 0.28, "beta": 0.3}),
    (gspo, gspo.Config(), SEQUENCES),
    (gspo, gspo.Config(beta=0.3), SEQUENCES | {"beta": 0.3}),
    (cispo, cispo.Config(ceiling=1.02), {"loss_type": "cispo", "epsilon_high": 1.02}),
    (
        cispo,
        cispo.Config(beta=0.3),
        {"loss_type": "cispo", "epsilon_high": 5.0, "beta": 0.3},
    ),
    (sapo, sapo.Config(), {"loss_type": "sapo"}),
    (sapo, sapo.Config(beta=0.3), {"loss_type": "sapo", "beta": 0.3}),
]


def nudged(model: PreTrainedModel, by: float) -> PreTrainedModel:
    """The same policy with weights a little off."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(by * torch.randn(weight.shape, generator=generator))
    return model


def reward(completion_ids: list[list[int]], **rest: object) -> list[float]:
    return [0.5 * len(ids) + 0.25 * ids[0] for ids in completion_ids]


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One for all losses, which are attributes of it; with a reference."""
    folder = tmp_path_factory.mktemp("grpo")
    made = stock.grpo_trainer(folder, stock.policy(0), reward, PROMPTS, SAMPLES, beta=0.3)
    made.current_gradient_accumulation_steps = 1  # as TRL's training loop sets it
    return made


@pytest.mark.parametrize(("method", "config", "options"), LOSSES)
def test_loss_is_trls(
    trainer: Any, method: RolloutMethod, config: Any, options: dict[str, Any]
) -> None:
    reference, sampler = stock.policy(0), stock.policy(1)
    for name, value in (OPTIONS | options).items():
        owner = trainer if hasattr(trainer, name) else trainer.args
        assert hasattr(owner, name)
        setattr(owner, name, value)
    trainer.model.load_state_dict(sampler.state_dict())
    trainer.model.train()
    asked = [{"prompt": prompt} for prompt in PROMPTS for _ in range(SAMPLES)]
    batch = trainer._generate_and_score_completions(asked)

    mask_NT = batch["completion_mask"].float()
    ids_NL = torch.cat([batch["prompt_ids"], batch["completion_ids"]], 1)
    attention_NL = torch.cat([batch["prompt_mask"], batch["completion_mask"]], 1)
    shape = (len(PROMPTS), SAMPLES, mask_NT.shape[1])

    def read(model: PreTrainedModel) -> Tensor:
        logp_NT = stock.token_logps(model, ids_NL, attention_NL)[:, -shape[2] :] * mask_NT
        return torch.reshape(logp_NT, shape)

    nudged(trainer.model, 0.02)
    now = Reading(read(trainer.model), read(reference).detach(), mask_NT.view(shape))
    sampled = now._replace(policy_logp=read(sampler)).map(Tensor.detach)
    assert (now.policy_logp - sampled.policy_logp).abs().max() > 0.1
    batch["old_per_token_logps"] = sampled.policy_logp.flatten(0, 1)
    lengths = mask_NT.sum(1).int().tolist()
    completions = [
        ids[:length] for ids, length in zip(batch["completion_ids"].tolist(), lengths, strict=True)
    ]
    seen = Rollout(torch.tensor(reward(completions)).view(shape[:2]), sampled)
    advantage_BN = method.advantages(config, seen)
    assert torch.allclose(advantage_BN.flatten(), batch["advantages"], rtol=1e-6, atol=1e-6)

    theirs = trainer.compute_loss(trainer.model, batch)
    ours = method.loss(config, RolloutStep(seen, now, advantage_BN)).mean()
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)
    assert_same_gradients(gradients(ours, trainer.model), gradients(theirs, trainer.model))
