from __future__ import annotations

import types

import numpy as np
import numpy.typing as npt
import pytest
import torch
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.sample_data import RolloutRow
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.rollout import RolloutMethod, RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.merge import warp
from overopt.methods.rollout import elastic_reset, ppo, rloo
from overopt.models.logprobs import kl_statistics
from overopt.models.sampling import sample
from overopt.spec.rollout import RolloutSpec
from overopt.worlds.tokens import Tokens

from . import tiny


def optimize(
    budgets_nats: tuple[float, ...],
    seed: int = 0,
    method: RolloutMethod = rloo,
    config: object = None,
    settings: RolloutSpec = tiny.ROLLOUT,
    reward: Reward = tiny.reward,
) -> tuple[Trajectory, PreTrainedModel]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference, budgets_nats, seed, reward)
    opened = OpenedRollout(method, config or rloo.Config())
    return optimize_rollout(opened, settings, inputs), inputs.policy


def rollout_rows(trajectory: Trajectory) -> list[RolloutRow]:
    return [row for row in trajectory.rows if isinstance(row, RolloutRow)]


def test_reward_and_kl_rise() -> None:
    rows = rollout_rows(optimize(())[0])
    assert rows[0].kl_nats == pytest.approx(0, abs=1e-6)
    assert rows[-1].reward_mean > rows[0].reward_mean + 0.2
    assert rows[-1].kl_nats > 0.5
    assert rows[-1].loss is None
    assert all(row.loss is not None for row in rows[:-1])
    assert [row.step for row in rows] == list(range(tiny.ROLLOUT.max_steps + 1))


def test_snapshots_lie_near_the_budgets_and_the_run_ends_at_the_last() -> None:
    slow = tiny.ROLLOUT.model_copy(update={"learning_rate": 1e-3, "max_steps": 400})
    trajectory, _ = optimize((0.05, 0.3, 1.0), settings=slow)
    served = {b: s.kl_nats for s in trajectory.snapshots for b in s.budgets_nats}
    assert list(served) == [0.05, 0.3, 1.0]
    assert trajectory.unreached_nats == ()
    kls = [row.kl_nats for row in rollout_rows(trajectory)]
    assert max(kls[:-1]) < 1.0 <= kls[-1]
    for budget, kl_nats in served.items():
        assert kl_nats == pytest.approx(budget, rel=0.25)


def test_a_penalty_holds_the_policy_near_its_start() -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 40})
    (free,) = optimize((), settings=settings)[0].snapshots
    (held,) = optimize((), config=rloo.Config(beta=1.0), settings=settings)[0].snapshots
    assert free.step == held.step == 40
    assert held.kl_nats < 0.5 * free.kl_nats


def test_kl_of_the_step_is_that_of_the_sampled_responses() -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 12})
    trajectory, policy = optimize((), settings=settings)
    final = rollout_rows(trajectory)[-1]
    reference, asked = tiny.policy(), tiny.prompts()
    drawn = sample(policy, asked, 64, tiny.MAX_NEW_TOKENS, torch.Generator().manual_seed(8))
    repeated = asked.take(np.repeat(np.arange(asked.rows()), 64))
    drawn_kl = kl_statistics(policy, reference, repeated, drawn.responses)
    assert final.kl_nats == pytest.approx(drawn_kl.rb_N.mean(), rel=0.35)
    assert final.entropy_nats == pytest.approx(drawn_kl.entropy_N.mean(), rel=0.2)
    assert trajectory.snapshots[-1].kl_nats == final.kl_nats


