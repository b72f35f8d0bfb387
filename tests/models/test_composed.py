"""A composed policy against the softmax of its recipe, written down response by response."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from overopt.errors import UserError
from overopt.models.composed import ComposedPolicy, open_composed, value_shift
from overopt.models.decoding import read_prompts
from overopt.models.enumeration import enumerate_logps
from overopt.models.folders import RECIPE, save_model
from overopt.models.logprobs import kl_statistics, predict_logps, token_logps
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.models.sequences import join
from overopt.spec.recipe import PolicyTerm, Recipe, ValueTerm
from overopt.stats.arrays import Floats
from overopt.worlds.tokens import PAD, Tokens

from . import tiny

FIRST, SECOND, VALUE = 0, 1, 2


def model(seed: int) -> PreTrainedModel:
    return tiny.policy(seed, contrast=12.0)


def log_softmax_of(model: PreTrainedModel, prefix: list[int]) -> Floats:
    """log p(v | prefix) by a plain softmax over all tokens but PAD."""
    with torch.no_grad():
        logits_V = model(input_ids=torch.tensor([prefix])).logits[0, -1].double()
    logits_V[PAD] = -torch.inf
    found: Floats = torch.log_softmax(logits_V, -1).numpy()
    return found


def values_of(model: PreTrainedModel, prefix: list[int]) -> Floats:
    with torch.no_grad():
        found: Floats = model(input_ids=torch.tensor([prefix])).logits[0, -1].double().numpy()
    return found


def by_hand(prefix: list[int], weights: tuple[float, float], w: float, top_k: int) -> Floats:
    """log pi(v | prefix) of the recipe, from the members' own softmaxes."""
    logp_V = weights[0] * log_softmax_of(model(FIRST), prefix)
    logp_V[1:] += weights[1] * log_softmax_of(model(SECOND), prefix)[1:]
    if w:
        likeliest = np.argsort(-logp_V)[:top_k]
        value_V = values_of(model(VALUE), prefix)
        logp_V[likeliest] += w * (value_V[likeliest] - value_V[likeliest].mean())
    shifted_V = logp_V - logp_V[1:].max()
    found: Floats = shifted_V - np.log(np.exp(shifted_V[1:]).sum())
    return found


def composed(weights: tuple[float, float], w: float, top_k: int) -> ComposedPolicy:
    policies = [(model(FIRST), weights[0]), (model(SECOND), weights[1])]
    return ComposedPolicy(policies, model(VALUE) if w else None, w, top_k)


@pytest.mark.parametrize(
    ("weights", "w", "top_k"),
    [((0.4, 0.6), 0.0, 0), ((-0.5, 1.5), 0.0, 0), ((1.0, 0.0), 2.0, 2), ((0.7, 0.3), -1.5, 5)],
)
def test_every_response_has_the_probability_of_the_recipe(
    weights: tuple[float, float], w: float, top_k: int
) -> None:
    prompts, responses = tiny.prompts(), tiny.all_responses()
    policy = composed(weights, w, top_k)
    logp_BR = enumerate_logps(policy, prompts, responses)
    assert np.exp(logp_BR).sum(1) == pytest.approx(np.ones(4))
    for b in (0, 2):
        prompt = prompts.ids_NT[b, : prompts.length_N[b]].tolist()
        for r in (0, 3, 20, 84):
            answer = responses.ids_NT[r, : responses.length_N[r]].tolist()
            expected = sum(
                by_hand(prompt + answer[:t], weights, w, top_k)[answer[t]]
                for t in range(len(answer))
            )
            assert logp_BR[b, r] == pytest.approx(expected, abs=1e-4)


def test_the_value_shift_by_hand() -> None:
    # top 2 of (2, 1, 0, -1); V (.5, 1, ..) less their mean .75, times 2: (-.5, .5, 0, 0)
    logits, value = torch.tensor([2.0, 1.0, 0.0, -1.0]), torch.tensor([0.5, 1.0, 0.2, 0.0])
    shift = value_shift(logits, value, 2.0, 2, [])
    assert shift.tolist() == pytest.approx([-0.5, 0.5, 0.0, 0.0])
    assert torch.softmax(logits + shift, -1).tolist() == pytest.approx(
        [0.4338, 0.4338, 0.0968, 0.0356], abs=5e-5
    )
    # over all tokens the mean cancels: softmax(logits + 2 V)
    whole = torch.softmax(logits + value_shift(logits, value, 2.0, 0, []), -1)
    torch.testing.assert_close(whole, torch.softmax(logits + 2 * value, -1))
    # a token that is never emitted is none of the likeliest: of the others, tokens 1 and 2
    barred = value_shift(logits, value, 2.0, 2, [0])
    assert barred.tolist() == pytest.approx([0.0, 0.8, -0.8, 0.0])


def test_nothing_added_is_the_member_itself() -> None:
    alone = model(FIRST)
    for policy in (ComposedPolicy([(alone, 1.0)]), ComposedPolicy([(alone, 1.0)], model(VALUE))):
        expected = enumerate_logps(alone, tiny.prompts(), tiny.all_responses())
        found = enumerate_logps(policy, tiny.prompts(), tiny.all_responses())
        assert found == pytest.approx(expected, abs=1e-5)


