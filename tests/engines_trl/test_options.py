"""Options of the trl engine, its traps, and the sentences for what it cannot run with."""

from __future__ import annotations

import os
import random
import socket
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import trl
from accelerate import Accelerator
from accelerate.utils import DistributedType
from torch import Tensor
from transformers import PreTrainedModel

from engines import tiny
from overopt.engines.method.rollout import OpenedRollout
from overopt.engines.sample_data import RolloutRow
from overopt.engines.trl.head import exclude_suppressed, fused_response_logps
from overopt.engines.trl.rollout import RolloutRun
from overopt.engines.trl.token_lists import from_lists, to_lists
from overopt.engines.trl.version import check_extra, check_versions
from overopt.errors import UserError
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.merge import warp
from overopt.methods.pairs import dpo
from overopt.methods.rollout import elastic_reset, ppo, rloo
from overopt.models.folders import save_model
from overopt.models.logprobs import predict_logps, response_logps
from overopt.models.policy import load_policy
from overopt.models.sequences import join
from overopt.worlds.tokens import PAD, Tokens

from . import runs

SHORT_PAIRS = tiny.PAIRS.model_copy(update={"max_steps": 3})
SHORT_ROLLOUT = tiny.ROLLOUT.model_copy(update={"max_steps": 3})


def test_the_head_of_trl_gives_our_log_probabilities_and_gradient() -> None:
    ours, theirs = tiny.policy(), tiny.policy()
    pairs = tiny.preferences(ours)
    batch = join(pairs.prompts, pairs.chosen)
    expected_BT = response_logps(ours, batch)
    from trl.trainer.utils import add_fused_lm_head

    exclude_suppressed(theirs)
    add_fused_lm_head(theirs)
    found_BT = fused_response_logps(theirs, batch)
    torch.testing.assert_close(found_BT, expected_BT, rtol=1e-5, atol=1e-6)
    expected = torch.autograd.grad(expected_BT.square().sum(), list(ours.parameters()))
    found = torch.autograd.grad(found_BT.square().sum(), list(theirs.parameters()))
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=3e-5)


def test_pad_has_no_probability_in_the_head_and_leaves_no_trace_in_the_weights(
    tmp_path: Path,
) -> None:
    policy = tiny.policy()
    names = list(policy.state_dict())
    exclude_suppressed(policy)
    pairs = tiny.preferences(tiny.policy())
    batch = join(pairs.prompts, pairs.chosen)
    logits = policy(input_ids=batch.ids_BL, attention_mask=batch.attention_BL).logits
    assert torch.log_softmax(logits, -1)[..., PAD].max() < -1e20
    torch.testing.assert_close(predict_logps(policy, batch), predict_logps(tiny.policy(), batch))
    assert list(policy.state_dict()) == names
    vocabulary = list(runs.tokenizer().get_vocab())
    save_model(policy, tmp_path, sorted(vocabulary, key=runs.tokenizer().get_vocab().__getitem__))
    assert torch.equal(
        load_policy(tmp_path).get_input_embeddings().weight, policy.get_input_embeddings().weight
    )


def test_lists_of_ids_and_back() -> None:
    tokens = Tokens.from_flat(np.array([1, 5, 3, 1, 3, 7, 7, 7]), np.array([3, 0, 1, 4]))
    back = from_lists(to_lists(tokens))
    assert np.array_equal(back.ids_NT, tokens.ids_NT)
    assert np.array_equal(back.length_N, tokens.length_N)


def test_the_reward_sees_the_sampled_ids_with_their_end(tmp_path: Path) -> None:
    seen: list[Tokens] = []

    def reward(prompts: Tokens, responses: Tokens) -> Any:
        seen.append(responses)
        return tiny.reward(prompts, responses)

    inside = runs.rollouts_in_trl(
        rloo, rloo.Config(), (), SHORT_ROLLOUT, runs.setup(tmp_path), reward=reward
    )
    assert any(one.finished_N.any() for one in seen)
    means = [row.length_mean for row in inside.rows if isinstance(row, RolloutRow)]
    assert means == pytest.approx([one.length_N.mean() for one in seen])


def test_transformers_may_sample_instead(tmp_path: Path) -> None:
    where = runs.setup(tmp_path, generation="transformers")
    inside = runs.rollouts_in_trl(rloo, rloo.Config(), (), SHORT_ROLLOUT, where)
    again = runs.rollouts_in_trl(rloo, rloo.Config(), (), SHORT_ROLLOUT, where)
    assert inside.rows == again.rows
    assert [row.step for row in inside.rows] == [0, 1, 2, 3]
    native = runs.rollouts_natively(rloo, rloo.Config(), (), SHORT_ROLLOUT)
    first, ours = inside.rows[0], native.rows[0]
    assert isinstance(first, RolloutRow) and isinstance(ours, RolloutRow)
    # other samples of the same policy: 32 responses of at most 6 tokens
    assert first.length_mean == pytest.approx(ours.length_mean, abs=2.0)
    assert first.kl_nats == pytest.approx(0.0, abs=1e-5)
    assert first.length_mean != ours.length_mean


