from __future__ import annotations

import types
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from overopt.engines.iterative import optimize_iterative
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.sample_data import RolloutRow
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.iterative import IterativeMethod, KeptRows, RowPairs, SamplePairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Training, Weights
from overopt.methods.iterative import (
    bonbon,
    cream,
    dno_prct,
    online_dpo,
    self_reward,
    superhf,
)
from overopt.models.logprobs import score_logps
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import BOS

from . import tiny

SHORT = tiny.ROLLOUT.model_copy(update={"max_steps": 3})


def optimize(
    method: IterativeMethod,
    config: Any,
    settings: RolloutSpec = tiny.ROLLOUT,
    budgets_nats: tuple[float, ...] = (),
    seed: int = 0,
) -> tuple[Trajectory, PreTrainedModel]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference, budgets_nats, seed)
    return optimize_iterative(OpenedIterative(method, config), settings, inputs), inputs.policy


def rows_of(trajectory: Trajectory) -> list[RolloutRow]:
    return [row for row in trajectory.rows if isinstance(row, RolloutRow)]


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (superhf, superhf.Config(kl_weight=0.0)),
        (superhf, superhf.Config(kl_weight=0.1, keep=2)),
        (online_dpo, online_dpo.Config(beta=0.1)),
    ],
)
def test_reward_and_kl_rise(method: IterativeMethod, config: Any) -> None:
    rows = rows_of(optimize(method, config)[0])
    assert rows[0].kl_nats == pytest.approx(0, abs=1e-6)
    assert rows[-1].reward_mean > rows[0].reward_mean + 0.15
    assert rows[-1].kl_nats > 0.3
    assert rows[-1].loss is None
    assert [row.step for row in rows] == list(range(tiny.ROLLOUT.max_steps + 1))


def test_a_prior_holds_the_policy_near_its_start() -> None:
    (free,) = optimize(superhf, superhf.Config(kl_weight=0.0))[0].snapshots
    (held,) = optimize(superhf, superhf.Config(kl_weight=5.0))[0].snapshots
    assert held.kl_nats < 0.3 * free.kl_nats


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (self_reward, self_reward.Config()),
        (cream, cream.Config()),
        (dno_prct, dno_prct.Config(margin=0.0)),
    ],
)
def test_beta_holds_a_rounds_policy_near_its_start(method: Any, config: Any) -> None:
    """In a round of one step it would be no more than a factor of the gradient."""
    slow = tiny.ROLLOUT.model_copy(update={"learning_rate": 5e-4})
    free, held = (
        optimize(method, replace(config, beta=beta), slow)[0].snapshots[-1].kl_nats
        for beta in (method.KNOB.low, method.KNOB.high)
    )
    assert held < 0.6 * free


def test_budgets_are_met_and_end_the_run() -> None:
    slow = tiny.ROLLOUT.model_copy(update={"learning_rate": 1e-3, "max_steps": 400})
    trajectory, _ = optimize(superhf, superhf.Config(kl_weight=0.0), slow, (0.05, 0.3))
    served = {b: s.kl_nats for s in trajectory.snapshots for b in s.budgets_nats}
    assert served[0.05] == pytest.approx(0.05, rel=0.4)
    assert served[0.3] == pytest.approx(0.3, rel=0.25)
    assert trajectory.compute.gradient_steps < 400


class Watched:
    """A round method that keeps given rows or pairs and records what its loss is handed."""

    __name__ = "watched"
    Config = superhf.Config
    INPUTS: tuple[str, ...] = ()

    def __init__(self, built: KeptRows | RowPairs, training: Training) -> None:
        self.built, self._training = built, training
        self.rollouts: list[Rollout] = []
        self.batches: list[Any] = []

    def training(self, config: Any) -> Training:
        return self._training

    def build(self, config: Any, rollout: Rollout, /) -> KeptRows | RowPairs:
        self.rollouts.append(rollout)
        return self.built

    def loss(self, config: Any, batch: Any, /) -> torch.Tensor:
        self.batches.append(batch)
        reading = batch if isinstance(batch, Reading) else batch.chosen
        return -reading.policy_logp.sum(-1)


