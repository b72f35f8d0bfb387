"""What methods of the family pairs may ask for beside the pairs, on the policy of twelve words."""

from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from overopt.engines.contract import RunInputs
from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import LaidOutPairs, pair_batches
from overopt.engines.pair_inputs.degraded import degrade
from overopt.engines.pairs import optimize_pairs
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.training import given
from overopt.methods.pairs import dpo
from overopt.models.logprobs import score_logps
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

from . import tiny

STILL = tiny.PAIRS.model_copy(update={"learning_rate": 1e-12, "batch_size": 16})


def watch(
    steps: int, inputs: RunInputs | None = None, **parts: Any
) -> tuple[list[PairBatch], Trajectory, RunInputs]:
    """The batches of a run in which nothing is learned."""
    seen: list[PairBatch] = []

    def loss(config: object, batch: PairBatch) -> torch.Tensor:
        seen.append(batch)
        return dpo.loss(dpo.Config(), batch)

    reference = tiny.policy()
    inputs = inputs or tiny.run_inputs(tiny.twin(reference), reference)
    method: Any = types.SimpleNamespace(__name__="watched", loss=loss, **parts)
    opened = OpenedPairs(method, types.SimpleNamespace(samples=3, degrees=3))
    settings = STILL.model_copy(update={"max_steps": steps})
    return seen, optimize_pairs(opened, settings, inputs), inputs


def pairs_of(inputs: RunInputs) -> Preferences:
    assert inputs.preferences is not None
    return inputs.preferences


def test_both_responses_of_a_pair_have_the_proxys_scores() -> None:
    (batch,), _, inputs = watch(1, INPUTS=("proxy_scores",))
    index_B = next(pair_batches(pairs_of(inputs), 16, np.random.default_rng(0)))
    taken = pairs_of(inputs).take(index_B)
    for side, responses in ((batch.chosen, taken.chosen), (batch.rejected, taken.rejected)):
        expected_B = torch.from_numpy(tiny.reward(taken.prompts, responses)).float()
        assert torch.equal(given(side.score, "proxy_scores"), expected_B)
    assert batch.listed is None and batch.reference_score is None


def test_a_list_holds_both_responses_and_samples_that_stay() -> None:
    """64 pairs are four batches; the fifth to eighth hold the same pairs with the same lists."""
    seen, trajectory, inputs = watch(8, INPUTS=("listed", "reference_scores"))
    order = pair_batches(pairs_of(inputs), 16, np.random.default_rng(0))
    lists: dict[int, list[torch.Tensor]] = {}
    for batch in seen:
        listed = given(batch.listed, "listed")
        assert listed.policy_logp.shape[:2] == (16, 5) and listed.policy_logp.requires_grad
        score_B5 = given(listed.score, "listed")
        assert torch.equal(score_B5[:, 2:], given(batch.reference_score, "reference_scores"))
        assert torch.allclose(listed.policy_logp, listed.reference_logp, atol=1e-5)
        assert not listed.policy_logp[listed.mask == 0].any()
        for place, side in enumerate((batch.chosen, batch.rejected)):
            assert torch.allclose(listed.mean_logp[:, place], side.mean_logp)
            assert torch.equal(score_B5[:, place], given(side.score, "listed"))
        for b, index in enumerate(next(order)):
            rows = torch.stack([score_B5[b], listed.log_ratio[b] + listed.mean_logp[b]])
            lists.setdefault(int(index), []).append(rows.detach())
    assert len(lists) == 64
    assert all(torch.allclose(first, again, atol=1e-4) for first, again in lists.values())
    samples = torch.stack([first[0, 2:] for first, _ in lists.values()])
    assert samples.std() > 0.05  # they are not all alike
    assert trajectory.compute.samples_drawn == 64 * 3


