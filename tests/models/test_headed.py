"""A head of one's own reads the states that it should, however the trunk is run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from overopt.models import rewards
from overopt.models.logprobs import response_logps
from overopt.models.rewards.headed import (
    HeadedReward,
    TrunkStates,
    headed_rewards,
    load_head,
    save_head,
)
from overopt.models.rewards.reward import score
from overopt.models.sequences import join
from systems.headed import Both

from . import tiny

RESPONSES = tiny.tokens([4, 3], [4, 4, 3], [5, 4, 3], [5, 5, 4])


def headed(seed: int = 0, classifier: bool = False) -> HeadedReward:
    torch.manual_seed(seed)
    trunk = tiny.reward_model(0) if classifier else tiny.policy(0)
    return HeadedReward(trunk, Both(int(trunk.config.hidden_size))).eval()


def test_states_are_those_of_the_last_tokens_of_prompt_and_response() -> None:
    model, batch = headed(), join(tiny.prompts(), RESPONSES)
    states = model.states(batch)
    for row in range(4):
        asked, answered = tiny.prompts().take(np.array([row])), RESPONSES.take(np.array([row]))
        ids = torch.as_tensor(np.concatenate([asked.ids_NT, answered.ids_NT], 1)).long()
        hidden_LD = model.trunk.base_model(input_ids=ids).last_hidden_state[0]
        length = int(asked.length_N[0])
        torch.testing.assert_close(states.last_BD[row], hidden_LD[-1])
        torch.testing.assert_close(states.prompt_BD[row], hidden_LD[length - 1])


@pytest.mark.parametrize("classifier", [False, True])
def test_scores_do_not_depend_on_the_batch_and_the_prompt_alone_sets_the_second_output(
    classifier: bool,
) -> None:
    model = headed(classifier=classifier)
    together = score(model, tiny.prompts(), RESPONSES, read=headed_rewards)
    alone = score(model, tiny.prompts(), RESPONSES, 1, read=headed_rewards)
    assert together == pytest.approx(alone, abs=1e-5) and np.ptp(together) > 0
    with torch.no_grad():
        outputs = [
            model.read(join(tiny.prompts(), RESPONSES.take(rows)), language=False).output_BC
            for rows in (np.arange(4), np.arange(4)[::-1].copy())
        ]
    assert outputs[0] is not None and outputs[1] is not None
    torch.testing.assert_close(outputs[0][:, 1], outputs[1][:, 1])
    assert not torch.allclose(outputs[0][:, 0], outputs[1][:, 0])


def test_one_pass_gives_the_same_rewards_and_the_policys_log_probabilities() -> None:
    model, batch = headed(), join(tiny.prompts(), RESPONSES)
    plain, full = model.read(batch, language=False), model.read(batch, language=True)
    torch.testing.assert_close(full.reward_B, plain.reward_B)
    torch.testing.assert_close(full.output_BC, plain.output_BC)
    assert plain.logp_BT is None and full.logp_BT is not None
    torch.testing.assert_close(full.logp_BT, response_logps(model.trunk, batch))


@pytest.mark.parametrize("classifier", [False, True])
def test_the_packed_pass_has_the_values_and_gradients_of_the_trunks_own(
    classifier: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two responses share a prompt, whose states are computed once."""
    prompts = tiny.prompts().take(np.array([0, 2, 0, 1]))
    read = []
    for packed in (True, False):
        model, batch = headed(classifier=classifier), join(prompts, RESPONSES)
        if not packed:
            monkeypatch.setattr(rewards.headed, "is_plain", lambda trunk: False)
        output_BC = model.read(batch, language=False).output_BC
        assert output_BC is not None
        loss = (output_BC * torch.tensor([1.0, 3.0])).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        used = {k: one.grad for k, one in model.named_parameters() if one.grad is not None}
        read.append((output_BC.detach(), used))
    torch.testing.assert_close(*(output_BC for output_BC, _ in read))
    assert read[0][1].keys() == read[1][1].keys()
    for name, gradient in read[0][1].items():
        torch.testing.assert_close(gradient, read[1][1][name], msg=name)


@pytest.mark.parametrize("language", [False, True])
def test_states_of_tokens_are_those_that_have_read_them(language: bool) -> None:
    model, batch = headed(), join(tiny.prompts(), RESPONSES)
    read = model.read(batch, language, tokens=True)
    state_BTD = read.state_BTD
    assert state_BTD is not None and state_BTD.shape[:2] == batch.mask_BT.shape
    assert not state_BTD[~batch.mask_BT].any()
    states = model.states(batch)
    last_B = batch.mask_BT.sum(1) - 1
    torch.testing.assert_close(state_BTD[torch.arange(4), last_B], states.last_BD)
    for row in range(4):
        asked, answered = tiny.prompts().take(np.array([row])), RESPONSES.take(np.array([row]))
        ids = torch.as_tensor(np.concatenate([asked.ids_NT, answered.ids_NT], 1)).long()
        hidden_LD = model.trunk.base_model(input_ids=ids).last_hidden_state[0]
        first = int(asked.length_N[0])
        torch.testing.assert_close(state_BTD[row, 0], hidden_LD[first])
    assert model.read(batch, language).state_BTD is None


def test_a_head_is_written_and_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    model, other = headed(), headed(seed=1)
    save_head(model.head, tmp_path)
    batch = join(tiny.prompts(), RESPONSES)
    assert not torch.allclose(headed_rewards(model, batch), headed_rewards(other, batch))
    load_head(other.head, tmp_path)
    assert torch.equal(headed_rewards(model, batch), headed_rewards(other, batch))


def test_outputs_of_another_shape_are_refused() -> None:
    class Flat(nn.Module):
        def forward(self, states: TrunkStates) -> Tensor:
            return states.last_BD.sum(-1)

    model = HeadedReward(tiny.policy(0), Flat())
    with pytest.raises(ValueError, match="one row for each"):
        model.read(join(tiny.prompts(), RESPONSES), language=False)


def test_a_trunk_in_half_precision_is_read_by_a_head_in_single() -> None:
    model, batch = headed(), join(tiny.prompts(), RESPONSES)
    whole = headed_rewards(model, batch)
    model.trunk.to(torch.bfloat16)
    for language in (False, True):
        outputs = model.read(batch, language)
        assert outputs.reward_B.dtype == torch.float32
        torch.testing.assert_close(outputs.reward_B, whole, atol=0.1, rtol=0)