def test_bf16_walks_nearly_the_same_way_and_is_forgotten_afterwards(tmp_path: Path) -> None:
    native = runs.pairs_natively(dpo, dpo.Config(), (), SHORT_PAIRS)
    where = runs.setup(tmp_path, bf16=True)
    inside = runs.pairs_in_trl(dpo, dpo.Config(), (), SHORT_PAIRS, where)
    losses = [row.loss for row in inside.rows]
    assert losses == pytest.approx([row.loss for row in native.rows], rel=0.02)
    assert losses != [row.loss for row in native.rows]
    assert Accelerator().mixed_precision == "no"
    drawn = runs.rollouts_in_trl(rloo, rloo.Config(), (), SHORT_ROLLOUT, where)
    assert drawn.rows[0].kl_nats == pytest.approx(0.0, abs=1e-7)  # the reference rounds alike


def test_bf16_with_a_value_head_and_an_anchor(tmp_path: Path) -> None:
    where = runs.setup(tmp_path, bf16=True)
    for method, config in ((ppo, ppo.Config(epochs=2)), (warp, warp.Config(mu=0.5))):
        native = runs.rollouts_natively(method, config, (), SHORT_ROLLOUT)
        inside = runs.rollouts_in_trl(method, config, (), SHORT_ROLLOUT, where)
        first, ours = inside.rows[0], native.rows[0]
        # rounding changes few samples of the first rollout, and the steps on it hardly
        assert first.loss == pytest.approx(ours.loss, abs=0.1)
        assert first.loss != ours.loss
        assert inside.compute.gradient_steps == 3
        assert [row.step for row in inside.rows] == [row.step for row in native.rows]


def test_global_generators_and_environment_are_left_alone(tmp_path: Path) -> None:
    def numpy_state() -> Any:
        state: Any = np.random.get_state()  # noqa: NPY002  # the legacy generator, which TRL seeds
        return state[1]

    before = (random.getstate(), torch.get_rng_state(), dict(os.environ))
    legacy = numpy_state()
    runs.rollouts_in_trl(rloo, rloo.Config(), (), SHORT_ROLLOUT, runs.setup(tmp_path))
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert dict(os.environ) == before[2]
    assert np.array_equal(legacy, numpy_state())


def test_nothing_reaches_for_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    where = runs.setup(tmp_path, checkpoint_steps=2)
    runs.pairs_in_trl(dpo, dpo.Config(), (), SHORT_PAIRS, where)
    runs.rollouts_in_trl(
        rloo, rloo.Config(), (), SHORT_ROLLOUT, where._replace(checkpoints=tmp_path / "b")
    )


def test_a_loss_that_is_not_finite_names_method_and_step(tmp_path: Path) -> None:
    settings = tiny.PAIRS.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(FloatingPointError, match=r"^dpo: step 2: loss nan"):
        runs.pairs_in_trl(dpo, dpo.Config(), (), settings, runs.setup(tmp_path))


def test_a_gradient_that_is_not_finite_names_method_and_step(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"^rloo: step 1: loss (-?inf|nan)"):
        runs.rollouts_in_trl(
            rloo,
            rloo.Config(),
            (),
            SHORT_ROLLOUT,
            runs.setup(tmp_path),
            reward=lambda prompts, responses: tiny.reward(prompts, responses) * 3e38,
        )


def test_a_reward_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="rloo: a reward of step 1 is not finite"):
        runs.rollouts_in_trl(
            rloo,
            rloo.Config(),
            (),
            SHORT_ROLLOUT,
            runs.setup(tmp_path),
            reward=lambda prompts, responses: tiny.reward(prompts, responses) * np.nan,
        )


