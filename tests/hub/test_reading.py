"""Hub worlds against transformers itself: same ids, same text, same scores, same distribution."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from overopt.artifacts.golds.classifier import ClassifierGold
from overopt.catalog.toml_files import load_task
from overopt.models.folders import save_model
from overopt.models.hub import load_base, load_causal
from overopt.models.logprobs import kl_statistics, score_logps, suppressed_ids
from overopt.models.policy import load_policy
from overopt.models.rewards.reward import load_reward, score
from overopt.models.rewards.reward_fitting import train_reward
from overopt.models.sampling import sample
from overopt.spec.hub import DataOrigin
from overopt.spec.origins import ModelOrigin, ReaderOrigin
from overopt.spec.training import TrainingSpec
from overopt.worlds.contract import lexicon, render, stop_ids
from overopt.worlds.hub.conversations import Turn
from overopt.worlds.hub.data import read_examples
from overopt.worlds.hub.text import FolderTokenizer
from overopt.worlds.hub.world import HubWorld, tokens_of
from overopt.worlds.hub.world import build as build_hub
from overopt.worlds.preferences import Preferences
from overopt.worlds.tokens import Tokens

from . import folders

FAMILIES = ("gpt2", "llama", "qwen2", "gpt_neox")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy and a gold of every family, a table, and a task of each policy."""
    place = tmp_path_factory.mktemp("families")
    for number, family in enumerate(FAMILIES):
        home = place / family
        folders.write_folder(home / "policy", family, template=folders.CHAT, seed=number)
        folders.write_folder(
            home / "gold", family, classifier=True, template=folders.CHAT, seed=10 + number
        )
        folders.write_table(home / "rows.parquet")
        folders.write_task(home)
    return place


def world_of(place: Path, family: str, **hub: Any) -> HubWorld:
    spec = load_task(str(place / family / "mine.toml")).world
    assert spec.hub is not None
    return build_hub(spec.model_copy(update={"hub": spec.hub.model_copy(update=hub)}))


def ids(tokens: Tokens) -> list[list[int]]:
    rows = zip(tokens.ids_NT, tokens.length_N, strict=True)
    return [ids_T[:length].tolist() for ids_T, length in rows]


@pytest.mark.parametrize("family", FAMILIES)
def test_prompts_are_those_of_transformers(place: Path, family: str) -> None:
    theirs = AutoTokenizer.from_pretrained(place / family / "policy")
    plain = world_of(place, family)
    texts = [turns[0].content + "\n" for turns in plain.conversations(plain.heldout_prompts)]
    assert ids(plain.heldout_prompts) == theirs(texts)["input_ids"]
    chat = world_of(place, family, format="chat")
    prompts = chat.heldout_prompts
    asked = [
        theirs.apply_chat_template(
            [{"role": "user", "content": turns[0].content}],
            add_generation_prompt=True,
            return_dict=False,
        )
        for turns in chat.conversations(prompts)
    ]
    assert ids(prompts) == asked
    decoded = theirs.batch_decode(ids(prompts), skip_special_tokens=True)
    assert render(chat, prompts) == decoded


@pytest.mark.parametrize("family", FAMILIES)
def test_world_keeps_its_promises(place: Path, family: str) -> None:
    world = world_of(place, family)
    train, heldout = world.train_prompts, world.heldout_prompts
    assert (train.rows(), heldout.rows()) == (24, 6)
    everything = [tuple(row) for row in ids(train) + ids(heldout)]
    assert len(set(everything)) == 30
    fewer = load_task(str(place / family / "mine.toml")).world.model_copy(
        update={"train_prompts": 3}
    )
    again = build_hub(fewer)
    assert ids(again.heldout_prompts) == ids(heldout)
    assert ids(again.train_prompts) == ids(train)[:3]
    text = world.references(train, np.random.default_rng(0))
    assert text.length_N.max() == world.response_tokens_max
    short_N = text.length_N < world.response_tokens_max
    assert text.ends_with(stop_ids(world))[short_N].all()
    gold_N = world.gold(train, text)
    assert ((gold_N > 0) & (gold_N <= 1)).all()
    assert world.gold_terms(train, text)["overlap"].tolist() == gold_N.tolist()
    assert world.responses is None and max(world.stop_ids) < len(world.vocabulary)


