"""Q and V on one trunk become, by enumeration, what backward induction says."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import tiny
from overopt.catalog import systems
from overopt.engines.learned.critic import TwoHeads
from overopt.engines.learned.values import learn_values
from overopt.engines.method.values import OpenedValues
from overopt.engines.rehearsals.method import rehearse
from overopt.errors import UserError
from overopt.execution.contract import silent
from overopt.methods.selection import ilql
from overopt.models.enumeration import enumerate_logps
from overopt.models.logprobs import suppressed_ids
from overopt.models.sequences import join
from overopt.models.values import critic_values, response_values, start_state_head, start_values
from overopt.spec.rollout import RolloutSpec
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import Tokens

from .test_values import SETTINGS, reward


def method(**config: Any) -> OpenedValues:
    module: Any = ilql
    return OpenedValues(module, ilql.Config(**config))


def expectile(value_K: Floats, weight_K: Floats, tau: float) -> float:
    """Where tau E[(x - e)+] = (1 - tau) E[(e - x)+], by bisection."""
    low, high = float(value_K.min()), float(value_K.max())
    for _ in range(60):
        middle = (low + high) / 2
        gap_K = value_K - middle
        pull = weight_K @ (tau * gap_K.clip(0) - (1 - tau) * (-gap_K).clip(0))
        low, high = (middle, high) if pull > 0 else (low, middle)
    return (low + high) / 2


def induced(probability_R: Floats, reward_R: Floats, responses: Tokens, tau: float) -> Floats:
    """Q of every token of every response, (R, T): the reward at the end, else V behind it."""
    rows = [tuple(ids[:n]) for ids, n in zip(responses.ids_NT, responses.length_N, strict=True)]
    whole = dict(zip(rows, reward_R, strict=True))
    mass: dict[tuple[int, ...], float] = {}
    for row, chance in zip(rows, probability_R, strict=True):
        for t in range(len(row) + 1):
            mass[row[:t]] = mass.get(row[:t], 0.0) + float(chance)

    @cache
    def q(prefix: tuple[int, ...]) -> float:
        if prefix in whole:
            return float(whole[prefix])
        then = [one for one in mass if len(one) == len(prefix) + 1 and one[:-1] == prefix]
        weight = np.array([mass[one] for one in then])
        return expectile(np.array([q(one) for one in then]), weight / weight.sum(), tau)

    found = np.zeros(responses.ids_NT.shape)
    for r, row in enumerate(rows):
        found[r, : len(row)] = [q(row[: t + 1]) for t in range(len(row))]
    return found


def test_both_heads_are_read_where_their_token_is_predicted() -> None:
    model, head = tiny.policy(3), start_state_head(tiny.policy(3))
    with torch.no_grad():
        head.weight.normal_(generator=torch.Generator().manual_seed(0))
    prompts, responses = tiny.prompts(), tiny.all_responses().take(np.array([40, 2, 84, 60]))
    found = critic_values(model, head, join(prompts, responses), suppressed_ids(model))
    kept = [v for v in range(len(tiny.VOCABULARY)) if v not in suppressed_ids(model)]
    for b in range(4):
        prompt = prompts.ids_NT[b, : prompts.length_N[b]].tolist()
        answer = responses.ids_NT[b, : responses.length_N[b]].tolist()
        for t, token in enumerate(answer):
            read = model(input_ids=torch.tensor([prompt + answer[:t]]), output_hidden_states=True)
            q_V, state_D = read.logits[0, -1], read.hidden_states[-1][0, -1]
            near = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-5)
            near(found.q_BT[b, t], q_V[token])
            near(found.log_sum_q_BT[b, t], q_V[kept].logsumexp(0))
            near(found.value_BT[b, t], head(state_D)[0])
        assert all(one[b, len(answer) :].abs().sum() == 0 for one in found)


def test_a_step_moves_the_copy_a_part_of_the_way() -> None:
    model = start_values(tiny.policy(0))
    fit = TwoHeads(method(polyak=0.25), model)
    batch = join(tiny.prompts(), tiny.all_responses().take(np.arange(4)))
    fit.see(batch, torch.ones(4))
    with torch.no_grad():
        model.get_output_embeddings().weight.fill_(1.0)
    for _ in range(2):
        fit.after_step()
    slow = fit._slow.get_output_embeddings().weight
    torch.testing.assert_close(slow, torch.full_like(slow, 1 - 0.75**2))


def test_q_becomes_what_backward_induction_says() -> None:
    policy = tiny.policy(0)
    model = start_values(policy)
    settings: RolloutSpec = SETTINGS.model_copy(update={"max_steps": 120, "samples_per_prompt": 16})
    learn_values(
        method(tau=0.75, alpha=0.0, gamma=1.0, polyak=0.5, value_rate=4.0, epochs=1), model, policy,
        tiny.prompts(), reward, tiny.RESPONSE_TOKENS, settings, torch.Generator().manual_seed(0),
        silent,
    )  # fmt: skip
    prompts, responses = tiny.prompts(), tiny.all_responses()
    probability_BR = np.exp(enumerate_logps(policy, prompts, responses))
    reward_R = reward(prompts, responses)
    asked = prompts.take(np.repeat(np.arange(4), responses.rows()))
    every = responses.take(np.tile(np.arange(responses.rows()), 4))
    shape = (4, *responses.ids_NT.shape)
    with torch.no_grad():
        q_BRT = response_values(model, join(asked, every)).numpy().reshape(shape)
    weight_BRT = probability_BR[:, :, None] * responses.mask_NT
    weight_BRT = weight_BRT / weight_BRT.sum()

    def error(tau: float) -> float:
        """Mean squared error against the induction of an expectile, over its variance."""
        rows = [induced(one_R, reward_R, responses, tau) for one_R in probability_BR]
        expected_BRT = np.stack(rows)
        mean = (weight_BRT * expected_BRT).sum()
        spread = (weight_BRT * (expected_BRT - mean) ** 2).sum()
        return float((weight_BRT * (q_BRT - expected_BRT) ** 2).sum() / spread)

    assert error(0.75) < 0.15
    assert error(0.75) < error(0.5) and error(0.75) < error(0.95)


@pytest.mark.parametrize(
    ("found", "put", "said"),
    [
        ("return bellman_RT.square() + side_RT * gap_RT.square()", "return bellman_RT.square()",
         "does not depend on V"),
        ("return config.polyak", "return 0.0", "follow returns 0.0, not a part above 0"),
        ("def follow(", "def fellow(", r"defines follow\(config\), not fellow"),
    ],
)  # fmt: skip
def test_what_learns_nothing_is_told(found: str, put: str, said: str, tmp_path: Path) -> None:
    text = Path(ilql.__file__).read_text(encoding="utf-8")
    assert found in text
    path = tmp_path / "mine.py"
    path.write_text(text.replace(found, put), encoding="utf-8")
    with pytest.raises(UserError, match=said):
        rehearse(systems.method(str(path)))