def flat(value_BNT: torch.Tensor) -> torch.Tensor:
    return value_BNT.flatten(0, 1)


def test_kept_rows_are_those_of_the_rollout() -> None:
    kept = torch.tensor([3, 30, 8])
    method = Watched(KeptRows(kept), Training())
    trajectory, _ = optimize(method, None, SHORT)
    assert trajectory.compute.gradient_steps == 3
    for rollout, batch in zip(method.rollouts, method.batches, strict=True):
        assert isinstance(batch, Reading)
        sampled = rollout.sampled.map(flat).take(kept)
        assert torch.equal(batch.mask, sampled.mask)
        assert torch.allclose(batch.policy_logp, sampled.policy_logp, atol=1e-4)
        assert torch.equal(batch.reference_logp, sampled.reference_logp)
        assert batch.policy_logp.requires_grad
        assert batch.forward_kl is None


def test_pairs_are_split_into_chosen_and_rejected() -> None:
    pairs = RowPairs(torch.tensor([0, 9, 21]), torch.tensor([1, 8, 20]))
    method = Watched(pairs, Training())
    optimize(method, None, SHORT)
    for rollout, batch in zip(method.rollouts, method.batches, strict=True):
        assert isinstance(batch, SamplePairs)
        for side, row_P in zip(batch, pairs[:2], strict=True):
            sampled = rollout.sampled.map(flat).take(row_P)
            assert torch.allclose(side.policy_logp, sampled.policy_logp, atol=1e-4)
            assert torch.equal(side.reference_logp, sampled.reference_logp)


def test_epochs_and_minibatches_see_every_row_once_each_epoch() -> None:
    kept = torch.arange(0, 32, 4)
    method = Watched(KeptRows(kept), Training(epochs=2, minibatches=3))
    trajectory, _ = optimize(method, None, tiny.ROLLOUT.model_copy(update={"max_steps": 6}))
    assert len(method.rollouts) == 1
    assert [len(batch.mask) for batch in method.batches] == [3, 3, 2, 3, 3, 2]
    assert trajectory.compute.gradient_steps == 6
    assert trajectory.compute.samples_drawn == 32
    assert [row.step for row in rows_of(trajectory)] == [0, 6]


def test_the_last_round_stops_at_the_last_step() -> None:
    method = Watched(KeptRows(torch.arange(4)), Training(epochs=5))
    trajectory, _ = optimize(method, None, tiny.ROLLOUT.model_copy(update={"max_steps": 7}))
    assert [row.step for row in rows_of(trajectory)] == [0, 5, 7]
    assert trajectory.snapshots[-1].step == 7


def test_a_round_without_data_is_a_step_without_learning() -> None:
    empty = torch.zeros(0, dtype=torch.int64)
    method = Watched(RowPairs(empty, empty), Training())
    trajectory, policy = optimize(method, None, SHORT)
    assert [row.loss for row in rows_of(trajectory)] == [None] * 4
    assert trajectory.compute.gradient_steps == 0
    asked = tiny.prompts(4)
    before, after = (score_logps(model, asked, asked) for model in (tiny.policy(), policy))
    assert (before == after).all()


def test_equal_generators_give_equal_bytes() -> None:
    first, _ = optimize(online_dpo, online_dpo.Config(), SHORT)
    again, _ = optimize(online_dpo, online_dpo.Config(), SHORT)
    other, _ = optimize(online_dpo, online_dpo.Config(), SHORT, seed=1)
    assert first.rows == again.rows
    assert first.rows != other.rows


def test_a_nan_loss_names_the_method_and_the_step() -> None:
    method = types.SimpleNamespace(
        __name__="poisoned",
        build=superhf.build,
        loss=lambda config, batch: batch.policy_logp.sum(-1) * torch.nan,
    )
    with pytest.raises(FloatingPointError, match=r"^poisoned: step 1: loss nan"):
        optimize(method, superhf.Config(), SHORT)


