"""Values of prefixes come out as the mean reward of what follows them, by enumeration."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from models import tiny
from overopt.engines.learned.values import Learned, learn_values
from overopt.engines.method.values import OpenedValues
from overopt.execution.code.modules import load_module
from overopt.execution.contract import silent
from overopt.methods.contract.training import Training
from overopt.models.enumeration import enumerate_logps
from overopt.models.folders import save_model
from overopt.models.policy import load_policy
from overopt.models.sequences import join
from overopt.models.values import response_values, start_values
from overopt.spec.rollout import RolloutSpec
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import Tokens
from own import VALUED

SETTINGS = RolloutSpec(
    learning_rate=2e-3,
    prompts_per_step=4,
    samples_per_prompt=64,
    max_steps=150,
    warmup_steps=5,
    max_gradient_norm=1.0,
)


def reward(prompts: Tokens, responses: Tokens) -> Floats:
    """Reds less blues; so that what follows a prefix matters."""
    red, blue = (((responses.ids_NT == word) & responses.mask_NT).sum(1) for word in (4, 5))
    return np.asarray(red - blue, np.float64)


def method(**changes: Any) -> OpenedValues:
    module: ModuleType = load_module(str(VALUED))
    functions: Any = module
    return OpenedValues(functions, module.Config(**changes))


def learn(model: PreTrainedModel, policy: PreTrainedModel, **changes: Any) -> Learned:
    settings = SETTINGS.model_copy(update=changes)
    generator = torch.Generator().manual_seed(0)
    return learn_values(
        method(rate=2.0), model, policy, tiny.prompts(), reward, tiny.RESPONSE_TOKENS, settings,
        generator, silent,
    )  # fmt: skip


def expected_values(policy: PreTrainedModel, prompts: Tokens, responses: Tokens) -> Floats:
    """E[reward | the first t tokens] of every response, (B, R, T), under the policy."""
    probability_BR = np.exp(enumerate_logps(policy, prompts, responses))
    reward_R = reward(prompts, responses)
    found_BRT = np.zeros((*probability_BR.shape, responses.ids_NT.shape[1]))
    for t in range(found_BRT.shape[2]):
        _, group_R = np.unique(responses.ids_NT[:, : t + 1], axis=0, return_inverse=True)
        same_RR = group_R[:, None] == group_R
        mass_BR = probability_BR @ same_RR
        found_BRT[:, :, t] = (probability_BR * reward_R) @ same_RR / mass_BR
    return found_BRT


def test_values_start_at_zero_and_leave_the_policy_alone() -> None:
    policy = tiny.policy(0)
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    model = start_values(policy)
    batch = join(tiny.prompts(), tiny.all_responses().take(np.arange(4)))
    assert response_values(model, batch).abs().max() == 0
    learn(model, policy, max_steps=2)
    assert response_values(model, batch).abs().max() > 0
    for name, value in policy.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_an_output_layer_that_was_the_embeddings_is_its_own_on_disk(tmp_path: Path) -> None:
    policy = tiny.policy(0)
    assert policy.config.tie_word_embeddings
    model = start_values(policy)
    with torch.no_grad():
        model.get_output_embeddings().weight.normal_(generator=torch.Generator().manual_seed(0))
    save_model(model, tmp_path / "model", tiny.VOCABULARY)
    batch = join(tiny.prompts(), tiny.all_responses().take(np.arange(4)))
    opened = load_policy(tmp_path / "model")
    torch.testing.assert_close(response_values(opened, batch), response_values(model, batch))
    assert policy.config.tie_word_embeddings  # the policy's stays what it was


def test_a_value_is_read_where_its_token_is_predicted() -> None:
    model = tiny.policy(3)
    prompts, responses = tiny.prompts(), tiny.all_responses().take(np.array([40, 2, 84, 60]))
    value_BT = response_values(model, join(prompts, responses))
    for b in range(4):
        prompt = prompts.ids_NT[b, : prompts.length_N[b]].tolist()
        answer = responses.ids_NT[b, : responses.length_N[b]].tolist()
        for t, token in enumerate(answer):
            logits_V = model(input_ids=torch.tensor([prompt + answer[:t]])).logits[0, -1]
            torch.testing.assert_close(value_BT[b, t], logits_V[token], rtol=1e-4, atol=1e-5)
        assert value_BT[b, len(answer) :].abs().sum() == 0


def test_values_become_the_mean_reward_of_what_follows() -> None:
    policy = tiny.policy(0)
    model = start_values(policy)
    learned = learn(model, policy)
    assert learned.compute[:2] == (150, 150 * 256)
    prompts, responses = tiny.prompts(), tiny.all_responses()
    expected_BRT = expected_values(policy, prompts, responses)
    probability_BR = np.exp(enumerate_logps(policy, prompts, responses))
    asked = prompts.take(np.repeat(np.arange(4), responses.rows()))
    every = responses.take(np.tile(np.arange(responses.rows()), 4))
    with torch.no_grad():
        value_BRT = response_values(model, join(asked, every)).numpy().reshape(expected_BRT.shape)
    weight_BRT = probability_BR[:, :, None] * responses.mask_NT
    weight_BRT = weight_BRT / weight_BRT.sum()
    spread = (weight_BRT * expected_BRT**2).sum() - (weight_BRT * expected_BRT).sum() ** 2
    error = (weight_BRT * (value_BRT - expected_BRT) ** 2).sum()
    assert error < 0.03 * spread
    # from about 1, the variance of the reward, to what prefixes leave open
    assert learned.rows[-1].error < 0.7 * learned.rows[0].error
    assert learned.rows[0].error == pytest.approx(
        learned.rows[0].reward_sd ** 2 + learned.rows[0].reward_mean ** 2, rel=0.3
    )


def test_inner_passes_count_as_steps() -> None:
    policy, opened = tiny.policy(0), method()
    opened.training = Training(epochs=2)
    settings = SETTINGS.model_copy(update={"max_steps": 5, "samples_per_prompt": 2})
    learned = learn_values(
        opened, start_values(policy), policy, tiny.prompts(), reward, tiny.RESPONSE_TOKENS,
        settings, torch.Generator().manual_seed(0), silent,
    )  # fmt: skip
    assert learned.compute[:2] == (5, 3 * 8)
    assert [row.step for row in learned.rows] == [0, 2, 4]
