"""Cells that sample and learn in a stack, against the same cells trained alone natively."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import torch

from overopt.catalog import systems
from overopt.catalog.stackable import stackable_methods
from overopt.engines.contract import RunInputs
from overopt.engines.method.loading import open_as
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.sample_data import RolloutRow
from overopt.engines.stacked.model import StackedPolicy, stack
from overopt.engines.stacked.rewards import ModelReward, stackable
from overopt.engines.stacked.rollout import optimize_stack
from overopt.engines.stacked.sampling import Asked, Ending, Span, sample_stack
from overopt.engines.stacked.stack import Outcome
from overopt.engines.walk.trajectory import Trajectory
from overopt.errors import UserError
from overopt.methods.rollout import (
    adaptive_kl,
    bond,
    elastic_reset,
    gradreg,
    kl_reinforce,
    ppo,
    rloo,
    t1,
)
from overopt.models.logprobs import suppressed_ids
from overopt.models.rewards.reward import score
from overopt.models.sampling import sample, stop_ids
from overopt.models.starts.scratch import build_policy, build_reward
from overopt.models.weights import weights_of
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import Tokens

from . import tiny

WIDTH = 3
SETTINGS = tiny.ROLLOUT.model_copy(update={"learning_rate": 1e-3, "max_steps": 10})


def cell(seed: int, budgets: tuple[float, ...] = (0.01, 0.04)) -> RunInputs:
    """A cell with draws, and a taste, of its own."""
    reference = tiny.policy()
    liked = 4 + seed % 8

    def taste(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        return np.asarray((responses.ids_NT == liked).sum(1) / responses.length_N, np.float64)

    return tiny.run_inputs(tiny.twin(reference), reference, budgets, seed, taste)


def opened(method: ModuleType = rloo, **config: float) -> OpenedRollout:
    return OpenedRollout(method, method.Config(**config))


def run(
    seeds: Sequence[int], method: OpenedRollout | None = None, kept: Path | None = None
) -> list[Outcome]:
    return optimize_stack(method or opened(), SETTINGS, [cell(s) for s in seeds], WIDTH, kept=kept)


def rows_of(trajectory: Trajectory) -> list[RolloutRow]:
    return [row for row in trajectory.rows if isinstance(row, RolloutRow)]


def assert_same_bits(one: Trajectory, other: Trajectory) -> None:
    assert one.rows == other.rows and one.compute == other.compute
    assert len(one.snapshots) == len(other.snapshots) > 0
    for mine, theirs in zip(one.snapshots, other.snapshots, strict=True):
        assert (mine.step, mine.kl_nats) == (theirs.step, theirs.kl_nats)
        assert all(torch.equal(mine.state[name], theirs.state[name]) for name in theirs.state)


@pytest.mark.parametrize(
    "method",
    [opened(), opened(ppo, epochs=2), opened(ppo, epochs=2, minibatches=2), opened(kl_reinforce)],
    ids=["rloo", "ppo", "minibatches", "reverse_kl"],
)
def test_a_stack_does_what_the_native_engine_does(method: OpenedRollout) -> None:
    """Within 1e-3, or 1e-6, of every loss, gradient norm and KL; the very same samples."""
    for seed, found in zip((0, 1), run([0, 1], method), strict=True):
        native, mine = optimize_rollout(method, SETTINGS, cell(seed)), found.trajectory
        assert found.error is None and mine.unreached_nats == native.unreached_nats
        assert mine.compute == native.compute
        for ours, theirs in zip(mine.snapshots, native.snapshots, strict=True):
            assert (ours.step, ours.budgets_nats) == (theirs.step, theirs.budgets_nats)
            assert ours.kl_nats == pytest.approx(theirs.kl_nats, rel=1e-3, abs=1e-6)
            assert ours.compute == theirs.compute
        for row, other in zip(rows_of(mine), rows_of(native), strict=True):
            assert (row.step, row.loss is None) == (other.step, other.loss is None)
            # rewards and lengths tell samples apart, unless rounding decides a tie
            assert (row.reward_mean, row.length_mean) == (other.reward_mean, other.length_mean)
            for name, value in other._asdict().items():
                expected = pytest.approx(value or 0.0, rel=1e-3, abs=1e-6)
                assert (row._asdict()[name] or 0.0) == expected, name


@pytest.mark.slow
@pytest.mark.parametrize("name", stackable_methods("rollout"))
def test_every_method_that_a_stack_trains_does_what_it_does_natively(name: str) -> None:
    # at the start the log-ratios are rounding, which these would bring to an SD of 1
    config = {"standardized": False} if name.startswith("constrained") else {}
    spec = systems.method(name, config)
    method, settings = open_as(OpenedRollout, spec), SETTINGS.model_copy(update={"max_steps": 5})

    def asked() -> RunInputs:
        one = cell(1, ())
        taste = one.reward
        assert taste is not None

        def members(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
            score_R = taste(prompts, responses)
            return np.stack([score_R, 1 - score_R])

        return replace(one, member_rewards=members)

    found = optimize_stack(method, settings, [asked(), asked()], WIDTH)[1]
    native = optimize_rollout(method, settings, asked())
    assert found.error is None and found.trajectory.compute == native.compute
    for row, other in zip(rows_of(found.trajectory), rows_of(native), strict=True):
        for column, value in other._asdict().items():
            expected = pytest.approx(value or 0.0, rel=1e-3, abs=1e-5)
            assert (row._asdict()[column] or 0.0) == expected, column


def test_the_bits_of_a_cell_depend_on_neither_neighbors_nor_place() -> None:
    for method in (opened(), opened(ppo, epochs=2)):
        alone, together, last = run([4], method), run([4, 1, 2], method), run([1, 7, 4], method)
        assert_same_bits(alone[0].trajectory, together[0].trajectory)
        assert_same_bits(alone[0].trajectory, last[2].trajectory)
        assert together[0].trajectory.rows != together[1].trajectory.rows


def test_the_tokens_drawn_are_those_of_the_native_sampler() -> None:
    shape = ArchitectureSpec(layers=2, width=16, heads=2)
    models = [build_policy(shape, 12, 16, seed).eval() for seed in range(2)]
    asked = []
    for seed in range(2):
        prompts = tiny.prompts().take(np.random.default_rng(seed).integers(24, size=7))
        uniform_RT = torch.rand(
            (35, 6), generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        asked.append(Asked(prompts, uniform_RT))
    ending = Ending(suppressed_ids(models[0]), stop_ids(models[0]))
    drawn = sample_stack(
        StackedPolicy(models[0]),
        stack([weights_of(model) for model in [*models, models[0]]]),
        [*asked, None],
        Span(shortest=2, longest=6, new_tokens=6),
        ending,
    )
    assert drawn[2] is None
    for seed, (model, one, found) in enumerate(zip(models, asked, drawn, strict=False)):
        assert found is not None
        own = sample(model, one.prompts, 5, 6, torch.Generator().manual_seed(seed))
        np.testing.assert_array_equal(found.responses.ids_NT, own.responses.ids_NT)
        np.testing.assert_array_equal(found.responses.length_N, own.responses.length_N)
        np.testing.assert_allclose(found.logp_NT, own.logp_NT, atol=1e-5)


@pytest.mark.parametrize(
    "method", [opened(ppo, epochs=3), opened(adaptive_kl)], ids=["ppo", "memory"]
)
def test_a_killed_stack_goes_on_and_ends_the_same(
    method: OpenedRollout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overopt.engines.stacked.stack.REMEMBER_STEPS", 4)

    def cells() -> list[RunInputs]:
        return [cell(0, ()), cell(1, (0.003,))]

    whole = optimize_stack(method, SETTINGS, cells(), WIDTH)

    def die(done: float, told: str) -> None:
        if told.startswith("step 9,"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimize_stack(method, SETTINGS, cells(), WIDTH, kept=tmp_path, progress=die)
    seen: list[str] = []
    again = optimize_stack(
        method,
        SETTINGS,
        cells(),
        WIDTH,
        kept=tmp_path,
        progress=lambda _, told: seen.append(told.partition(",")[0]),
    )
    assert seen[0] in ("step 9", "step 10")  # a rollout after the last one remembered
    for one, other in zip(whole, again, strict=True):
        assert_same_bits(one.trajectory, other.trajectory)


def test_rewards_of_a_stack_are_those_of_each_model() -> None:
    """Within 1e-4 of every reward and of all that follows; the same samples; in any place."""

    def judged(seed: int, members: int = 2) -> RunInputs:
        shape = ArchitectureSpec(layers=1, width=16, heads=2)
        models = [build_reward(shape, 12, 16, 10 * seed + k).eval() for k in range(members)]

        def combine(raw_KN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return np.asarray((5 * raw_KN - 1).min(0), np.float64)

        def alone(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
            return combine(np.stack([score(model, asked, responses) for model in models]))

        return replace(cell(seed), reward=ModelReward(models, combine, alone))

    def train(seeds: Sequence[int], together: bool) -> list[Trajectory]:
        cells = [judged(seed) for seed in seeds]
        settings = SETTINGS.model_copy(update={"max_steps": 4})
        found = optimize_stack(opened(), settings, cells, WIDTH, reward_together=together)
        assert not [one.error for one in found if one.error]
        return [one.trajectory for one in found]

    together, apart, other = train([0, 1], True), train([0, 1], False), train([2, 3, 0], True)
    assert_same_bits(together[0], other[2])
    for one, two in zip(together, apart, strict=True):
        assert one.compute == two.compute
        for row, expected in zip(rows_of(one), rows_of(two), strict=True):
            assert row.length_mean == expected.length_mean
            assert row.reward_mean == pytest.approx(expected.reward_mean, rel=1e-4, abs=1e-5)
            assert row.kl_nats == pytest.approx(expected.kl_nats, rel=1e-3, abs=1e-6)
    cpu = torch.device("cpu")
    rewards = [judged(0).reward, judged(1).reward]
    assert stackable(rewards, WIDTH, cpu) is not None
    assert stackable([rewards[0], judged(1, 1).reward], WIDTH, cpu) is None
    assert stackable([rewards[0], cell(1).reward], WIDTH, cpu) is None

    def breaks(raw_KN: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        raise FloatingPointError("a reward is not finite")

    bad = judged(1)
    assert isinstance(bad.reward, ModelReward)
    cells = [judged(0), replace(bad, reward=replace(bad.reward, combine=breaks)), judged(2)]
    settings = SETTINGS.model_copy(update={"max_steps": 4})
    found = optimize_stack(opened(), settings, cells, WIDTH, reward_together=True)
    assert [one.error for one in found] == [None, "a reward is not finite", None]
    assert_same_bits(found[0].trajectory, together[0])


def test_a_cell_that_breaks_leaves_the_others_alone() -> None:
    def broken(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        calls.append(asked.rows())
        return np.full(responses.rows(), np.nan if len(calls) > 2 else 1.0)

    calls: list[int] = []
    cells = [cell(0), replace(cell(1), reward=broken), cell(2)]
    found = optimize_stack(opened(), SETTINGS, cells, WIDTH)
    assert found[1].error == "rloo: a reward of step 3 is not finite"
    nan = optimize_stack(
        opened(), SETTINGS, [cell(0), cell(3), cell(2)], WIDTH, rates=[1e-3, float("nan"), 1e-3]
    )
    assert nan[1].error is not None and "is nan" in nan[1].error
    for place in (0, 2):
        assert found[place].error is nan[place].error is None
        assert_same_bits(found[place].trajectory, nan[place].trajectory)


@pytest.mark.parametrize("method", [elastic_reset, bond, gradreg, t1])
def test_a_method_that_asks_for_more_is_refused(method: ModuleType) -> None:
    with pytest.raises(UserError, match="does not serve; give --engine native"):
        optimize_stack(opened(method), SETTINGS, [cell(0)], WIDTH)