def test_the_method_sees_the_rollout_as_it_was_sampled() -> None:
    rollouts: list[RolloutStep] = []

    def watched(config: object, step: RolloutStep) -> torch.Tensor:
        rollouts.append(step)
        return rloo.loss(rloo.Config(), step)

    method = types.SimpleNamespace(__name__="watched", advantages=rloo.advantages, loss=watched)
    optimize((), method=method, settings=tiny.ROLLOUT.model_copy(update={"max_steps": 3}))
    assert len(rollouts) == 3
    for step in rollouts:
        seen: Rollout = step.rollout
        assert seen.reward_BN.shape == (8, 4)
        assert torch.allclose(seen.sampled.policy_logp, step.now.policy_logp, atol=1e-4)
        assert not step.now.policy_logp[seen.sampled.mask == 0].any()
        assert step.now.policy_logp.requires_grad
        assert not step.advantage.requires_grad
        assert not seen.sampled.reference_logp.requires_grad
    first = rollouts[0].rollout
    assert torch.allclose(first.sampled.reference_logp, first.sampled.policy_logp, atol=1e-4)
    moved = rollouts[-1].rollout
    assert not torch.allclose(moved.sampled.reference_logp, moved.sampled.policy_logp, atol=1e-3)


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
    optimize(
        (), method=method, reward=reward, settings=tiny.ROLLOUT.model_copy(update={"max_steps": 1})
    )
    grouped = asked_rows[0].reshape(8, 4, -1)
    assert (grouped == grouped[:, :1]).all()
    assert groups[0].numpy() == pytest.approx(rewards[0].reshape(8, 4))


def test_equal_generators_give_equal_bytes_and_others_do_not() -> None:
    short = tiny.ROLLOUT.model_copy(update={"max_steps": 5})
    first, _ = optimize((), seed=0, settings=short)
    again, _ = optimize((), seed=0, settings=short)
    other, _ = optimize((), seed=1, settings=short)
    assert first.rows == again.rows
    state, same, different = (t.snapshots[0].state for t in (first, again, other))
    assert all(torch.equal(state[name], same[name]) for name in state)
    assert any(not torch.equal(state[name], different[name]) for name in state)


def test_the_global_random_state_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    optimize((), settings=tiny.ROLLOUT.model_copy(update={"max_steps": 2}))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_compute_counts_the_samples_that_were_learned_from() -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 3})
    trajectory, _ = optimize((), settings=settings)
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
        optimize((), reward=broken)


def test_a_nan_loss_names_the_method_and_the_step() -> None:
    seen: list[RolloutStep] = []

    def poisoned(config: object, step: RolloutStep) -> torch.Tensor:
        seen.append(step)
        return rloo.loss(rloo.Config(), step) * (torch.inf if len(seen) == 2 else 1.0)

    method = types.SimpleNamespace(__name__="poisoned", advantages=rloo.advantages, loss=poisoned)
    with pytest.raises(FloatingPointError, match=r"^poisoned: step 2: loss"):
        optimize((), method=method)


def watched_ppo(steps: list[RolloutStep], **settings: int) -> tuple[RolloutMethod, ppo.Config]:
    def loss(config: ppo.Config, step: RolloutStep) -> torch.Tensor:
        steps.append(step)
        return ppo.loss(config, step)

    parts = {name: getattr(ppo, name) for name in ("INPUTS", "training", "make_module")}
    method = types.SimpleNamespace(
        __name__="watched", advantages=ppo.advantages, loss=loss, **parts
    )
    return method, ppo.Config(epochs=settings["epochs"], minibatches=settings["minibatches"])


def test_inner_epochs_learn_again_from_the_same_samples() -> None:
    steps: list[RolloutStep] = []
    method, config = watched_ppo(steps, epochs=3, minibatches=1)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 7, "warmup_steps": 0})
    trajectory, _ = optimize((), method=method, config=config, settings=settings)
    assert [row.step for row in rollout_rows(trajectory)] == [0, 3, 6, 7]
    assert trajectory.compute.gradient_steps == 7
    assert trajectory.compute.samples_drawn == 3 * 32
    first, second, third = steps[:3]
    assert torch.equal(first.rollout.reward_BN, third.rollout.reward_BN)
    assert torch.allclose(first.now.policy_logp, first.rollout.sampled.policy_logp, atol=1e-4)
    assert not torch.allclose(third.now.policy_logp, first.now.policy_logp, atol=1e-4)
    assert torch.equal(second.advantage, third.advantage)


