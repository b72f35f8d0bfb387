from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import PreTrainedModel

from overopt.engines.method.pairs import OpenedPairs
from overopt.engines.pair_data import PairsRow, ReferenceLogps, pair_batches, score_reference
from overopt.engines.pairs import optimize_pairs
from overopt.engines.walk.kl_probe import KLProbe
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.pairs import PairBatch, PairsMethod
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.pairs import dpo, ipo
from overopt.models import context
from overopt.models.logprobs import score_logps
from overopt.models.weights import set_weights
from overopt.spec.pairs import PairsSpec
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import SEP, Tokens

from . import tiny


def optimize(
    budgets_nats: tuple[float, ...],
    seed: int = 0,
    method: PairsMethod = dpo,
    config: object = None,
    settings: PairsSpec = tiny.PAIRS,
) -> tuple[Trajectory, PreTrainedModel]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference, budgets_nats, seed)
    opened = OpenedPairs(method, config or dpo.Config(beta=0.1))
    return optimize_pairs(opened, settings, inputs), inputs.policy


def pairs_rows(trajectory: Trajectory) -> list[PairsRow]:
    return [row for row in trajectory.rows if isinstance(row, PairsRow)]


def test_loss_falls_from_log_two_and_kl_rises() -> None:
    trajectory, _ = optimize(())
    rows = pairs_rows(trajectory)
    assert rows[0].loss == pytest.approx(np.log(2), abs=1e-5)
    assert rows[0].chosen_log_ratio_nats == pytest.approx(0, abs=1e-5)
    last = rows[-10:]
    assert np.mean([row.loss for row in last]) < 0.8 * np.log(2)
    assert np.mean([row.accuracy for row in last]) > 0.8
    assert trajectory.snapshots[-1].kl_nats > 0.1


def test_snapshots_lie_near_the_budgets_and_the_run_ends_at_the_last() -> None:
    slow = tiny.PAIRS.model_copy(update={"learning_rate": 5e-4, "max_steps": 400})
    trajectory, _ = optimize((0.05, 0.2, 0.6), settings=slow)
    served = {b: s.kl_nats for s in trajectory.snapshots for b in s.budgets_nats}
    assert list(served) == [0.05, 0.2, 0.6]
    assert trajectory.unreached_nats == ()
    kls = [snapshot.kl_nats for snapshot in trajectory.snapshots]
    assert kls == sorted(kls)
    assert len(trajectory.rows) < slow.max_steps
    measured = [row.kl_nats for row in pairs_rows(trajectory) if row.kl_nats is not None]
    assert max(measured[:-1]) < 0.6 <= measured[-1]
    for budget, kl_nats in served.items():
        assert kl_nats == pytest.approx(budget, rel=0.25)


def test_snapshot_is_the_policy_of_its_step() -> None:
    trajectory, _ = optimize((0.05, 0.2))
    reference = tiny.policy()
    probe = KLProbe(tiny.prompts(16), 2, tiny.MAX_NEW_TOKENS, seed=3)
    for snapshot in trajectory.snapshots:
        restored = tiny.policy(seed=9)
        restored.load_state_dict(dict(snapshot.state))
        assert probe(restored, reference) == snapshot.kl_nats


def test_equal_generators_give_equal_bytes_and_others_do_not() -> None:
    short = tiny.PAIRS.model_copy(update={"max_steps": 7})
    first, _ = optimize((), seed=0, settings=short)
    again, _ = optimize((), seed=0, settings=short)
    other, _ = optimize((), seed=1, settings=short)
    assert first.rows == again.rows
    state, same, different = (t.snapshots[0].state for t in (first, again, other))
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert any(not torch.equal(state[name], different[name]) for name in state)


def test_the_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    optimize((), settings=tiny.PAIRS.model_copy(update={"max_steps": 2}))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_budgets_the_final_policy_comes_back_with_its_kl() -> None:
    short = tiny.PAIRS.model_copy(update={"max_steps": 9})
    trajectory, _ = optimize((), settings=short)
    (final,) = trajectory.snapshots
    assert final.step == 9
    assert final.kl_nats > 0
    assert final.budgets_nats == ()
    assert [row.kl_nats is None for row in pairs_rows(trajectory)] == [True] * 8 + [False]


def test_a_budget_out_of_reach_is_said_to_be_so() -> None:
    short = tiny.PAIRS.model_copy(update={"max_steps": 5})
    trajectory, _ = optimize((1e-4, 500.0), settings=short)
    assert trajectory.unreached_nats == (500.0,)
    assert trajectory.snapshots[-1].step == 5


