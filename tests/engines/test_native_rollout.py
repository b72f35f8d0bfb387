from __future__ import annotations

import types

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import PreTrainedModel

from overopt.engines.native_rollout import RewardFunction, optimise_rollouts
from overopt.engines.snapshots import RolloutRow, Trajectory
from overopt.methods import rloo
from overopt.methods.contract import Rollout, RolloutMethod, RolloutStep
from overopt.models.logprobs import kl_statistics
from overopt.models.sampling import sample
from overopt.spec import RolloutSpec
from overopt.worlds.tokens import Tokens

from . import tiny


def ignore(fraction: float, text: str) -> None:
    pass


def optimise(
    budgets_nats: tuple[float, ...],
    seed: int = 0,
    method: RolloutMethod = rloo,
    config: object = None,
    settings: RolloutSpec = tiny.ROLLOUT,
    reward: RewardFunction = tiny.reward,
) -> tuple[Trajectory, PreTrainedModel]:
    reference = tiny.policy()
    policy = tiny.twin(reference)
    trajectory = optimise_rollouts(
        method,
        config or rloo.Config(),
        settings,
        policy,
        reference,
        tiny.prompts(),
        reward,
        tiny.MAX_NEW_TOKENS,
        budgets_nats,
        torch.Generator().manual_seed(seed),
        ignore,
    )
    return trajectory, policy


def rollout_rows(trajectory: Trajectory) -> list[RolloutRow]:
    return [row for row in trajectory.rows if isinstance(row, RolloutRow)]


def test_reward_and_kl_rise() -> None:
    rows = rollout_rows(optimise(())[0])
    assert rows[0].kl_nats == pytest.approx(0, abs=1e-6)
    assert rows[-1].reward_mean > rows[0].reward_mean + 0.2
    assert rows[-1].kl_nats > 0.5
    assert rows[-1].loss is None
    assert all(row.loss is not None for row in rows[:-1])
    assert [row.step for row in rows] == list(range(tiny.ROLLOUT.max_steps + 1))


def test_snapshots_lie_near_the_budgets_and_the_run_ends_at_the_last() -> None:
    slow = tiny.ROLLOUT.model_copy(update={"learning_rate": 1e-3, "max_steps": 400})
    trajectory, _ = optimise((0.05, 0.3, 1.0), settings=slow)
    served = {b: s.kl_nats for s in trajectory.snapshots for b in s.budgets_nats}
    assert list(served) == [0.05, 0.3, 1.0]
    assert trajectory.unreached_nats == ()
    kls = [row.kl_nats for row in rollout_rows(trajectory)]
    assert max(kls[:-1]) < 1.0 <= kls[-1]
    for budget, kl_nats in served.items():
        assert kl_nats == pytest.approx(budget, rel=0.25)


def test_a_penalty_holds_the_policy_near_its_start() -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 40})
    (free,) = optimise((), settings=settings)[0].snapshots
    (held,) = optimise((), config=rloo.Config(beta=1.0), settings=settings)[0].snapshots
    assert free.step == held.step == 40
    assert held.kl_nats < 0.5 * free.kl_nats


def test_kl_of_the_step_is_that_of_the_sampled_responses() -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 12})
    trajectory, policy = optimise((), settings=settings)
    final = rollout_rows(trajectory)[-1]
    reference, asked = tiny.policy(), tiny.prompts()
    drawn = sample(policy, asked, 64, tiny.MAX_NEW_TOKENS, torch.Generator().manual_seed(8))
    repeated = asked.take(np.repeat(np.arange(asked.rows()), 64))
    judged = kl_statistics(policy, reference, repeated, drawn.responses)
    assert final.kl_nats == pytest.approx(judged.rb_N.mean(), rel=0.35)
    assert final.entropy_nats == pytest.approx(judged.entropy_N.mean(), rel=0.2)
    assert trajectory.snapshots[-1].kl_nats == final.kl_nats