def test_rule_counts_common_words(place: Path, tmp_path: Path) -> None:
    home = tmp_path / "gpt2"
    (home).mkdir()
    (home / "policy").symlink_to(place / "gpt2" / "policy")
    row = folders.Row("Say it, please.", "One two, two three!", "no")
    folders.write_table(
        home / "rows.parquet", [row._replace(prompt=f"Say it {n} times.") for n in range(40)]
    )
    folders.write_task(home)
    world = world_of(tmp_path, "gpt2")
    tokenizer = FolderTokenizer(home / "policy", "policy")
    said = tokenizer.encode(["two TWO four", "", "one two two three"], False)
    gold_N = world.gold(world.train_prompts.take(np.arange(3)), tokens_of(said))
    # common: two, two of 3 and 4 words
    np.testing.assert_allclose(gold_N, [4 / 7, 0.0, 1.0])


@pytest.mark.parametrize("family", FAMILIES)
def test_policy_is_the_folders_whole_softmax(place: Path, family: str, tmp_path: Path) -> None:
    world = world_of(place, family)
    model = load_causal(ModelOrigin(path=str(place / family / "policy")), stop_ids(world))
    save_model(model, tmp_path / "model", lexicon(world))
    again = load_policy(tmp_path / "model")
    assert suppressed_ids(again) == []
    prompts = world.heldout_prompts
    drawn = sample(again, prompts, 40, 10, torch.Generator().manual_seed(0), batch_rows=77)
    rows = prompts.take(np.repeat(np.arange(6), 40))
    logp_NT = score_logps(model, rows, drawn.responses)
    np.testing.assert_allclose(drawn.logp_NT, logp_NT, atol=2e-5)
    # 0 is a token like any other: here it is sampled, and stays inside responses
    assert (drawn.responses.ids_NT == 0)[drawn.responses.mask_NT].any()
    inner_NT = drawn.responses.mask_NT.copy()
    inner_NT[np.arange(240), drawn.responses.length_N - 1] = False
    assert not np.isin(drawn.responses.ids_NT[inner_NT], world.stop_ids).any()
    full_N = drawn.responses.length_N == 10
    assert (drawn.responses.ends_with(world.stop_ids) | full_N).all() and not full_N.all()
    kl = kl_statistics(model, again, rows, drawn.responses)
    np.testing.assert_allclose(kl.rb_N, 0.0, atol=1e-6)
    opened = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert opened.eos_token_id == world.stop_ids[0]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["{prompt}\n{response}", "chat"])
def test_gold_is_what_transformers_scores(place: Path, family: str, form: str) -> None:
    """One text at a time, without padding: the use that a classifier's own page shows."""
    reader = FAMILIES[(FAMILIES.index(family) + 1) % 4]
    folder = place / reader / "gold"
    world = world_of(place, family)
    prompts = world.train_prompts
    responses = world.references(prompts, np.random.default_rng(0))
    gold_N = ClassifierGold(ReaderOrigin(path=str(folder), format=form), world)(prompts, responses)
    theirs = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForSequenceClassification.from_pretrained(folder)
    model.eval()
    for n, (turns, text) in enumerate(
        zip(world.conversations(prompts), world.decode(responses), strict=True)
    ):
        if form == "chat":
            messages = [turns[0]._asdict(), {"role": "assistant", "content": text}]
            row = theirs.apply_chat_template(messages, return_dict=False)
        else:
            row = theirs(f"{turns[0].content}\n{text}")["input_ids"]
        row = row[:1] + row[1:][-(folders.CONTEXT - 1) :]
        with torch.no_grad():
            expected = model(torch.tensor([row])).logits
        assert gold_N[n] == pytest.approx(expected.item(), abs=1e-4)