def llama(seed: int) -> PreTrainedModel:
    """Another family, with keys and values of its own shape."""
    config = AutoConfig.for_model(
        "llama",
        vocab_size=len(tiny.VOCABULARY),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=tiny.CONTEXT_TOKENS,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return made.eval()


@pytest.mark.parametrize("second", [model, llama], ids=["one family", "two families"])
@torch.no_grad()
def test_steps_with_a_cache_give_what_one_pass_gives(
    second: Callable[[int], PreTrainedModel],
) -> None:
    policies = [(model(FIRST), 0.4), (second(SECOND), 0.6)]
    policy = ComposedPolicy(policies, second(VALUE), 2.0, 3)
    prompt_DL, prompt_R = torch.tensor([[1, 4, 2], [1, 5, 2]]), torch.tensor([0, 1, 1, 0])
    tokens_RT = torch.tensor([[4, 5, 4], [5, 5, 2], [4, 4, 4], [5, 4, 1]])
    decoder, logits_AV = read_prompts(policy, prompt_DL, prompt_R, 3)
    row_A = torch.arange(4)
    for step in range(4):
        ids_AL = torch.cat([prompt_DL[prompt_R[row_A]], tokens_RT[row_A, :step]], 1)
        expected = token_logps(policy(input_ids=ids_AL).logits[:, -1])
        torch.testing.assert_close(token_logps(logits_AV), expected, rtol=1e-4, atol=1e-4)
        if step == 1:  # rows leave the batch, and the others keep their order
            row_A = torch.tensor([3, 1])
            decoder.keep(row_A)
        if step < 3:
            logits_AV = decoder.step(tokens_RT[row_A, step])


def test_samples_and_their_kl_are_those_of_the_recipe() -> None:
    policy, reference = composed((0.4, 0.6), 1.0, 3), model(FIRST)
    prompts, listed = tiny.prompts().take(np.array([0])), tiny.all_responses()
    draws = 4000
    drawn = sample(policy, prompts, draws, 3, torch.Generator().manual_seed(0))
    probability_R = np.exp(enumerate_logps(policy, prompts, listed)[0])
    share_R = tiny.count(drawn.responses, listed) / draws
    error_R = np.sqrt(probability_R * (1 - probability_R) / draws)
    assert (np.abs(share_R - probability_R) < 4.5 * error_R + 1e-6).all()
    repeated = prompts.take(np.zeros(draws, np.int64))
    kl = kl_statistics(policy, reference, repeated, drawn.responses)
    log_ratio_R = np.log(probability_R) - enumerate_logps(reference, prompts, listed)[0]
    error = kl.rb_N.std() / draws**0.5
    assert kl.rb_N.mean() == pytest.approx((probability_R * log_ratio_R).sum(), abs=4 * error)


def test_one_step_with_exact_values_is_the_optimum() -> None:
    """Responses of one token: pi_ref exp(w r) / Z, the optimum under a KL penalty of 1 / w."""
    reference, w = model(FIRST), 1.7
    policy = ComposedPolicy([(reference, 1.0)], model(VALUE), w)
    single = Tokens.from_padded(np.arange(1, 6)[:, None])
    prompt = tiny.prompts().take(np.array([0]))
    logp_V = enumerate_logps(reference, prompt, single)[0]
    reward_V = values_of(model(VALUE), prompt.ids_NT[0].tolist())[1:]
    tilted_V = np.exp(logp_V + w * reward_V)
    found_V = np.exp(enumerate_logps(policy, prompt, single)[0])
    assert found_V == pytest.approx(tilted_V / tilted_V.sum(), abs=1e-6)


def folder_of(place: Path) -> tuple[Path, Recipe]:
    for seed in (FIRST, SECOND, VALUE):
        save_model(model(seed), place / "members" / str(seed), tiny.VOCABULARY)
    recipe = Recipe(
        policies=(
            PolicyTerm(folder="../members/0", weight=0.4),
            PolicyTerm(folder="../members/1", weight=0.6),
        ),
        value=ValueTerm(folder="../members/2", weight=2.0, top_k=3),
    )
    (place / "composed").mkdir()
    (place / "composed" / RECIPE).write_text(json.dumps(recipe.to_json()))
    return place / "composed", recipe


def test_a_folder_with_a_recipe_opens_as_a_policy(tmp_path: Path) -> None:
    folder, recipe = folder_of(tmp_path)
    assert Recipe.model_validate_json((folder / RECIPE).read_text()) == recipe
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "members").rename(moved / "members")
    folder.rename(moved / "composed")
    policy = load_policy(moved / "composed")
    batch = join(tiny.prompts(), tiny.all_responses().take(np.arange(4)))
    with torch.no_grad():
        torch.testing.assert_close(
            predict_logps(policy, batch),
            predict_logps(composed((0.4, 0.6), 2.0, 3), batch),
        )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"policies": []}, r"recipe\.json: policies: .*at least 1 item"),
        ({"scale": 1}, r"recipe\.json: scale: "),
        ({"policies": [{"folder": "/etc", "weight": 1.0}]}, "is absolute; name it relative"),
        ({"policies": [{"folder": "../nothing", "weight": 1.0}]}, "is not a model folder"),
        ({"policies": [{"folder": "../members/0", "weight": "1"}]}, "weight"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path: Path, changed: dict[str, object], told: str) -> None:
    folder, recipe = folder_of(tmp_path)
    (folder / RECIPE).write_text(json.dumps({**recipe.to_json(), **changed}))
    with pytest.raises(UserError, match=told):
        open_composed(folder)


def test_members_share_a_vocabulary() -> None:
    with pytest.raises(ValueError, match="one vocabulary"):
        ComposedPolicy([])
