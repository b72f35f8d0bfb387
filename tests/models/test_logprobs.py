"""Log-probabilities against one forward pass per token, and KL against enumeration."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from overopt.models import sampling, sequences
from overopt.models.enumeration import enumerate_logps
from overopt.models.logprobs import (
    choose_logps,
    kl_statistics,
    predict,
    rao_blackwell_kl,
    response_logps,
    score_logps,
    token_logps,
)
from overopt.models.sampling import sample
from overopt.models.sequences import align, join, split_by_length
from overopt.worlds.tokens import Tokens

from . import tiny


def _every_pair() -> tuple[Tokens, Tokens]:
    """Each prompt with each response: 4 x 85 rows."""
    prompts, responses = tiny.prompts(), tiny.all_responses()
    prompt_N = np.repeat(np.arange(prompts.rows()), responses.rows())
    response_N = np.tile(np.arange(responses.rows()), prompts.rows())
    return prompts.take(prompt_N), responses.take(response_N)


def test_token_logps_excludes_pad() -> None:
    logp_V = token_logps(torch.tensor([50.0, 0.0, math.log(2.0), math.log(5.0)]))
    assert logp_V[1:].exp().tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert logp_V[0].exp() == 0
    assert torch.isfinite(logp_V).all()


def test_token_logps_keeps_float64_and_widens_half_precision() -> None:
    assert token_logps(torch.zeros(4, dtype=torch.float64)).dtype == torch.float64
    assert token_logps(torch.zeros(4, dtype=torch.bfloat16)).dtype == torch.float32


def test_response_logps_equal_one_forward_pass_per_token() -> None:
    model, prompts = tiny.policy(1), tiny.prompts()
    responses = tiny.tokens([4, 5, 3], [3], [5, 4, 4], [2, 3])
    logp_BT = response_logps(model, join(prompts, responses)).detach()
    for b in range(4):
        row = prompts.ids_NT[b, : prompts.length_N[b]].tolist()
        for t in range(3):
            if t >= responses.length_N[b]:
                assert logp_BT[b, t] == 0
                continue
            logits = model(input_ids=torch.tensor([row])).logits[0, -1]
            expected = torch.log_softmax(logits[1:], 0)[responses.ids_NT[b, t] - 1]
            assert float(logp_BT[b, t]) == pytest.approx(float(expected.detach()), abs=1e-5)
            row.append(int(responses.ids_NT[b, t]))


def test_gradients_flow_and_are_finite() -> None:
    model = tiny.policy(1)
    logp_BT = response_logps(model, join(tiny.prompts(), tiny.tokens([3], [4, 3], [5], [4, 5, 3])))
    torch.autograd.backward(logp_BT.sum())
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())
    assert sum(float(weight.grad.abs().sum()) for weight in model.parameters()) > 0


@pytest.mark.parametrize("batch_tokens", [1, 60, 100_000])
def test_score_logps_depend_neither_on_batches_nor_on_order(batch_tokens: int) -> None:
    model, (prompts, responses) = tiny.policy(2), _every_pair()
    logp_NT = score_logps(model, prompts, responses, batch_tokens)
    order_N = np.random.default_rng(0).permutation(prompts.rows())
    shuffled_NT = score_logps(model, prompts.take(order_N), responses.take(order_N))
    np.testing.assert_allclose(logp_NT[order_N], shuffled_NT, atol=1e-5)
    assert logp_NT.dtype == np.float32
    assert (logp_NT[~responses.mask_NT] == 0).all()


def test_rao_blackwell_kl_by_hand() -> None:
    # KL((1/2, 1/2) || (1/4, 3/4)) = 1/2 log 2 + 1/2 log(2/3) = 1/2 log(4/3); PAD counts nothing
    logp = token_logps(torch.tensor([9.0, 0.0, 0.0]))
    logq = token_logps(torch.tensor([0.0, 0.0, math.log(3.0)]))
    assert float(rao_blackwell_kl(logp, logq)) == pytest.approx(0.5 * math.log(4 / 3))
    assert float(rao_blackwell_kl(logp, logp)) == 0


def test_plain_estimate_can_be_the_steadier_one() -> None:
    # p: a or b with 1/2 each, then c for sure. q: a 1/4, b 3/4; c for sure after a, 1/3 after b.
    # log p/q is log 2 for both sequences; the sum of the steps' KL is not the same for both.
    first = 0.5 * math.log(4 / 3)
    second_b = float(
        rao_blackwell_kl(torch.tensor([0.0, -80.0]), torch.tensor([1 / 3, 2 / 3]).log())
    )
    plain = [math.log(2), math.log(2 / 3) + math.log(3)]
    summed = [first, first + second_b]
    assert plain[0] == pytest.approx(plain[1])
    assert np.mean(summed) == pytest.approx(np.mean(plain), abs=1e-6)
    assert np.var(summed) > 0.3


class _Exact(NamedTuple):
    """Moments under the policy, summed over all responses; each (B,)."""

    kl_B: np.ndarray
    rb_mean_B: np.ndarray
    rb_variance_B: np.ndarray
    k1_variance_B: np.ndarray
    entropy_B: np.ndarray
    entropy_mean_B: np.ndarray


def _exact(policy: PreTrainedModel, reference: PreTrainedModel) -> _Exact:
    shape = (tiny.prompts().rows(), tiny.all_responses().rows())
    measured = kl_statistics(policy, reference, *_every_pair(), batch_tokens=900)
    logp_BR = enumerate_logps(policy, tiny.prompts(), tiny.all_responses())
    logq_BR = enumerate_logps(reference, tiny.prompts(), tiny.all_responses())
    p_BR, k1_BR, rb_BR = np.exp(logp_BR), logp_BR - logq_BR, measured.rb_N.reshape(shape)
    kl_B, rb_mean_B = (p_BR * k1_BR).sum(1), (p_BR * rb_BR).sum(1)
    return _Exact(
        kl_B=kl_B,
        rb_mean_B=rb_mean_B,
        rb_variance_B=(p_BR * (rb_BR - rb_mean_B[:, None]) ** 2).sum(1),
        k1_variance_B=(p_BR * (k1_BR - kl_B[:, None]) ** 2).sum(1),
        entropy_B=-(p_BR * logp_BR).sum(1),
        entropy_mean_B=(p_BR * measured.entropy_N.reshape(shape)).sum(1),
    )


@pytest.mark.parametrize("contrast", [3.0, 6.0, 20.0])
@pytest.mark.parametrize("seed", range(4))
def test_rao_blackwell_kl_and_entropy_are_unbiased(seed: int, contrast: float) -> None:
    exact = _exact(tiny.policy(seed, contrast), tiny.policy(seed + 100, contrast))
    np.testing.assert_allclose(exact.rb_mean_B, exact.kl_B, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(exact.entropy_mean_B, exact.entropy_B, rtol=1e-5, atol=1e-6)
    assert (exact.kl_B > 0.01).all()


@pytest.mark.parametrize("seed", range(10))
def test_rao_blackwell_kl_varies_less_than_the_plain_estimate_between_mild_policies(
    seed: int,
) -> None:
    exact = _exact(tiny.policy(seed), tiny.policy(seed + 100))
    assert (exact.rb_variance_B < 0.5 * exact.k1_variance_B).all()


@pytest.mark.parametrize("seed", range(3))
def test_sampled_kl_and_entropy_agree_with_enumeration(seed: int) -> None:
    policy, reference = tiny.policy(seed, 9.0), tiny.policy(seed + 100, 9.0)
    prompts, samples = tiny.prompts(), 1000
    generator = torch.Generator().manual_seed(seed)
    drawn = sample(policy, prompts, samples, tiny.RESPONSE_TOKENS, generator)
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), samples))
    measured = kl_statistics(policy, reference, repeated, drawn.responses)
    exact = _exact(policy, reference)
    k1_N = (measured.policy_logp_NT - measured.reference_logp_NT).sum(1)
    for value_N, exact_B in (
        (measured.rb_N, exact.kl_B),
        (k1_N, exact.kl_B),
        (measured.entropy_N, exact.entropy_B),
    ):
        value_BN = value_N.reshape(-1, samples)
        se_B = value_BN.std(1, ddof=1) / math.sqrt(samples)
        z = (value_BN.mean(1) - exact_B).sum() / math.sqrt((se_B**2).sum())
        assert abs(z) < 3
    assert (measured.rb_N >= 0).all()
    np.testing.assert_allclose(measured.policy_logp_NT, drawn.logp_NT, atol=1e-5)


def test_what_a_policy_said_while_it_drew_stands_in_for_its_pass() -> None:
    """Prompts of three lengths, rows that leave the batch early, and batches of a few rows."""
    policy, reference, prompts = tiny.policy(0, 9.0), tiny.policy(100, 9.0), tiny.prompts()
    generator = torch.Generator().manual_seed(5)
    drawn = sample(
        policy, prompts, 30, tiny.RESPONSE_TOKENS, generator, batch_rows=50, keep_every=True
    )
    repeated = prompts.take(np.repeat(np.arange(prompts.rows()), 30))
    assert drawn.drawn is not None
    found = kl_statistics(policy, reference, repeated, drawn.responses, drawn.drawn, 200)
    anew = kl_statistics(policy, reference, repeated, drawn.responses)
    for name, mine in found._asdict().items():
        np.testing.assert_allclose(mine, getattr(anew, name), rtol=1e-4, atol=1e-5)
    assert found.rb_N.max() > 0.1 and len(set(drawn.responses.length_N)) == tiny.RESPONSE_TOKENS


def test_nothing_is_kept_beyond_the_memory_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_KEPT_BYTES", 4 * 4 * 3 * 6 - 1)
    generator = torch.Generator().manual_seed(5)
    drawn = sample(tiny.policy(0), tiny.prompts(), 1, 3, generator, keep_every=True)
    assert drawn.every_NTV is None and drawn.drawn is None


def test_kl_of_a_policy_to_itself_is_zero() -> None:
    model, (prompts, responses) = tiny.policy(4), _every_pair()
    measured = kl_statistics(model, model, prompts, responses)
    assert (measured.rb_N == 0).all()
    np.testing.assert_array_equal(measured.policy_logp_NT, measured.reference_logp_NT)


def test_hidden_states_stand_at_the_predicted_positions_and_the_last() -> None:
    model, prompts = tiny.policy(1), tiny.prompts()
    batch = join(prompts, tiny.tokens([4, 5, 3], [3], [5, 4, 4], [2, 3]))
    with torch.no_grad():
        plain, seen = predict(model, batch), predict(model, batch, states=True)
    assert plain.states_LBJD is None
    chosen, again = (choose_logps(one.logp_BKV, batch) for one in (plain, seen))
    torch.testing.assert_close(chosen, again, rtol=1e-5, atol=1e-5)
    assert seen.states_LBJD is not None and len(seen.states_LBJD) == 2
    last_BJD = seen.states_LBJD[-1]
    assert last_BJD.shape[1] == seen.logp_BKV.shape[1] + 1
    # the last layer's states, after the final norm, give the predictions through the output map
    logits_BKV = model.get_output_embeddings()(last_BJD[:, :-1])
    assert torch.allclose(token_logps(logits_BKV), seen.logp_BKV, atol=1e-5)


def test_uneven_rows_are_judged_in_parts_as_they_are_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, (prompts, responses) = tiny.policy(3), _every_pair()
    uneven = np.flatnonzero((responses.length_N == responses.length_N.max()) | (np.arange(340) % 2))
    batch = join(prompts.take(uneven), responses.take(uneven))
    weight_BT = torch.linspace(-1, 1, batch.mask_BT.numel()).view(batch.mask_BT.shape)

    def judge() -> tuple[torch.Tensor, tuple[torch.Tensor, ...], torch.Tensor]:
        model.zero_grad()
        seen = predict(model, batch, states=True)
        logp_BT = choose_logps(seen.logp_BKV, batch)
        torch.autograd.backward((logp_BT * weight_BT).sum())
        assert seen.states_LBJD is not None
        states = tuple(align(layer[:, 1:], batch) for layer in seen.states_LBJD)
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        return logp_BT.detach(), states, gradient

    assert len(split_by_length(batch)) == 1
    together = judge()
    monkeypatch.setattr(sequences, "_WASTE_MAX", 0.0)
    monkeypatch.setattr(sequences, "_PART_TOKENS", 16)
    assert len(split_by_length(batch)) == 4
    torch.testing.assert_close(judge(), together, rtol=1e-4, atol=1e-5)