def test_the_method_sees_the_rollout_as_it_was_sampled() -> None:
    rollouts: list[RolloutStep] = []

    def watched(config: object, step: RolloutStep) -> torch.Tensor:
        rollouts.append(step)
        return rloo.loss(rloo.Config(), step)

    method = types.SimpleNamespace(__name__="watched", advantages=rloo.advantages, loss=watched)
    optimise((), method=method, settings=tiny.ROLLOUT.model_copy(update={"max_steps": 3}))
    assert len(rollouts) == 3
    for step in rollouts:
        seen: Rollout = step.rollout
        assert seen.reward_BN.shape == (8, 4)
        assert torch.allclose(seen.sampled_logp_BNT, step.logp_BNT, atol=1e-4)
        assert not step.logp_BNT[seen.mask_BNT == 0].any()
        assert step.logp_BNT.requires_grad
        assert not step.advantage.requires_grad
        assert not seen.reference_logp_BNT.requires_grad
    first = rollouts[0].rollout
    assert torch.allclose(first.reference_logp_BNT, first.sampled_logp_BNT, atol=1e-4)
    moved = rollouts[-1].rollout
    assert not torch.allclose(moved.reference_logp_BNT, moved.sampled_logp_BNT, atol=1e-3)


def test_samples_of_a_prompt_stand_in_one_row_with_their_rewards() -> None:
    asked_rows: list[npt.NDArray[np.int32]] = []
    rewards: list[npt.NDArray[np.float64]] = []
    groups: list[torch.Tensor] = []

    def watched(config: object, rollout: Rollout) -> torch.Tensor:
        groups.append(rollout.reward_BN)
        return rloo.advantages(rloo.Config(), rollout)

    def reward(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        value = tiny.reward(asked, responses)
        asked_rows.append(asked.ids_NT)
        rewards.append(value)
        return value

    method = types.SimpleNamespace(__name__="watched", advantages=watched, loss=rloo.loss)
    optimise(
        (), method=method, reward=reward, settings=tiny.ROLLOUT.model_copy(update={"max_steps": 1})
    )
    grouped = asked_rows[0].reshape(8, 4, -1)
    assert (grouped == grouped[:, :1]).all()
    assert groups[0].numpy() == pytest.approx(rewards[0].reshape(8, 4))


def test_equal_generators_give_equal_bytes_and_others_do_not() -> None:
    short = tiny.ROLLOUT.model_copy(update={"max_steps": 5})
    first, _ = optimise((), seed=0, settings=short)
    again, _ = optimise((), seed=0, settings=short)
    other, _ = optimise((), seed=1, settings=short)
    assert first.rows == again.rows
    state, same, different = (t.snapshots[0].state for t in (first, again, other))
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert any(not torch.equal(state[name], different[name]) for name in state)


def test_the_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    optimise((), settings=tiny.ROLLOUT.model_copy(update={"max_steps": 2}))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_compute_counts_the_samples_that_were_learnt_from() -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 3})
    trajectory, _ = optimise((), settings=settings)
    assert trajectory.compute.gradient_steps == 3
    assert trajectory.compute.samples_drawn == 3 * 8 * 4
    assert trajectory.snapshots[-1].compute == trajectory.compute
    rows = rollout_rows(trajectory)
    responses = sum(row.length_mean * 32 for row in rows[:-1])
    asked = trajectory.compute.tokens_processed - responses
    assert 3 * 32 * 3 <= asked <= 3 * 32 * 5  # prompts of 3 to 5 tokens


def test_a_reward_that_is_no_number_is_an_error() -> None:
    def broken(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        value = tiny.reward(asked, responses)
        value[3] = np.nan
        return value

    with pytest.raises(FloatingPointError, match=r"^rloo: a reward of step 1 is not finite"):
        optimise((), reward=broken)


def test_a_nan_loss_names_the_method_and_the_step() -> None:
    seen: list[RolloutStep] = []

    def poisoned(config: object, step: RolloutStep) -> torch.Tensor:
        seen.append(step)
        return rloo.loss(rloo.Config(), step) * (torch.inf if len(seen) == 2 else 1.0)

    method = types.SimpleNamespace(__name__="poisoned", advantages=rloo.advantages, loss=poisoned)
    with pytest.raises(FloatingPointError, match=r"^poisoned: step 2: loss"):
        optimise((), method=method)