def test_ipo_stops_at_its_target_margin() -> None:
    settings = tiny.PAIRS.model_copy(update={"max_steps": 150})
    trajectory, _ = optimize((), method=ipo, config=ipo.Config(beta=0.5), settings=settings)
    rows = pairs_rows(trajectory)[-20:]
    margins = [row.chosen_log_ratio_nats - row.rejected_log_ratio_nats for row in rows]
    assert 0.6 < np.mean(margins) < 1.4  # 1 / (2 * 0.5) = 1


def test_compute_is_counted() -> None:
    one = tiny.PAIRS.model_copy(update={"max_steps": 4, "batch_size": 64})
    trajectory, _ = optimize((), settings=one)
    pairs = tiny.preferences(tiny.policy())
    tokens = 2 * pairs.prompts.length_N.sum()
    tokens += pairs.chosen.length_N.sum() + pairs.rejected.length_N.sum()
    assert trajectory.compute == (4, 0, 4 * int(tokens))
    assert trajectory.snapshots[-1].compute == trajectory.compute


def test_a_nan_loss_names_the_method_and_the_step() -> None:
    def poisoned(config: object, batch: PairBatch) -> torch.Tensor:
        seen.append(batch)
        return dpo.loss(dpo.Config(), batch) * (torch.nan if len(seen) == 3 else 1.0)

    seen: list[PairBatch] = []
    method = types.SimpleNamespace(__name__="overopt.methods.poisoned", loss=poisoned)
    with pytest.raises(FloatingPointError, match=r"^poisoned: step 3: loss nan"):
        optimize((), method=method)


def test_the_batch_holds_what_both_policies_say_of_each_response() -> None:
    """Chosen and rejected, joined in one forward pass, keep their rows, masks and padding."""
    batches: list[PairBatch] = []

    def watched(config: object, batch: PairBatch) -> torch.Tensor:
        batches.append(batch)
        return dpo.loss(dpo.Config(), batch)

    method = types.SimpleNamespace(__name__="watched", loss=watched)
    short = tiny.PAIRS.model_copy(update={"max_steps": 4, "learning_rate": 1e-12})
    optimize((), method=method, settings=short)
    reference = tiny.policy()
    pairs = tiny.preferences(reference)
    chosen = sums(reference, pairs.prompts, pairs.chosen)
    rejected = sums(reference, pairs.prompts, pairs.rejected)
    seen = [
        (batch.chosen.policy_logp.sum(-1), batch.rejected.policy_logp.sum(-1)) for batch in batches
    ]
    actual = torch.cat([torch.stack(pair, -1) for pair in seen]).detach().numpy()
    expected = np.stack([chosen, rejected], -1)
    assert np.sort(actual, axis=0) == pytest.approx(np.sort(expected, axis=0), abs=1e-4)
    for batch in batches:
        for side in batch[:2]:
            assert torch.allclose(side.policy_logp, side.reference_logp, atol=1e-5)
            assert not side.reference_logp[side.mask == 0].any()
            assert not side.policy_logp[side.mask == 0].any()


def sums(model: PreTrainedModel, prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float32]:
    return np.asarray(score_logps(model, prompts, responses).sum(-1))


def test_pairs_and_reference_are_taken_by_row() -> None:
    reference = tiny.policy()
    pairs = tiny.preferences(reference, rows=6)
    index = np.array([4, 1])
    taken = pairs.take(index)
    assert isinstance(taken, Preferences)
    whole: ReferenceLogps = score_reference(reference, pairs)
    part = score_reference(reference, taken)
    assert part.chosen_logp_PT.sum(-1) == pytest.approx(
        whole.chosen_logp_PT[index].sum(-1), abs=1e-5
    )


def test_mismatched_rows_are_responses_after_the_prompt_before_theirs() -> None:
    """Held against rows that are put together one by one."""
    seen: list[PairBatch] = []

    class Watched:
        __name__ = "watched"
        Config = dpo.Config
        INPUTS = ("mismatched",)

        def loss(self, config: Any, batch: PairBatch, /) -> torch.Tensor:
            seen.append(batch)
            return dpo.loss(dpo.Config(), batch)

    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    pairs = inputs.preferences
    assert pairs is not None
    settings = tiny.PAIRS.model_copy(update={"max_steps": 1, "batch_size": 4})
    optimize_pairs(OpenedPairs(Watched(), None), settings, inputs)
    index_B = next(pair_batches(pairs, 4, np.random.default_rng(0), coupled=True))
    (batch,) = seen
    assert batch.mismatched is not None and not batch.mismatched.policy_logp.requires_grad
    prompts = pairs.prompts.take(index_B[[3, 0, 1, 2]])
    both = [score_logps(reference, prompts, side.take(index_B)) for side in pairs[1:3]]
    expected_R = np.concatenate([logp_BT.sum(1) for logp_BT in both])
    assert np.allclose(batch.mismatched.reference_logp.sum(1), expected_R, atol=1e-5)
    assert torch.allclose(batch.mismatched.log_ratio, torch.zeros(8), atol=1e-5)
    alone = settings.model_copy(update={"batch_size": 1})
    with pytest.raises(ValueError, match="2 pairs or more"):
        optimize_pairs(OpenedPairs(Watched(), None), alone, inputs)