def test_a_pass_after_a_step_still_knows_what_was_said_when_the_rows_were_drawn() -> None:
    method = Watched(KeptRows(torch.tensor([3, 30, 8])), Training(epochs=2))
    method.INPUTS = ("sampled_logp",)
    optimize(method, None, tiny.ROLLOUT.model_copy(update={"max_steps": 2}))
    fresh, later = method.batches
    assert torch.allclose(fresh.sampled_logp, fresh.policy_logp, atol=1e-4)
    assert torch.equal(later.sampled_logp, fresh.sampled_logp)
    assert not torch.allclose(later.policy_logp, later.sampled_logp, atol=1e-4)
    assert fresh.sampled_log_ratio.tolist() == pytest.approx([0.0] * 3, abs=1e-4)


def test_numbers_of_a_build_come_back_beside_their_rows() -> None:
    kept = Watched(KeptRows(torch.tensor([3, 30]), torch.tensor([0.5, 2.0])), Training())
    optimize(kept, None, SHORT)
    assert kept.batches[0].weight.tolist() == [0.5, 2.0]
    rows, label_P = torch.tensor([[0, 9, 21], [1, 8, 20]]), torch.tensor([0.1, 0.2, 0.3])
    dealt = Watched(RowPairs(rows[0], rows[1], label_P), Training(minibatches=3))
    optimize(dealt, None, SHORT)
    assert len(dealt.batches) == 3
    for batch in dealt.batches:
        assert torch.equal(batch.chosen.label, batch.rejected.label)
        (number,) = batch.chosen.label.tolist()
        row = rows[0, int(torch.isclose(label_P, torch.tensor(number)).nonzero())]
        assert torch.equal(
            batch.chosen.reference_logp[0],
            dealt.rollouts[0].sampled.reference_logp.flatten(0, 1)[row],
        )


def test_a_method_may_ask_for_more_opponents_than_samples() -> None:
    """Groups of 6 of the initial policy's samples, where the policy draws 4 of each prompt."""
    asked: list[Rollout] = []

    def build(config: bonbon.Config, rollout: Rollout) -> RowPairs:
        asked.append(rollout)
        return bonbon.build(config, rollout)

    method: Any = types.SimpleNamespace(**{**vars(bonbon), "build": build})
    trajectory, _ = optimize(method, bonbon.Config(n=6), SHORT)
    assert trajectory.compute.samples_drawn == 3 * 8 * (4 + 6)
    for rollout in asked:
        assert rollout.reward_BN.shape == (8, 4)
        assert rollout.opponents is not None and rollout.opponents.reward_BN.shape == (8, 6)
    trajectory, _ = optimize(bonbon, bonbon.Config(n=2), SHORT)
    assert trajectory.compute.samples_drawn == 3 * 8 * (4 + 4)


def test_hooks_see_every_rollout_before_and_after_its_steps() -> None:
    """The memory counts rollouts seen; after the second one the policy is put back."""
    seen: list[Any] = []
    ends: list[tuple[int, int]] = []

    class Hooked(Watched):
        def begin(self, config: Any, initial: Weights) -> tuple[int, Weights]:
            return 0, initial

        def observe(self, config: Any, memory: Any, rollout: Rollout) -> tuple[int, Weights]:
            assert rollout.reward_BN.shape == (8, 4)
            return memory[0] + 1, memory[1]

        def build(self, config: Any, rollout: Rollout, /) -> KeptRows | RowPairs:
            seen.append(rollout.memory[0])
            return self.built

        def after_round(self, config: Any, memory: Any, weights: Weights, number: int) -> AfterStep:
            ends.append((number, memory[0]))
            return AfterStep(memory, memory[1] if number == 2 else None)

    method = Hooked(KeptRows(torch.tensor([3, 30, 8])), Training(epochs=2))
    trajectory, _ = optimize(method, None, tiny.ROLLOUT.model_copy(update={"max_steps": 6}))
    assert seen == [1, 2, 3]
    assert ends == [(1, 1), (2, 2), (3, 3)]
    kl_nats = [row.kl_nats for row in rows_of(trajectory)]
    assert kl_nats[1] > 1e-4 and kl_nats[3] > 1e-4
    assert kl_nats[2] == pytest.approx(0, abs=1e-6)


