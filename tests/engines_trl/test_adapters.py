"""Low-rank adapters (PEFT): trained alone, compared with the policy without them, kept merged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engines import tiny
from overopt.methods.pairs import dpo, sparsepo
from overopt.methods.rollout import ppo, rloo

from . import runs
from .test_resuming import Killed, assert_identical, kill_after


def test_only_adapters_move_and_snapshots_are_full_policies(tmp_path: Path) -> None:
    where = runs.setup(tmp_path, lora_rank=4)
    inside = runs.pairs_in_trl(dpo, dpo.Config(), (0.02,), tiny.PAIRS, where)
    start = tiny.policy()
    last = inside.snapshots[-1]
    moved = {
        name for name, value in start.state_dict().items() if not value.equal(last.state[name])
    }
    assert moved == {
        name
        for name, value in start.named_parameters()
        if value.dim() == 2 and ("attn.c_" in name or "mlp.c_" in name)
    }
    policy = tiny.policy(seed=1)
    policy.load_state_dict(last.state)
    assert runs.probe(policy, start) == pytest.approx(last.kl_nats, rel=1e-4)
    assert last.kl_nats > 0.01


def test_fresh_samples_with_adapters(tmp_path: Path) -> None:
    settings = tiny.ROLLOUT.model_copy(update={"learning_rate": 0.02, "max_steps": 8})
    where = runs.setup(tmp_path, lora_rank=4, gradient_checkpointing=True)
    inside = runs.rollouts_in_trl(rloo, rloo.Config(beta=0.01), (), settings, where)
    assert inside.rows[0].kl_nats == pytest.approx(0.0, abs=1e-6)
    assert inside.rows[-1].kl_nats is not None and inside.rows[-1].kl_nats > 0.01
    policy = tiny.policy(seed=1)
    policy.load_state_dict(inside.snapshots[-1].state)
    assert not torch.equal(
        policy.transformer.h[0].attn.c_attn.weight,
        tiny.policy().transformer.h[0].attn.c_attn.weight,
    )


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_value_head_beside_adapters(checkpointing: bool, tmp_path: Path) -> None:
    settings = tiny.ROLLOUT.model_copy(update={"learning_rate": 0.02, "max_steps": 8})
    where = runs.setup(tmp_path, lora_rank=4, gradient_checkpointing=checkpointing)
    inside = runs.rollouts_in_trl(ppo, ppo.Config(epochs=2), (), settings, where)
    assert inside.rows[0].kl_nats == pytest.approx(0.0, abs=1e-6)
    assert inside.rows[-1].kl_nats is not None and inside.rows[-1].kl_nats > 0.01


def test_masks_of_the_reference_beside_adapters(tmp_path: Path) -> None:
    where = runs.setup(tmp_path, lora_rank=4)
    inside = runs.pairs_in_trl(sparsepo, sparsepo.Config(), (0.02,), tiny.PAIRS, where)
    native = runs.pairs_natively(sparsepo, sparsepo.Config(), (0.02,), tiny.PAIRS)
    # the adapters start at zero, so that the first loss is that of the whole policy
    assert inside.rows[0].loss == pytest.approx(native.rows[0].loss, rel=1e-5)
    assert inside.snapshots[-1].kl_nats > 0.01


def test_a_killed_run_with_adapters_ends_like_one_that_was_not(tmp_path: Path) -> None:
    settings = tiny.PAIRS.model_copy(update={"max_steps": 9})
    where = runs.setup(tmp_path / "whole", lora_rank=4, checkpoint_steps=3)
    again = where._replace(checkpoints=tmp_path / "killed")
    budgets = (0.001, 50.0)
    whole = runs.pairs_in_trl(dpo, dpo.Config(), budgets, settings, where)
    with pytest.raises(Killed):
        runs.pairs_in_trl(dpo, dpo.Config(), budgets, settings, again, kill_after(8))
    assert_identical(whole, runs.pairs_in_trl(dpo, dpo.Config(), budgets, settings, again))