def test_an_anchor_that_a_hook_has_set_reads_the_next_pairs() -> None:
    """From step 3 on it is the policy as it was after step 2; the others read the reference."""
    seen: list[PairBatch] = []
    kept: list[dict[str, torch.Tensor]] = []

    class Anchored:
        __name__ = "anchored"
        Config = dpo.Config
        INPUTS = ("mismatched",)

        def loss(self, config: Any, batch: PairBatch, /) -> torch.Tensor:
            seen.append(batch)
            return dpo.loss(dpo.Config(), batch)

        def begin(self, config: Any, initial: Weights, /) -> None:
            return None

        def after_step(self, config: Any, memory: Any, weights: Weights, step: int, /) -> AfterStep:
            if step != 2:
                return AfterStep(memory)
            kept.append({name: value.clone() for name, value in weights.items()})
            return AfterStep(memory, anchor=kept[0])

    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    settings = tiny.PAIRS.model_copy(update={"max_steps": 4, "batch_size": 4})
    optimize_pairs(OpenedPairs(Anchored(), None), settings, inputs)
    before, after = seen[:2], seen[2:]
    for batch in before:
        for side in batch[:3]:
            assert side is not None and side.anchor_logp is None
            assert torch.equal(side.anchor_log_ratio, side.log_ratio)
    anchor = tiny.twin(reference)
    set_weights(anchor, kept[0])
    assert inputs.preferences is not None
    batches = pair_batches(inputs.preferences, 4, np.random.default_rng(0), coupled=True)
    taken = [inputs.preferences.take(next(batches)) for _ in range(4)]
    for batch, pairs in zip(after, taken[2:], strict=True):
        for side, responses in ((batch.chosen, pairs.chosen), (batch.rejected, pairs.rejected)):
            assert side.anchor_logp is not None and not side.anchor_logp.requires_grad
            expected_B = sums(anchor, pairs.prompts, responses)
            assert np.allclose(side.anchor_logp.sum(1), expected_B, atol=1e-4)
            assert not torch.allclose(side.anchor_logp, side.reference_logp, atol=1e-2)
        assert batch.mismatched is not None and batch.mismatched.anchor_logp is not None


def test_revisions_are_read_after_the_prompt_an_answer_and_a_separator() -> None:
    """Held against rows that are put together one by one."""
    seen: list[PairBatch] = []

    class Watched:
        __name__ = "watched"
        Config = dpo.Config
        INPUTS = ("revisions",)

        def loss(self, config: Any, batch: PairBatch, /) -> torch.Tensor:
            seen.append(batch)
            return dpo.loss(dpo.Config(), batch)

    reference = tiny.policy()
    context.widen(reference, 32)
    inputs = replace(tiny.run_inputs(tiny.twin(reference), reference), separator=SEP)
    pairs = inputs.preferences
    assert pairs is not None
    settings = tiny.PAIRS.model_copy(update={"max_steps": 1, "batch_size": 4})
    trajectory = optimize_pairs(OpenedPairs(Watched(), None), settings, inputs)
    taken = pairs.take(next(pair_batches(pairs, 4, np.random.default_rng(0))))
    (batch,) = seen
    assert batch.revisions is not None
    sides = {"chosen": taken.chosen, "rejected": taken.rejected}
    plain = 2 * taken.prompts.length_N.sum()
    plain += taken.chosen.length_N.sum() + taken.rejected.length_N.sum()
    tokens = int(plain)
    for name, reading in batch.revisions._asdict().items():
        revision, answer = name.split("_of_")
        assert reading.policy_logp.requires_grad
        for b in range(4):
            words = [
                *taken.prompts.ids_NT[b, : taken.prompts.length_N[b]],
                *sides[answer].ids_NT[b, : sides[answer].length_N[b]],
                SEP,
            ]
            tokens += len(words) + int(sides[revision].length_N[b])
            prompt = Tokens(np.array([words], np.int32), np.array([len(words)], np.int32))
            logp_1T = score_logps(reference, prompt, sides[revision].take(np.array([b])))
            assert reading.reference_logp[b].sum().item() == pytest.approx(
                float(logp_1T.sum()), abs=1e-4
            )
    assert trajectory.compute == (1, 0, tokens)
    with pytest.raises(ValueError, match="needs a separator"):
        optimize_pairs(OpenedPairs(Watched(), None), settings, replace(inputs, separator=None))
