"""Runs of the native engines on a transformer whose 85 responses are listed, against closed forms.

The policy shares its weights between prompts and prefixes, samples are finite and the learning
rate is constant, so that agreement is in per cent here and in many digits in the other files.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import PreTrainedModel

from engines.fixed_probe import FixedProbe
from models import tiny
from overopt.engines.contract import Randomness, RunInputs
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.pairs import optimize_pairs
from overopt.engines.rollout import optimize_rollout
from overopt.execution.contract import silent
from overopt.methods.pairs import dpo
from overopt.methods.rollout import ppo, rloo
from overopt.models.enumeration import enumerate_logps
from overopt.models.sampling import sample
from overopt.spec.pairs import PairsSpec
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

BETA = 1.0
PROMPTS, RESPONSES = tiny.prompts(), tiny.all_responses()


def reward(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
    """1 for every "red" and -0.5 for every "blue" in a response."""
    ids_NT = responses.ids_NT
    return np.asarray((ids_NT == 4).sum(1) - 0.5 * (ids_NT == 5).sum(1), np.float64)


def run_inputs(
    policy: PreTrainedModel, reference: PreTrainedModel, pairs: Preferences | None = None
) -> RunInputs:
    return RunInputs(
        policy=policy,
        reference=reference,
        prompts=PROMPTS,
        preferences=pairs,
        reward=reward,
        max_new_tokens=tiny.RESPONSE_TOKENS,
        budgets_nats=(),
        randomness=Randomness(np.random.default_rng(0), torch.Generator().manual_seed(0)),
        kl_probe=FixedProbe(0.0),
        progress=silent,
    )


def optimum(reference: PreTrainedModel) -> npt.NDArray[np.float64]:
    """log of pi_ref exp(r / beta) / Z for each prompt, (B, R)."""
    logp_BR = enumerate_logps(reference, PROMPTS, RESPONSES) + reward(PROMPTS, RESPONSES) / BETA
    tilted_BR: npt.NDArray[np.float64] = logp_BR - np.log(np.exp(logp_BR).sum(1, keepdims=True))
    return tilted_BR


def distances(policy: PreTrainedModel, reference: PreTrainedModel) -> tuple[float, float]:
    """KL(pi || optimum) of the policy and of the reference, nats, means over the prompts."""
    optimum_BR = optimum(reference)
    found = []
    for model in (policy, reference):
        logp_BR = enumerate_logps(model, PROMPTS, RESPONSES)
        found.append(float((np.exp(logp_BR) * (logp_BR - optimum_BR)).sum(1).mean()))
    return found[0], found[1]


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (rloo, rloo.Config(beta=BETA)),
        (ppo, ppo.Config(beta=BETA, normalize=False, gae_lambda=1.0, epochs=2)),
    ],
)
def test_penalized_rl_comes_to_rest_at_the_tilted_reference(
    method: ModuleType, config: Any
) -> None:
    reference, policy = tiny.policy(1), tiny.policy(1)
    settings = RolloutSpec(
        learning_rate=3e-3, prompts_per_step=4, samples_per_prompt=16, max_steps=150,
        warmup_steps=5, max_gradient_norm=1.0,
    )  # fmt: skip
    supplied: Any = method
    optimize_rollout(OpenedRollout(supplied, config), settings, run_inputs(policy, reference))
    after, before = distances(policy, reference)
    assert before > 0.3
    assert after < 0.03


def test_dpo_on_many_noiseless_comparisons_comes_to_rest_there_too() -> None:
    reference, policy = tiny.policy(1), tiny.policy(1)
    rows = np.repeat(np.arange(4), 3000)
    prompts = PROMPTS.take(rows)
    drawn = sample(
        reference, PROMPTS, 6000, tiny.RESPONSE_TOKENS, torch.Generator().manual_seed(1)
    ).responses
    a, b = drawn.take(np.arange(0, 24_000, 2)), drawn.take(np.arange(1, 24_000, 2))
    margin_P = reward(prompts, a) - reward(prompts, b)
    first_P = np.random.default_rng(2).random(len(rows)) < 1 / (1 + np.exp(-margin_P))
    index_P = np.arange(len(rows))
    both = np.where(first_P, 2 * index_P, 2 * index_P + 1)
    pairs = Preferences(
        prompts, drawn.take(both), drawn.take(np.where(first_P, 2 * index_P + 1, 2 * index_P))
    )
    settings = PairsSpec(
        learning_rate=2e-3, batch_size=256, max_steps=200, warmup_steps=5, max_gradient_norm=1.0
    )
    method = OpenedPairs(dpo, dpo.Config(beta=BETA))
    optimize_pairs(method, settings, run_inputs(policy, reference, pairs))
    after, before = distances(policy, reference)
    assert before > 0.3
    assert after < 0.03
