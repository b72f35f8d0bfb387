"""A method that says how hot its samples are drawn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from overopt.engines.iterative import optimize_iterative
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.sample_data import RolloutRow
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.contract.samples import Rollout
from overopt.methods.contract.training import AfterStep, Weights
from overopt.methods.iterative import superhf
from overopt.methods.rollout import rloo

from . import tiny


class Heated:
    """RLOO whose samples grow hotter after each of its first steps, then are drawn at 1 again."""

    __name__ = "heated"
    Config = rloo.Config

    def __init__(self, *temperatures: float) -> None:
        self._temperatures = temperatures
        self.steps: list[RolloutStep] = []

    def begin(self, config: Any, initial: Weights, /) -> int:
        return 0

    def after_step(self, config: Any, memory: int, weights: Weights, step: int, /) -> AfterStep:
        return AfterStep(step)

    def temperature(self, config: Any, memory: int, /) -> float:
        return self._temperatures[memory] if memory < len(self._temperatures) else 1.0

    def advantages(self, config: Any, rollout: Rollout, /) -> torch.Tensor:
        return rloo.advantages(config, rollout)

    def loss(self, config: Any, step: RolloutStep, /) -> torch.Tensor:
        self.steps.append(step)
        return rloo.loss(config, step)


def run(method: Any, max_steps: int = 5) -> tuple[list[RolloutRow], Trajectory, Any]:
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": max_steps, "learning_rate": 1e-2})
    trajectory = optimize_rollout(OpenedRollout(method, rloo.Config()), settings, inputs)
    rows = [row for row in trajectory.rows if isinstance(row, RolloutRow)]
    return rows, trajectory, inputs


def test_samples_are_drawn_at_the_temperature_that_the_method_says() -> None:
    """At a high one all tokens are nearly as likely; afterwards the policy says what it drew."""
    method = Heated(1.0, 1000.0, 0.05)
    run(method)
    uniform = -torch.tensor(float(tiny.VOCABULARY_SIZE - 1)).log()
    gaps = []
    for step in method.steps:
        sampled, mask = step.rollout.sampled.policy_logp, step.now.mask > 0
        gaps.append(float((sampled - step.now.policy_logp.detach())[mask].abs().max()))
    assert torch.allclose(
        method.steps[1].rollout.sampled.policy_logp[method.steps[1].now.mask > 0],
        uniform,
        atol=0.01,
    )
    cold = method.steps[2]
    mask = cold.now.mask > 0
    assert cold.rollout.sampled.policy_logp[mask].mean() > cold.now.policy_logp[mask].mean() + 0.5
    assert max(gaps[0], gaps[3], gaps[4]) < 1e-4 < 0.05 < min(gaps[1], gaps[2])


def test_the_kl_of_a_tempered_rollout_is_the_policys_own() -> None:
    """A run at another temperature ends at the KL that the probe tells of its policy."""
    rows, trajectory, inputs = run(Heated(*[3.0] * 7), 6)
    told = inputs.kl_probe(inputs.policy, inputs.reference)
    assert rows[-1].kl_nats == told == trajectory.snapshots[-1].kl_nats
    assert rows[0].kl_nats == pytest.approx(0, abs=1e-6)


def test_a_temperature_of_one_changes_nothing() -> None:
    assert run(Heated())[0] == run(rloo)[0] == run(Heated(1.0, 1.0))[0]
    assert run(Heated(2.0))[0] != run(rloo)[0]


def test_rounds_have_temperatures_too_and_a_memory_is_not_needed() -> None:
    seen: list[Rollout] = []

    def build(config: Any, rollout: Rollout) -> Any:
        seen.append(rollout)
        return superhf.build(superhf.Config(), rollout)

    method: Any = SimpleNamespace(
        __name__="hot",
        Config=superhf.Config,
        build=build,
        loss=lambda config, batch: -batch.policy_logp.sum(-1),
        temperature=lambda config, memory: 1000.0 if memory is None else 1.0,
    )
    reference = tiny.policy()
    inputs = tiny.run_inputs(tiny.twin(reference), reference)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 2})
    optimize_iterative(OpenedIterative(method, superhf.Config()), settings, inputs)
    for rollout in seen:
        logp = rollout.sampled.policy_logp[rollout.sampled.mask > 0]
        assert logp.std() < 0.02


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_temperature_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match=r"heated: temperature returns \S+, not a number above 0"):
        run(Heated(wrong))
