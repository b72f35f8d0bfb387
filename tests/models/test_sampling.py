"""The sampler draws from the policy: exactly its probabilities, whatever the batching."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from overopt.errors import UserError
from overopt.models.composed import ComposedPolicy
from overopt.models.enumeration import enumerate_logps
from overopt.models.logprobs import score_logps
from overopt.models.sampling import sample
from overopt.worlds.tokens import PAD, Tokens

from . import tiny


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _repeat(prompts: Tokens, samples: int) -> Tokens:
    return prompts.take(np.repeat(np.arange(prompts.rows()), samples))


def test_log_probabilities_equal_teacher_forced_ones() -> None:
    model, prompts = tiny.policy(0), tiny.prompts()
    drawn = sample(model, prompts, 50, 6, _generator(0))
    logp_NT = score_logps(model, _repeat(prompts, 50), drawn.responses)
    np.testing.assert_allclose(drawn.logp_NT, logp_NT, atol=1e-5)
    assert drawn.logp_NT.dtype == np.float32
    assert (drawn.logp_NT[~drawn.responses.mask_NT] == 0).all()


def test_responses_end_at_eos_or_at_the_limit() -> None:
    drawn = sample(tiny.policy(0), tiny.prompts(), 200, 4, _generator(1)).responses
    assert drawn.rows() == 800
    is_eos_NT = (drawn.ids_NT == 3) & drawn.mask_NT
    assert (is_eos_NT.sum(1) == drawn.finished_N).all()
    assert (drawn.length_N[~drawn.finished_N] == 4).all()
    assert 0 < drawn.finished_N.mean() < 1
    assert not (drawn.ids_NT == PAD)[drawn.mask_NT].any()


def test_a_stop_outside_of_the_vocabulary_stops_nothing_and_several_all_do() -> None:
    model, prompts = tiny.policy(0), tiny.prompts()
    plain = sample(model, prompts, 200, 4, _generator(1)).responses
    model.generation_config.eos_token_id = [3, 10_000]
    again = sample(model, prompts, 200, 4, _generator(1)).responses
    np.testing.assert_array_equal(plain.ids_NT, again.ids_NT)
    model.generation_config.eos_token_id = [3, 5]
    several = sample(model, prompts, 200, 4, _generator(1)).responses
    last_N = several.ids_NT[np.arange(800), several.length_N - 1]
    assert set(last_N[several.length_N < 4]) == {3, 5}
    early_NT = several.mask_NT & (np.arange(4) < several.length_N[:, None] - 1)
    assert not np.isin(several.ids_NT[early_NT], [3, 5]).any()


@pytest.mark.parametrize("seed", range(3))
def test_frequencies_match_enumerated_probabilities(seed: int) -> None:
    model, prompts, listed = tiny.policy(seed, 3.0), tiny.prompts(), tiny.all_responses()
    samples = 4000
    drawn = sample(model, prompts, samples, tiny.RESPONSE_TOKENS, _generator(seed)).responses
    expected_BR = samples * np.exp(enumerate_logps(model, prompts, listed))
    for b in range(prompts.rows()):
        observed_R = tiny.count(drawn.take(np.arange(b * samples, (b + 1) * samples)), listed)
        frequent_R = expected_BR[b] >= 5
        observed = np.append(observed_R[frequent_R], observed_R[~frequent_R].sum())
        expected = np.append(expected_BR[b][frequent_R], expected_BR[b][~frequent_R].sum())
        kept = expected > 0
        assert frequent_R.sum() > 10
        assert stats.chisquare(observed[kept], expected[kept], sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize(("batch_rows", "keep_fraction"), [(1, 0.9), (7, 0.0), (33, 1.0)])
def test_neither_batches_nor_compaction_change_a_sample(
    batch_rows: int, keep_fraction: float
) -> None:
    model, prompts = tiny.policy(5), tiny.prompts()
    whole = sample(model, prompts, 20, 6, _generator(2), batch_rows=1000, keep_fraction=0.0)
    parts = sample(
        model, prompts, 20, 6, _generator(2), batch_rows=batch_rows, keep_fraction=keep_fraction
    )
    np.testing.assert_array_equal(whole.responses.ids_NT, parts.responses.ids_NT)
    np.testing.assert_allclose(whole.logp_NT, parts.logp_NT, atol=1e-5)


def test_same_distribution_as_generate_on_prompts_of_different_length() -> None:
    model, prompts, listed = tiny.policy(6, 3.0), tiny.prompts(), tiny.all_responses()
    samples, width = 3000, int(prompts.length_N.max())
    ours = sample(model, prompts, samples, tiny.RESPONSE_TOKENS, _generator(3)).responses
    left_BT = np.zeros((prompts.rows(), width), dtype=np.int64)
    for b, (ids_T, length) in enumerate(zip(*prompts, strict=True)):
        left_BT[b, width - length :] = ids_T[:length]
    left = torch.from_numpy(left_BT).repeat_interleave(samples, 0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        output = model.generate(
            left, attention_mask=(left != PAD).long(), max_new_tokens=tiny.RESPONSE_TOKENS
        )
    theirs = Tokens.from_padded(output[:, width:].numpy())
    for b in range(prompts.rows()):
        rows = np.arange(b * samples, (b + 1) * samples)
        table = np.stack([tiny.count(part.take(rows), listed) for part in (ours, theirs)])
        frequent = table.sum(0) >= 10
        table = np.column_stack([table[:, frequent], table[:, ~frequent].sum(1)])
        table = table[:, table.sum(0) > 0]
        assert stats.chi2_contingency(table).pvalue > 1e-3


def test_pad_is_never_sampled_however_likely_the_network_finds_it() -> None:
    model = tiny.policy(7)
    favor = torch.zeros(len(tiny.VOCABULARY))
    favor[PAD] = 40.0
    plain = sample(model, tiny.prompts(), 10, 5, _generator(5))
    handle = model.lm_head.register_forward_hook(lambda _m, _i, output: output + favor)
    forced = sample(model, tiny.prompts(), 10, 5, _generator(5))
    handle.remove()
    np.testing.assert_array_equal(plain.responses.ids_NT, forced.responses.ids_NT)
    np.testing.assert_allclose(plain.logp_NT, forced.logp_NT, atol=1e-5)


def test_sampling_follows_its_generator_and_leaves_the_global_state() -> None:
    model, prompts = tiny.policy(8).train(), tiny.prompts()
    before = torch.random.get_rng_state()
    first, again, other = (
        sample(model, prompts, 30, 6, _generator(seed)).responses.ids_NT for seed in (6, 6, 7)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()


def test_a_response_that_does_not_fit_the_context_is_refused() -> None:
    with pytest.raises(UserError, match="sample at most 6"):
        sample(tiny.policy(9), tiny.prompts(), 2, 7, _generator(0))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_temperature_divides_the_logits(temperature: float) -> None:
    """The power 1 / T of every next token's probability, which a composed policy is too."""
    model, prompts = tiny.policy(0, 3.0), tiny.prompts()
    powered: Any = ComposedPolicy([(model, 1 / temperature)])
    drawn = sample(model, prompts, 50, 6, _generator(0), temperature=temperature)
    same = sample(powered, prompts, 50, 6, _generator(0))
    np.testing.assert_array_equal(drawn.responses.ids_NT, same.responses.ids_NT)
    np.testing.assert_allclose(drawn.logp_NT, same.logp_NT, atol=1e-5)
    plain = score_logps(model, _repeat(prompts, 50), drawn.responses)
    assert np.abs(drawn.logp_NT - plain).max() > 0.1