def test_gold_of_several_outputs_is_log_odds(place: Path) -> None:
    world = world_of(place, "llama")
    folder = place / "three"
    tokenizer = folders.write_tokenizer(folder, "gpt_neox")
    config = folders.configuration("gpt_neox", tokenizer, num_labels=3, initializer_range=0.5)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(folder)
    origin = ReaderOrigin(path=str(folder), label="LABEL_1", format="{prompt}{response}")
    prompts = world.heldout_prompts
    responses = world.references(prompts, np.random.default_rng(0))
    gold = ClassifierGold(origin, world)
    gold_N = gold(prompts, responses)
    others = [
        ClassifierGold(origin.model_copy(update={"label": str(k)}), world)(prompts, responses)
        for k in (0, 2)
    ]
    probability_N = sum(1 / (1 + np.exp(-one)) for one in (gold_N, *others))
    np.testing.assert_allclose(probability_N, 1.0, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_proxy_from_a_causal_folder(place: Path, family: str, tmp_path: Path) -> None:
    """A fresh head is drawn from the seed; rewards are read at the last token, whatever it is."""
    world = world_of(place, family)
    origin = ModelOrigin(path=str(place / family / "policy"))
    state = torch.random.get_rng_state()
    model, twin, other = (load_base(origin, "policy", seed) for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert torch.equal(model.score.weight, twin.score.weight)
    assert not torch.equal(model.score.weight, other.score.weight)
    pairs = world.pairs
    prompts = world.train_prompts.take(pairs.prompt_id_P)
    preferences = Preferences(prompts, pairs.chosen, pairs.rejected)
    training = TrainingSpec.model_validate({"learning_rate": 1e-2, "batch_size": 8, "epochs": 4})
    trained = train_reward(model, preferences, preferences, training, np.random.default_rng(0))
    assert trained.heldout_accuracy > 0.6
    save_model(model, tmp_path / "model", lexicon(world))
    again = load_reward(tmp_path / "model")
    reward_N = score(again, prompts, pairs.chosen)
    np.testing.assert_allclose(reward_N, score(model, prompts, pairs.chosen), atol=1e-6)
    one = [
        score(again, prompts.take(np.array([n])), pairs.chosen.take(np.array([n])))[0]
        for n in range(24)
    ]
    np.testing.assert_allclose(reward_N, one, atol=1e-5)


def test_layouts_of_tables(tmp_path: Path) -> None:
    talk = "\n\nHuman: Hi.\n\nAssistant: Hello.\n\nHuman: How are you?\n\nAssistant: "
    turns = (Turn("user", "Hi."), Turn("assistant", "Hello."), Turn("user", "How are you?"))
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"chosen": talk + "Well.", "rejected": talk + "Bad."}))
    origin = DataOrigin(path=str(path), layout="dialogue", chosen="chosen", rejected="rejected")
    assert read_examples(origin, "data") == [(turns, None, "Well.", "Bad.")]
    messages = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Yes?"}]
    path = tmp_path / "messages.json"
    path.write_text(json.dumps([{"chosen": messages, "rejected": [*messages[:1], messages[1]]}]))
    origin = origin.model_copy(update={"path": str(path), "layout": "messages"})
    assert read_examples(origin, "data") == [((Turn("user", "Hi."),), None, "Yes?", "Yes?")]
    path = tmp_path / "farm.jsonl"
    path.write_text(
        '{"instruction": "Add.", "input": "1 2", "output": " 3"}\n'
        '{"instruction": "Stop.", "input": "", "output": ""}\n'
    )
    farm = DataOrigin(path=str(path), prompt="{instruction}\n\n{input}", reference="output")
    assert read_examples(farm, "data") == [((Turn("user", "Add.\n\n1 2"),), " 3", None, None)]