def test_minibatches_deal_out_whole_prompts() -> None:
    steps: list[RolloutStep] = []
    method, config = watched_ppo(steps, epochs=2, minibatches=4)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 8})
    trajectory, _ = optimize((), method=method, config=config, settings=settings)
    assert [row.step for row in rollout_rows(trajectory)] == [0, 8]
    assert [step.rollout.reward_BN.shape for step in steps] == [(2, 4)] * 8
    for epoch in (steps[:4], steps[4:]):
        rewards = torch.cat([step.rollout.reward_BN for step in epoch])
        assert rewards.sum().item() == pytest.approx(
            8 * 4 * rollout_rows(trajectory)[0].reward_mean, rel=1e-5
        )
    assert not torch.equal(steps[0].now.mask, steps[4].now.mask)
    # the samples' log-probabilities before any step, whichever prompts were dealt first
    assert torch.allclose(steps[0].now.policy_logp, steps[0].rollout.sampled.policy_logp, atol=1e-4)


def test_ppo_learns_its_values_and_raises_the_reward() -> None:
    trajectory, _ = optimize((), method=ppo, config=ppo.Config(value_rate=10.0))
    rows = rollout_rows(trajectory)
    assert rows[-1].reward_mean > rows[0].reward_mean + 0.1
    assert rows[-1].kl_nats > 0.2


def test_values_at_sampling_time_stay_and_values_now_move() -> None:
    steps: list[RolloutStep] = []
    method, config = watched_ppo(steps, epochs=4, minibatches=1)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 8})
    optimize((), method=method, config=config, settings=settings)
    assert steps[0].now.output is not None and steps[7].now.output is not None
    assert not steps[0].now.output.any()  # the head starts at 0
    old = steps[7].rollout.sampled.output
    assert old is not None and not old.requires_grad and old.any()
    assert steps[7].now.output.requires_grad
    assert not torch.allclose(steps[7].now.output, old, atol=1e-5)


def test_a_reset_takes_kl_away_and_the_walk_goes_on() -> None:
    config = elastic_reset.Config(reset_steps=16, epochs=4)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 32})
    rows = rollout_rows(optimize((), method=elastic_reset, config=config, settings=settings)[0])
    kl_at = {row.step: row.kl_nats for row in rows}
    assert kl_at[12] > 0.03
    assert kl_at[16] < 0.2 * kl_at[12]
    assert kl_at[28] > kl_at[16]


def test_the_anchor_is_in_the_rollout_once_a_hook_has_set_it() -> None:
    rollouts: list[Rollout] = []

    def advantages(config: warp.Config, rollout: Rollout) -> torch.Tensor:
        rollouts.append(rollout)
        return warp.advantages(config, rollout)

    method = types.SimpleNamespace(
        __name__="watched",
        advantages=advantages,
        loss=warp.loss,
        begin=warp.begin,
        after_step=warp.after_step,
    )
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 2})
    optimize((), method=method, config=warp.Config(mu=1.0), settings=settings)
    first, second = rollouts
    assert first.sampled.anchor_logp is None
    assert torch.equal(first.sampled.anchor_log_ratio, first.sampled.log_ratio)
    # with mu = 1 the anchor is the policy after the first step, which drew the second samples
    assert second.sampled.anchor_logp is not None
    assert torch.allclose(second.sampled.anchor_logp, second.sampled.policy_logp, atol=1e-4)
    assert not torch.allclose(second.sampled.anchor_logp, second.sampled.reference_logp, atol=1e-4)


def test_a_critic_is_trained_before_the_policy() -> None:
    """Two rollouts of two steps each; then both learn. The head is no part of the policy."""
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 10, "warmup_steps": 0})
    config = ppo.Config(epochs=2, critic_rollouts=2, normalize_reward=True, reward_clip=1.0)
    rows = rollout_rows(optimize((), method=ppo, config=config, settings=settings)[0])
    assert [row.step for row in rows] == [0, 2, 4, 6, 8, 10]
    assert [row.kl_nats < 1e-6 for row in rows] == [True, True, True, False, False, False]
    assert all(row.gradient_norm for row in rows[:-1])