def test_samples_are_those_of_the_initial_policy_and_are_counted() -> None:
    """Where the policy has moved, the samples are still read by both and scored by the proxy."""
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.policy(1), reference)
    seen, trajectory, _ = watch(1, inputs, INPUTS=("listed",))
    listed = given(seen[0].listed, "listed")
    assert not torch.allclose(listed.policy_logp, listed.reference_logp, atol=1e-3)
    index_B = next(pair_batches(pairs_of(inputs), 16, np.random.default_rng(0)))
    taken = pairs_of(inputs).take(index_B)
    both = [score_logps(reference, taken.prompts, side).sum(1) for side in taken[1:3]]
    assert np.allclose(listed.reference_logp[:, :2].sum(-1).T, np.stack(both), atol=1e-4)
    plain = watch(1)[1].compute
    assert plain.samples_drawn == 0
    sampled = int(listed.mask[:, 2:].sum()) + 3 * int(taken.prompts.length_N.sum())
    # drawn once and read once
    assert trajectory.compute.tokens_processed == plain.tokens_processed + 2 * sampled


def test_who_asks_for_nothing_draws_nothing() -> None:
    reference = tiny.policy()
    inputs = replace(tiny.run_inputs(tiny.twin(reference), reference), reward=None)
    before = inputs.randomness.torch.get_state()
    watch(2, inputs)
    assert torch.equal(inputs.randomness.torch.get_state(), before)
    with pytest.raises(ValueError, match="needs a proxy"):
        watch(1, inputs, INPUTS=("proxy_scores",))


def test_a_score_that_is_not_finite_names_the_method() -> None:
    reference = tiny.policy()

    def broken(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.full(responses.rows(), np.nan)

    inputs = tiny.run_inputs(tiny.twin(reference), reference, taste=broken)
    with pytest.raises(FloatingPointError, match=r"^watched: a score of the proxy is not finite"):
        watch(1, inputs, INPUTS=("proxy_scores",))


def test_a_method_remembers_the_batches_that_it_has_seen() -> None:
    """Each loss is told of its own batch too, and no gradient is kept."""

    def begin(config: Any, initial: Any) -> list[float]:
        return []

    def observe_pairs(config: Any, memory: list[float], batch: PairBatch) -> list[float]:
        total = batch.chosen.policy_logp.sum()
        assert not total.requires_grad
        return [*memory, total.item()]

    seen, _, _ = watch(3, begin=begin, observe_pairs=observe_pairs)
    sums = [batch.chosen.policy_logp.sum().item() for batch in seen]
    assert [batch.memory for batch in seen] == [sums[:1], sums[:2], sums]


def test_degraded_responses_lack_what_was_expected_least() -> None:
    """Three degrees of responses of five tokens and of one; the last token always stays."""
    ids = np.array([[4, 5, 6, 7, 3], [8, 0, 0, 0, 0]], np.int32)
    responses = Tokens(np.repeat(ids, 30, 0), np.repeat([5, 1], 30).astype(np.int32))
    prompts = tiny.prompts(30)
    logp_T = torch.tensor([-1.0, -3.0, -0.5, -2.0, -9.0])
    logp_2BT = logp_T.expand(2, 30, 5)
    mask_2BT = torch.from_numpy(responses.mask_NT).float().view(2, 30, 5)
    laid_out = LaidOutPairs(prompts, responses, Reading(logp_2BT, logp_2BT, mask_2BT), 0)
    found = degrade(laid_out, 3, torch.Generator().manual_seed(0))
    assert set(found.degree_R.tolist()) == {0, 1, 2}
    left = {0: [4, 5, 6, 7, 3], 1: [4, 6, 3], 2: [6, 3]}  # 4/3 and 8/3 of four, rounded up
    for row in range(60):
        kept = found.responses.ids_NT[row, : found.responses.length_N[row]].tolist()
        assert kept == (left[int(found.degree_R[row])] if row < 30 else [8])


def test_degraded_responses_are_read_with_gradient_and_their_degree() -> None:
    seen, trajectory, _ = watch(2, INPUTS=("degraded",))
    plain = watch(2)[1].compute.tokens_processed
    for batch in seen:
        left = given(batch.degraded, "degraded")
        assert left.policy_logp.requires_grad and len(left.mask) == 32
        assert torch.allclose(left.policy_logp, left.reference_logp, atol=1e-5)
        whole_R = torch.cat([side.mask.sum(-1) for side in batch[:2]])
        degree_R = given(left.label, "degraded")
        expected_R = whole_R - torch.ceil((whole_R - 1) * degree_R / 3)
        assert torch.equal(left.mask.sum(-1), expected_R)
    assert trajectory.compute.tokens_processed > plain
