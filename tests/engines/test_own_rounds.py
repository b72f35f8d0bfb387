"""Methods of rounds in the engine: what they rank by, and that they stay finite."""

from __future__ import annotations

import math
import types
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.engines.contract import Reward
from overopt.engines.iterative import optimize_iterative
from overopt.engines.method.iterative import OpenedIterative
from overopt.engines.sample_data import RolloutRow
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.contract.iterative import RowPairs
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.samples import Rollout
from overopt.methods.iterative import cream, rwr
from overopt.worlds.tokens import Tokens

from . import tiny


def optimize(
    method: Any,
    config: Any,
    max_steps: int,
    start: PreTrainedModel | None = None,
    taste: Reward | None = None,
) -> Trajectory:
    """A run without warm-up, from the initial policy where nothing else is said."""
    inputs = tiny.run_inputs(start or tiny.policy(), tiny.policy(), taste=taste)
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": max_steps, "warmup_steps": 0})
    return optimize_iterative(OpenedIterative(method, config), settings, inputs)


def test_creams_last_policy_is_that_of_the_round_before() -> None:
    """From the third round on the anchor is where the last round started, not the policy itself."""
    seen: list[Reading] = []

    def build(config: cream.Config, rollout: Rollout) -> RowPairs:
        seen.append(rollout.sampled)
        return cream.build(config, rollout)

    method: Any = types.SimpleNamespace(**{**vars(cream), "build": build})
    optimize(method, cream.Config(beta=1.0), 16)
    assert len(seen) == 4 and seen[0].anchor_logp is None
    for number, sampled in enumerate(seen[1:], start=2):
        anchor_BNT, mask_BNT = sampled.anchor_logp, sampled.mask > 0
        assert anchor_BNT is not None
        for logp_BNT, ever in ((sampled.reference_logp, 2), (sampled.policy_logp, 0)):
            is_anchor = torch.allclose(anchor_BNT[mask_BNT], logp_BNT[mask_BNT], atol=1e-3)
            assert is_anchor == (number == ever)


def test_a_run_that_goes_on_from_another_policy_ranks_by_it() -> None:
    """So do outer rounds, which start where the one before has ended: cream's first own reward is
    of that policy, and its last policy in the second round is that one, not the initial."""
    seen: list[tuple[Reading, torch.Tensor]] = []

    def build(config: cream.Config, rollout: Rollout) -> RowPairs:
        built = cream.build(config, rollout)
        seen.append((rollout.sampled, built.chosen_P))
        return built

    method: Any = types.SimpleNamespace(**{**vars(cream), "build": build})
    optimize(method, cream.Config(), 8, start=tiny.policy(1))
    (first, chosen_P), (second, _) = seen
    ratio_BN = first.log_ratio
    assert torch.equal(chosen_P % 4, ratio_BN.argmax(-1)[ratio_BN.amax(-1) > ratio_BN.amin(-1)])
    started_BNT = second.anchor_logp
    assert started_BNT is not None
    read = second.mask > 0
    assert not torch.allclose(started_BNT[read], second.reference_logp[read], atol=0.1)
    assert not torch.allclose(started_BNT[read], second.policy_logp[read], atol=1e-3)


def test_rwr_at_its_lowest_temperature_keeps_its_gradient_finite() -> None:
    """A reward of 8 SDs weighs e^80 there, whose square float32 does not hold."""

    def taste(asked: Tokens, responses: Tokens) -> npt.NDArray[np.float64]:
        liked_N: npt.NDArray[np.bool_] = (responses.ids_NT == tiny.LIKED).any(1)
        return np.where(liked_N, 8.0, 0.0)

    rows = optimize(rwr, rwr.Config(temperature=rwr.KNOB.low), 3, taste=taste).rows
    norms = [row.gradient_norm for row in rows[:-1] if isinstance(row, RolloutRow)]
    assert len(norms) == 3
    assert all(norm is not None and math.isfinite(norm) and norm > 1 for norm in norms)
