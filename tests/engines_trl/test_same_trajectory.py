"""The trl engine walks the native engine's way: same batches, same samples, same snapshots.

Tolerance: every column of a step's row agrees to 1e-4 of its size and 1e-5 in its unit. Single
weights are not compared: where a gradient is zero but for rounding, as of the attention's key
biases, AdamW turns the rounding's sign into a step of the learning rate.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from engines import tiny
from overopt.engines.walk.trajectory import Trajectory
from overopt.methods.merge import warp
from overopt.methods.pairs import dpo, dr_dpo, ipo, mapo, sparsepo, tr_dpo
from overopt.methods.rollout import chi2_rl, elastic_reset, ppo, rloo
from overopt.worlds.tokens import BOS, EOS, PAD

from . import runs

RELATIVE, ABSOLUTE = 1e-4, 1e-5


def assert_same(native: Trajectory, inside: Trajectory, relative: float = RELATIVE) -> None:
    rows: list[Any] = list(native.rows)
    assert [row.step for row in inside.rows] == [row.step for row in rows]
    for column in rows[0]._fields:
        for ours, theirs in zip(rows, inside.rows, strict=True):
            if column == "accuracy" and ours.step == 1:
                continue  # the policy is the reference still: every margin is rounding
            expected = getattr(ours, column)
            if expected is None:
                assert getattr(theirs, column) is None
            else:
                assert getattr(theirs, column) == pytest.approx(
                    expected, rel=relative, abs=ABSOLUTE
                ), f"{column} of step {ours.step}"
    assert inside.compute == native.compute
    assert inside.unreached_nats == native.unreached_nats
    assert len(inside.snapshots) == len(native.snapshots)
    for theirs_kept, ours_kept in zip(inside.snapshots, native.snapshots, strict=True):
        assert theirs_kept.step == ours_kept.step
        assert theirs_kept.budgets_nats == ours_kept.budgets_nats
        assert theirs_kept.compute == ours_kept.compute
        assert theirs_kept.state.keys() == ours_kept.state.keys()


@pytest.mark.parametrize("method", [dpo, ipo])
@pytest.mark.parametrize("options", [{}, {"micro_batch": 5}, {"gradient_checkpointing": True}])
def test_pairs(method: ModuleType, options: dict[str, Any], tmp_path: Path) -> None:
    budgets = (0.05, 0.3, 1.0)
    native = runs.pairs_natively(method, method.Config(), budgets, tiny.PAIRS)
    where = runs.setup(tmp_path, **options)
    inside = runs.pairs_in_trl(method, method.Config(), budgets, tiny.PAIRS, where)
    assert_same(native, inside)
    assert [kept for one in inside.snapshots for kept in one.budgets_nats] == list(budgets)


@pytest.mark.parametrize("options", [{}, {"micro_batch": 12}, {"gradient_checkpointing": True}])
def test_fresh_samples(options: dict[str, Any], tmp_path: Path) -> None:
    budgets, config = (0.1, 0.5, 1.0), rloo.Config(beta=0.05)
    native = runs.rollouts_natively(rloo, config, budgets, tiny.ROLLOUT)
    where = runs.setup(tmp_path, **options)
    inside = runs.rollouts_in_trl(rloo, config, budgets, tiny.ROLLOUT, where)
    assert_same(native, inside)
    assert [kept for one in inside.snapshots for kept in one.budgets_nats] == list(budgets)


SHORT_PAIRS = tiny.PAIRS.model_copy(update={"max_steps": 12})
SHORT_ROLLOUT = tiny.ROLLOUT.model_copy(update={"max_steps": 14})
PASSES: list[dict[str, Any]] = [{}, {"micro_batch": 12}, {"gradient_checkpointing": True}]


@pytest.mark.parametrize(("method", "relative"), [(sparsepo, runs.OF_ROUNDING), (mapo, RELATIVE)])
@pytest.mark.parametrize("options", PASSES)
def test_pairs_with_masks_and_forward_kl(
    method: ModuleType, relative: float, options: dict[str, Any], tmp_path: Path
) -> None:
    native = runs.pairs_natively(method, method.Config(), (0.02, 50.0), SHORT_PAIRS)
    where = runs.setup(tmp_path, **options)
    inside = runs.pairs_in_trl(method, method.Config(), (0.02, 50.0), SHORT_PAIRS, where)
    assert_same(native, inside, relative)
    assert inside.compute.gradient_steps == 12


@pytest.mark.parametrize(
    ("method", "config"), [(tr_dpo, tr_dpo.Config(sync_steps=3)), (dr_dpo, dr_dpo.Config(beta=1.0))]
)
def test_pairs_with_an_anchor_or_a_loss_of_the_whole_batch(
    method: ModuleType, config: Any, tmp_path: Path
) -> None:
    native = runs.pairs_natively(method, config, (0.02, 50.0), SHORT_PAIRS)
    where = runs.setup(tmp_path, micro_batch=6)
    inside = runs.pairs_in_trl(method, config, (0.02, 50.0), SHORT_PAIRS, where)
    assert_same(native, inside)


@pytest.mark.parametrize(
    ("method", "config"),
    [
        (ppo, ppo.Config(beta=0.01)),
        (ppo, ppo.Config(epochs=2, minibatches=3)),  # 8 prompts: 3, 3 and 2 of them
        (elastic_reset, elastic_reset.Config(reset_steps=5, decay=0.7, epochs=3)),
        (chi2_rl, chi2_rl.Config()),
        (warp, warp.Config(mu=0.2)),
    ],
)
@pytest.mark.parametrize("options", PASSES)
def test_fresh_samples_with_epochs_values_hooks_and_anchors(
    method: ModuleType, config: Any, options: dict[str, Any], tmp_path: Path
) -> None:
    native = runs.rollouts_natively(method, config, (0.02, 50.0), SHORT_ROLLOUT)
    where = runs.setup(tmp_path, **options)
    inside = runs.rollouts_in_trl(method, config, (0.02, 50.0), SHORT_ROLLOUT, where)
    assert_same(native, inside)
    assert inside.compute.gradient_steps == 14


def test_without_budgets_the_last_policy_is_kept(tmp_path: Path) -> None:
    settings = tiny.PAIRS.model_copy(update={"max_steps": 7})
    native = runs.pairs_natively(dpo, dpo.Config(), (), settings)
    inside = runs.pairs_in_trl(dpo, dpo.Config(), (), settings, runs.setup(tmp_path))
    assert_same(native, inside)
    assert [kept.step for kept in inside.snapshots] == [7]


def test_without_budgets_the_last_policy_of_fresh_samples_is_kept(tmp_path: Path) -> None:
    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 4})
    native = runs.rollouts_natively(rloo, rloo.Config(), (), settings)
    inside = runs.rollouts_in_trl(rloo, rloo.Config(), (), settings, runs.setup(tmp_path))
    assert_same(native, inside)
    assert [kept.step for kept in inside.snapshots] == [4]
    assert inside.rows[-1].loss is None


def test_an_odd_last_batch_counts_like_any_other(tmp_path: Path) -> None:
    settings = tiny.PAIRS.model_copy(update={"batch_size": 9, "max_steps": 10})
    native = runs.pairs_natively(dpo, dpo.Config(), (), settings)  # 64 = 7 * 9 + 1 pairs
    where = runs.setup(tmp_path, micro_batch=2)
    assert_same(native, runs.pairs_in_trl(dpo, dpo.Config(), (), settings, where))


def other_family(family: str) -> PreTrainedModel:
    """A decoder with rotary positions and a head of its own."""
    config = AutoConfig.for_model(
        family,
        vocab_size=tiny.VOCABULARY_SIZE,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=tiny.CONTEXT_TOKENS,
        initializer_range=0.3,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    assert model.generation_config is not None
    model.generation_config.suppress_tokens = [0]
    return model.eval()


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox"])
def test_other_families_of_decoders(family: str, tmp_path: Path) -> None:
    begin = partial(other_family, family)
    pairs = tiny.PAIRS.model_copy(update={"max_steps": 6})
    assert_same(
        runs.pairs_natively(dpo, dpo.Config(), (), pairs, begin),
        runs.pairs_in_trl(dpo, dpo.Config(), (), pairs, runs.setup(tmp_path), begin=begin),
    )
    rollout = tiny.ROLLOUT.model_copy(update={"max_steps": 4})
    config = rloo.Config(beta=0.05)
    assert_same(
        runs.rollouts_natively(rloo, config, (), rollout, begin),
        runs.rollouts_in_trl(rloo, config, (), rollout, runs.setup(tmp_path), begin=begin),
    )


def test_dropout_is_zeroed(tmp_path: Path) -> None:
    def begin() -> PreTrainedModel:
        policy = tiny.policy()
        for module in policy.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.5
        return policy

    settings = tiny.ROLLOUT.model_copy(update={"max_steps": 4})
    native = runs.rollouts_natively(rloo, rloo.Config(), (), settings)
    where = runs.setup(tmp_path)
    assert_same(native, runs.rollouts_in_trl(rloo, rloo.Config(), (), settings, where, begin=begin))


def test_fewer_prompts_than_a_step_asks_for_are_all_used(tmp_path: Path) -> None:
    settings = tiny.ROLLOUT.model_copy(update={"prompts_per_step": 100, "max_steps": 3})
    native = runs.rollouts_natively(rloo, rloo.Config(), (), settings)
    inside = runs.rollouts_in_trl(rloo, rloo.Config(), (), settings, runs.setup(tmp_path))
    assert_same(native, inside)
    assert inside.compute.gradient_steps == 3