@pytest.mark.parametrize("found", ["1.15.3", "1.17.0", None])
def test_other_versions_of_trl_are_refused(
    found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = metadata.version

    def version(library: str) -> str:
        if library != "trl":
            return known(library)
        if found is None:
            raise metadata.PackageNotFoundError(library)
        return found

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(UserError, match=r"knows trl <1\.17,>=1\.16, and (1\.1\d|none)") as told:
        check_versions()
    assert "--engine native" in str(told.value)


def test_installed_versions_are_known() -> None:
    check_versions()


def without(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Let a library look as if it were not installed."""
    known = metadata.version

    def version(asked: str) -> str:
        if asked == library:
            raise metadata.PackageNotFoundError(asked)
        return known(asked)

    monkeypatch.setattr(metadata, "version", version)


def test_a_missing_library_is_named() -> None:
    with pytest.raises(UserError, match=r"trl\.lora_rank needs no-such-library"):
        check_extra("no-such-library", "trl.lora_rank")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"learning_rate": 1.0}, "trl.arguments.learning_rate: the engine sets this"),
        ({"beta": 1.0}, "trl.arguments.beta: the engine sets this"),
        ({"no_such": 1}, "trl.arguments.no_such: TRL's configuration of the family pairs has no"),
    ],
)
def test_arguments_of_trl_are_checked(
    arguments: dict[str, float], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        runs.pairs_in_trl(
            dpo, dpo.Config(), (), SHORT_PAIRS, runs.setup(tmp_path, arguments=arguments)
        )


def test_arguments_of_trl_are_passed_on(tmp_path: Path) -> None:
    slow = runs.setup(tmp_path, arguments={"adam_beta1": 0.0})
    plain = runs.pairs_in_trl(dpo, dpo.Config(), (), SHORT_PAIRS, runs.setup(tmp_path))
    changed = runs.pairs_in_trl(dpo, dpo.Config(), (), SHORT_PAIRS, slow)
    assert changed.rows[0].loss == plain.rows[0].loss
    assert changed.rows[2].loss != plain.rows[2].loss


def test_uneven_shares_of_prompts_are_refused(tmp_path: Path) -> None:
    settings = SHORT_ROLLOUT.model_copy(update={"prompts_per_step": 7})
    with pytest.raises(UserError, match="7 prompts per step cannot be shared evenly by 2"):
        runs.rollouts_in_trl(rloo, rloo.Config(), (), settings, runs.setup(tmp_path, processes=2))


def test_fewer_processes_than_asked_for_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="2 processes were asked for, and 1 take part"):
        runs.pairs_in_trl(dpo, dpo.Config(), (), SHORT_PAIRS, runs.setup(tmp_path, processes=2))


def test_vllm_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "vllm")
    where = runs.setup(tmp_path, generation="vllm", arguments={"vllm_mode": "colocate"})
    with pytest.raises(UserError, match=r"trl\.generation = vllm needs vllm, which is not"):
        runs.rollouts_in_trl(rloo, rloo.Config(), (), SHORT_ROLLOUT, where)


def test_hooks_on_weights_are_refused_with_adapters(tmp_path: Path) -> None:
    where = runs.setup(tmp_path, lora_rank=4)
    with pytest.raises(UserError, match="elastic_reset acts on the policy's weights between steps"):
        runs.rollouts_in_trl(elastic_reset, elastic_reset.Config(), (), SHORT_ROLLOUT, where)


def test_a_module_is_refused_where_weights_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accelerator, "distributed_type", DistributedType.FSDP)
    inputs = tiny.run_inputs(tiny.policy(), tiny.policy())
    run = RolloutRun(OpenedRollout(ppo, ppo.Config()), tiny.ROLLOUT, inputs, 1, "overopt")
    run.trainer = SimpleNamespace(accelerator=Accelerator())
    with pytest.raises(UserError, match="ppo: a method with a module or hooks needs the policy"):
        run.begin()


def test_a_policy_that_may_emit_every_token_keeps_its_head_and_walks_the_same_way(
    tmp_path: Path,
) -> None:
    def begin() -> PreTrainedModel:
        policy = tiny.policy()
        assert policy.generation_config is not None
        policy.generation_config.suppress_tokens = None
        return policy

    policy = begin()
    exclude_suppressed(policy)
    assert policy.get_output_embeddings().bias is None
    native = runs.pairs_natively(dpo, dpo.Config(), (), SHORT_PAIRS, begin)
    inside = runs.pairs_in_trl(
        dpo, dpo.Config(), (), SHORT_PAIRS, runs.setup(tmp_path), begin=begin
    )
    assert [row.loss for row in inside.rows] == pytest.approx([row.loss for row in native.rows])
    assert inside.rows[-1].kl_nats == pytest.approx(native.rows[-1].kl_nats, rel=1e-4)


def test_a_loss_over_the_whole_batch_is_exact_in_parts(tmp_path: Path) -> None:
    def loss(config: Any, batch: PairBatch) -> Tensor:
        margin_B = batch.chosen.log_ratio - batch.rejected.log_ratio
        return torch.nn.functional.softplus(-(1.0 + margin_B.mean()) * margin_B)

    method: Any = ModuleType("overopt.methods.batchwise")
    vars(method).update(loss=loss)
    native = runs.pairs_natively(method, dpo.Config(), (), SHORT_PAIRS)
    where = runs.setup(tmp_path, micro_batch=5)
    inside = runs.pairs_in_trl(method, dpo.Config(), (), SHORT_PAIRS, where)
    for column in ("loss", "gradient_norm", "chosen_log_ratio_nats"):
        ours, theirs = ([getattr(row, column) for row in one.rows] for one in (native, inside))
        assert theirs == pytest.approx(ours, rel=1e-4, abs=1e-5)


def test_a_private_part_that_has_moved_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(trl.RLOOTrainer, "_calculate_rewards")
    with pytest.raises(UserError, match=r"RLOOTrainer has no _calculate_rewards"):
        runs.pairs_in_trl(dpo, dpo.Config(), (), SHORT_PAIRS, runs.setup(tmp_path))