def test_steps_may_start_from_other_weights_than_those_that_drew_the_samples() -> None:
    """Every round starts again at the initial policy: two steps on the same rows, over and over."""
    numbers: list[int] = []

    class Restarted(Watched):
        INPUTS = ("sampled_logp",)

        def begin(self, config: Any, initial: Weights) -> Weights:
            return initial

        def before_steps(
            self, config: Any, memory: Any, weights: Weights, number: int
        ) -> AfterStep:
            numbers.append(number)
            return AfterStep(memory, memory)

    method = Restarted(KeptRows(torch.tensor([3, 30, 8])), Training(epochs=2))
    trajectory, _ = optimize(method, None, tiny.ROLLOUT.model_copy(update={"max_steps": 6}))
    assert numbers == [1, 2, 3]
    kl_nats = [row.kl_nats for row in rows_of(trajectory)]
    assert min(kl_nats[1:]) > 1e-4 and len(kl_nats) == 4
    for number, batch in enumerate(method.batches):
        again = torch.allclose(batch.policy_logp, batch.reference_logp, atol=1e-4)
        assert again == (number % 2 == 0)  # the first step of each round
        drew_them = torch.allclose(batch.sampled_logp, batch.reference_logp, atol=1e-4)
        assert drew_them == (number < 2)  # the first round's samples are the initial policy's


def test_controlled_rows_are_read_after_another_first_token() -> None:
    rows = torch.tensor([3, 30, 8, 21])
    plain = Watched(KeptRows(rows), Training())
    control = torch.tensor([False, True, False, True])
    controlled = Watched(KeptRows(rows, control_K=control), Training())
    one = tiny.ROLLOUT.model_copy(update={"max_steps": 1})
    optimize(plain, None, one)
    optimize(controlled, None, one)
    (before,), (after,) = plain.batches, controlled.batches
    assert torch.equal(after.reference_logp, before.reference_logp)
    same = [
        torch.allclose(a, b) for a, b in zip(after.policy_logp, before.policy_logp, strict=True)
    ]
    assert same == [True, False, True, False]


def test_a_pair_may_be_of_one_response_under_both_controls() -> None:
    """Either side may be controlled, row by row; a side without a word about it is not."""
    rows = torch.tensor([3, 30, 8, 21])
    some = torch.tensor([False, True, False, True])
    one = tiny.ROLLOUT.model_copy(update={"max_steps": 1})

    def sides(**controls: torch.Tensor) -> SamplePairs:
        method = Watched(RowPairs(rows, rows, **controls), Training())
        optimize(method, None, one)
        (batch,) = method.batches
        assert isinstance(batch, SamplePairs)
        return batch

    def differs(first: Reading, second: Reading) -> list[bool]:
        pairs = zip(first.policy_logp, second.policy_logp, strict=True)
        return [not torch.allclose(a, b, atol=1e-5) for a, b in pairs]

    plain = sides()
    assert not any(differs(*plain))
    assert differs(*sides(rejected_control_P=some)) == some.tolist()
    both = sides(chosen_control_P=some, rejected_control_P=~some)
    assert differs(plain.chosen, both.chosen) == some.tolist()
    assert differs(plain.rejected, both.rejected) == (~some).tolist()
    assert torch.equal(both.chosen.reference_logp, plain.chosen.reference_logp)


def test_control_tokens_need_a_token_that_no_prompt_starts_with() -> None:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    reference.generation_config.eos_token_id = inputs.policy.generation_config.eos_token_id = BOS
    built = KeptRows(torch.tensor([3, 30]), control_K=torch.tensor([False, True]))
    method = OpenedIterative(Watched(built, Training()), None)
    with pytest.raises(ValueError, match="that no prompt starts with"):
        optimize_iterative(method, SHORT, inputs)