def test_at_temperature_zero_every_token_is_the_likeliest() -> None:
    model, prompts = tiny.policy(0, 3.0), tiny.prompts()
    drawn = sample(model, prompts, 2, 6, _generator(0), temperature=0.0)
    np.testing.assert_array_equal(drawn.responses.ids_NT[::2], drawn.responses.ids_NT[1::2])
    responses = drawn.responses.take(np.arange(0, 2 * prompts.rows(), 2))
    for row in range(prompts.rows()):
        ids = list(prompts.ids_NT[row, : prompts.length_N[row]])
        for token in responses.ids_NT[row, : responses.length_N[row]]:
            with torch.no_grad():
                logits_V = model(torch.tensor([ids])).logits[0, -1]
            logits_V[PAD] = -torch.inf
            assert token == int(logits_V.argmax())
            ids.append(token)
    np.testing.assert_allclose(
        drawn.logp_NT, score_logps(model, _repeat(prompts, 2), drawn.responses), atol=1e-5
    )


def test_prompts_that_differ_by_a_last_token_of_number_0_are_two() -> None:
    model = tiny.policy(3)
    ids_NT = np.array([[5, 4, 0], [5, 4, 0], [1, 4, 2]], np.int32)
    prompts = Tokens(ids_NT, np.array([2, 3, 3], np.int32))
    together = sample(model, prompts, 3, 4, _generator(1))
    apart = sample(model, prompts, 3, 4, _generator(1), batch_rows=3)
    assert together.responses.ids_NT.tolist() == apart.responses.ids_NT.tolist()
