"""Model folders: genuine, deterministic, and the same policy when read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from overopt.errors import UserError
from overopt.models.folders import build_tokenizer, save_model
from overopt.models.policy import load_policy
from overopt.models.rewards.reward import load_reward
from overopt.models.starts.scratch import build_policy
from overopt.models.weights import evaluating
from overopt.spec.training import ArchitectureSpec

from . import tiny


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_policy_written_read_and_written_again_has_the_same_bytes(tmp_path: Path) -> None:
    model = tiny.policy(0)
    save_model(model, tmp_path / "first", tiny.VOCABULARY)
    loaded = load_policy(tmp_path / "first")
    save_model(loaded, tmp_path / "second", tiny.VOCABULARY)
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "second")
    assert not loaded.training
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, loaded.state_dict()[name])


def test_a_reward_model_written_read_and_written_again_has_the_same_bytes(tmp_path: Path) -> None:
    save_model(tiny.reward_model(0), tmp_path / "first", tiny.VOCABULARY)
    save_model(load_reward(tmp_path / "first"), tmp_path / "second", tiny.VOCABULARY)
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "second")


def test_a_folder_holds_no_pickle_and_opens_with_the_auto_classes(tmp_path: Path) -> None:
    save_model(tiny.policy(0), tmp_path / "policy", tiny.VOCABULARY)
    save_model(tiny.reward_model(0), tmp_path / "reward", tiny.VOCABULARY)
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".json", ".safetensors"}
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "policy")
    assert model.config.activation_function == "gelu_pytorch_tanh"
    assert model.generation_config.suppress_tokens == [0]
    reward = AutoModelForSequenceClassification.from_pretrained(tmp_path / "reward")
    assert reward.config.num_labels == 1
    assert reward.config.pad_token_id == 0


def test_the_saved_tokenizer_is_lossless_and_refuses_unknown_words(tmp_path: Path) -> None:
    save_model(tiny.policy(0), tmp_path, tiny.VOCABULARY)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    ids = [1, 4, 5, 2, 5, 4, 3]
    text = "<bos> red blue <sep> blue red <eos>"
    assert tokenizer(text)["input_ids"] == ids
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids, skip_special_tokens=True) == "red blue blue red"
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id) == (0, 1)
    assert (tokenizer.sep_token_id, tokenizer.eos_token_id) == (2, 3)
    assert tokenizer.convert_ids_to_tokens(range(len(tokenizer))) == list(tiny.VOCABULARY)
    with pytest.raises(Exception, match="Missing"):
        tokenizer("green")


def test_a_vocabulary_must_begin_with_the_special_tokens() -> None:
    with pytest.raises(ValueError, match="begin with"):
        build_tokenizer(("red", "blue"), 8)
    with pytest.raises(ValueError, match="distinct"):
        build_tokenizer((*tiny.VOCABULARY, "red"), 8)


def test_a_folder_without_a_model_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json"):
        load_policy(tmp_path)


def test_building_follows_its_seed_and_leaves_the_global_state() -> None:
    architecture = ArchitectureSpec(layers=2, width=8, heads=2)
    before = torch.random.get_rng_state()
    first, again, other = (build_policy(architecture, 9, 10, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [torch.cat([p.flatten() for p in m.parameters()]) for m in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    rates = [module.p for module in first.modules() if isinstance(module, torch.nn.Dropout)]
    assert rates
    assert set(rates) == {0.0}


def test_evaluating_restores_the_mode() -> None:
    model = tiny.policy(0).train()
    with evaluating(model):
        assert not model.training
        assert not torch.is_grad_enabled()
    assert model.training
    assert torch.is_grad_enabled()
