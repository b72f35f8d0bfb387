"""Revisions of a policy's own samples: what they are read after, and what they are worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.rollout import optimize_rollout
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.rollout import RolloutStep
from overopt.methods.rollout import pit
from overopt.models.context import widen
from overopt.worlds.tokens import SEP, Tokens

from . import tiny


class Watched:
    """PIT that records its steps."""

    __name__ = "watched"
    Config, INPUTS, advantages = pit.Config, pit.INPUTS, staticmethod(pit.advantages)

    def __init__(self) -> None:
        self.steps: list[RolloutStep] = []

    def loss(self, config: Any, step: RolloutStep, /) -> Tensor:
        self.steps.append(step)
        return pit.loss(config, step)


def run(method: Any, share: float = 0.5, **changes: Any) -> Trajectory:
    reference = tiny.policy()
    policy = tiny.twin(reference)
    for model in (policy, reference):
        widen(model, 64)
    inputs = replace(tiny.run_inputs(policy, reference), **{"separator": SEP, **changes})
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 3, "learning_rate": 1e-2})
    return optimize_rollout(OpenedRollout(method, pit.Config(share=share)), settings, inputs)


def test_every_sample_has_a_revision_read_by_both_policies() -> None:
    method: Any = Watched()
    trajectory = run(method)
    assert trajectory.compute.samples_drawn == 3 * 8 * 4 * 2
    first = method.steps[0]
    for step in method.steps:
        revised = step.rollout.opponents
        assert revised is not None and step.opponents is not None
        assert revised.reward_BN.shape == step.rollout.reward_BN.shape == (8, 4)
        # the sampler is the policy as it stands at this step
        assert torch.allclose(step.opponents.policy_logp, revised.sampled.policy_logp, atol=1e-3)
    # at first the policy is the reference, in this form as well
    revised = first.rollout.opponents
    assert revised is not None
    assert torch.allclose(revised.sampled.policy_logp, revised.sampled.reference_logp, atol=1e-4)
    last = method.steps[-1].rollout.opponents
    assert last is not None
    assert not torch.allclose(last.sampled.policy_logp, last.sampled.reference_logp, atol=0.02)


def test_the_proxy_is_shown_the_prompt_and_never_the_sample_before() -> None:
    """Prompts that it reads are those of the task, each as often for revisions as for samples."""
    seen: list[Tokens] = []

    def reward(prompts: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        seen.append(prompts)
        return responses.length_N.astype(np.float64)

    run(pit, reward=reward)
    for samples, revisions in zip(seen[0:-1:2], seen[1::2], strict=True):
        assert np.array_equal(samples.ids_NT, revisions.ids_NT)


def test_texts_without_a_separator_are_refused() -> None:
    with pytest.raises(ValueError, match="a separator"):
        run(pit, separator=None)
