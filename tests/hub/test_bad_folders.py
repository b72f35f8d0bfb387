"""Whatever is wrong with a folder, a table or a name is told in one sentence, before any stage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import dynamic_module_utils

from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.models.folders import save_model
from overopt.models.hub import load_base, load_causal
from overopt.models.policy import load_policy
from overopt.run.sources import prepare
from overopt.spec.origins import ModelOrigin

from . import folders


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a good policy, gold, table and task."""
    place = tmp_path_factory.mktemp("whole")
    folders.write_folder(place / "policy", "gpt2")
    folders.write_folder(place / "gold", "llama", classifier=True)
    folders.write_table(place / "rows.parquet")
    return place


@pytest.fixture
def place(whole: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


JUDGE = '[classifier]\npath = "gold"\n'


def check(
    place: Path,
    gold: str = "classifier",
    tables: str = JUDGE,
    form: str = '"{prompt}"',
    data: str = "rows.parquet",
) -> None:
    """What ``bench run`` does before its first stage."""
    path = folders.write_task(place, gold=gold, tables=tables, form=form, data=data)
    prepare(resolve(request(path)))


def request(path: Path) -> Request:
    return Request(method=["dpo"], task=str(path), seeds=1)


def refused(place: Path, pattern: str, **task: str) -> None:
    with pytest.raises(UserError, match=pattern) as caught:
        check(place, **task)
    sentence = str(caught.value)
    assert "\n" not in sentence and "Traceback" not in sentence


def edit(path: Path, change: Callable[[dict[str, object]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_good_folders_pass(place: Path) -> None:
    check(place)


def test_tokenizer_without_pad_is_no_fault(place: Path) -> None:
    """Lengths are explicit, so padding is filler only; GPT-2's own folder has no pad token."""
    assert "pad_token" not in json.loads((place / "policy/tokenizer_config.json").read_text())
    check(place)


def test_missing_weights(place: Path) -> None:
    (place / "policy/model.safetensors").unlink()
    refused(place, r"policy .*policy has no weights")


def test_missing_shard(place: Path) -> None:
    (place / "gold/model.safetensors").unlink()
    (place / "gold/model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"a": "model-00001.safetensors", "b": "model-00002.safetensors"}})
    )
    refused(place, r"gold .* lacks 2 of 2 weight files \(model-00001.safetensors")


def test_weights_cut_short(place: Path) -> None:
    path = place / "policy/model.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    refused(place, r"policy .*model.safetensors is damaged or cut short")


def test_wrong_head(place: Path) -> None:
    refused(
        place,
        r"gold .* holds GPT2LMHeadModel, but a sequence classifier .* is needed",
        tables='[classifier]\npath = "policy"\n',
    )
    shutil.rmtree(place / "policy")
    (place / "gold").rename(place / "policy")
    refused(
        place,
        r"policy .* holds LlamaForSequenceClassification, but a causal",
        gold="rule",
        tables="",
    )


def test_head_that_only_loading_can_miss(place: Path) -> None:
    """A configuration may promise what the weights do not hold."""
    edit(place / "gold/config.json", lambda c: c.update(architectures=["LlamaForCausalLM"]))
    with pytest.raises(UserError, match=r"lacks weights of its architecture \(lm_head.weight"):
        load_causal(ModelOrigin(path=str(place / "gold")), [0])


def test_backbone_that_is_another_model(place: Path) -> None:
    edit(place / "gold/config.json", lambda c: c.update(num_hidden_layers=2))
    with pytest.raises(UserError, match=r"proxy base .*lacks weights of its architecture"):
        load_base(ModelOrigin(path=str(place / "gold")), "proxy base", 0)


def test_classifier_of_several_outputs_needs_a_label(place: Path) -> None:
    edit(
        place / "gold/config.json",
        lambda c: c.update(id2label={"0": "BAD", "1": "GOOD"}, label2id={"BAD": 0, "GOOD": 1}),
    )
    refused(place, r"gold .* has 2 outputs \(BAD, GOOD\), and label = None names none of them")


def test_tokenizer_without_end(place: Path) -> None:
    edit(place / "policy/tokenizer_config.json", lambda c: c.pop("eos_token"))
    refused(place, r"policy .*tokenizer names no eos_token")


def test_no_tokenizer(place: Path) -> None:
    (place / "gold/tokenizer.json").unlink()
    refused(place, r"gold .* has no tokenizer.json")


def test_tokenizer_of_another_model(place: Path) -> None:
    edit(place / "policy/config.json", lambda c: c.update(vocab_size=300))
    refused(place, r"tokenizer has \d+ tokens but its model only 300")


def test_pickled_weights_only(place: Path) -> None:
    (place / "policy/model.safetensors").rename(place / "policy/pytorch_model.bin")
    refused(place, r"policy .* holds pickled weights only .*allow_pickle = true")


def test_remote_code(place: Path) -> None:
    edit(
        place / "gold/config.json",
        lambda c: c.update(auto_map={"AutoModelForSequenceClassification": "mine.Model"}),
    )
    refused(place, r"gold .* wants to run Python code .*trust_remote_code = true")


def test_remote_code_that_is_trusted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs where the task says so, and goes along into what is made from the model."""
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(place / "modules"))
    monkeypatch.syspath_prepend(str(place / "modules"))
    policy = place / "policy"
    (policy / "mine.py").write_text(
        "from transformers import GPT2LMHeadModel\n\n\nclass Mine(GPT2LMHeadModel):\n    pass\n"
    )
    edit(policy / "config.json", lambda c: c.update(auto_map={"AutoModelForCausalLM": "mine.Mine"}))
    model = load_causal(ModelOrigin(path=str(policy), trust_remote_code=True), [0])
    save_model(model, place / "made", policy)
    again = load_policy(place / "made")
    assert [type(one).__name__ for one in (model, again)] == ["Mine", "Mine"]


def test_pickles_that_are_trusted(place: Path) -> None:
    model = load_causal(ModelOrigin(path=str(place / "policy")), [0])
    (place / "policy/model.safetensors").unlink()
    torch.save(model.state_dict(), place / "policy/pytorch_model.bin")
    again = load_causal(ModelOrigin(path=str(place / "policy"), allow_pickle=True), [0])
    assert torch.equal(model.get_input_embeddings().weight, again.get_input_embeddings().weight)


def test_no_config(place: Path) -> None:
    (place / "policy/config.json").unlink()
    refused(place, r"policy .* is not a model folder: it has no config.json")


def test_broken_config(place: Path) -> None:
    (place / "policy/config.json").write_text("{")
    refused(place, r"policy: .*config.json cannot be read as JSON")


def test_chat_without_template(place: Path) -> None:
    refused(place, r"policy .* has no chat template, but its format is 'chat'", form='"chat"')
    refused(place, r"gold .* has no chat template", tables=JUDGE + 'format = "chat"\n')


def test_chat_template_that_refuses(whole: Path, place: Path) -> None:
    shutil.rmtree(place / "policy")
    folders.write_folder(place / "policy", "gpt2", template="{{ raise_exception('no such role') }}")
    refused(place, r"its chat template fails \(no such role\)", form='"chat"')


def test_missing_paths(place: Path) -> None:
    refused(place, r"world.hub.prompts: there is no file or folder .*none.jsonl", data="none.jsonl")
    shutil.rmtree(place / "policy")
    refused(place, r"policy: there is no folder .*policy; give a path")


def test_empty_prompts(place: Path) -> None:
    folders.write_table(
        place / "empty.jsonl", [row._replace(prompt="  ") for row in folders.rows()]
    )
    refused(place, r"none of the \d+ rows of .*empty.jsonl has a prompt", data="empty.jsonl")


def test_too_few_prompts(place: Path) -> None:
    folders.write_table(place / "few.json", folders.rows()[:5])
    refused(place, r"few.json has 5 distinct prompts that fit", data="few.json")


def test_missing_column(place: Path) -> None:
    (place / "odd.jsonl").write_text('{"text": "hello"}\n')
    refused(place, r"odd.jsonl has no column 'prompt'; its columns are text", data="odd.jsonl")


def test_table_that_is_none(place: Path) -> None:
    (place / "odd.jsonl").write_text("hello\n")
    refused(place, r"odd.jsonl cannot be read", data="odd.jsonl")
    (place / "rows.csv").write_text("prompt\nhello\n")
    refused(place, r"rows.csv is none of .parquet, .jsonl", data="rows.csv")


def test_prompts_longer_than_the_context(place: Path) -> None:
    path = folders.write_task(place)
    path.write_text(path.read_text().replace("prompt_tokens = 60\n", ""))
    long = [row._replace(prompt=row.prompt * 60) for row in folders.rows()]
    folders.write_table(place / "rows.parquet", long)
    with pytest.raises(UserError, match=r"the prompt '.*'\.\.\. has \d+ tokens, which with 10 of"):
        prepare(resolve(request(path)))


def test_lengths_beyond_the_context(place: Path) -> None:
    path = folders.write_task(place)
    path.write_text(path.read_text().replace("prompt_tokens = 60", "prompt_tokens = 90"))
    with pytest.raises(UserError, match=r"90 tokens and responses of 10 exceed .* context of 96"):
        prepare(resolve(request(path)))


HUB = '[classifier]\nname = "somebody/judge"\n'


def test_unpinned_revision(place: Path) -> None:
    for given in ("", 'revision = "main"\n'):
        refused(place, r"somebody/judge has .*; pin the 40 hexadecimal digits", tables=HUB + given)


def test_hub_name_offline(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pinned = HUB + f'revision = "{"0" * 40}"\n'
    refused(place, r"gold: the model somebody/judge at revision 0+ is not in", tables=pinned)
    refused(
        place,
        r"revision main is not in this machine's hub cache",
        tables=HUB + 'revision = "main"\nallow_unpinned = true\n',
    )


@pytest.mark.parametrize(
    ("tables", "pattern"),
    [
        ("", r"no table \[classifier\] says which"),
        (
            "[classifier]\n",
            r"give either name \(and revision\) of a hub repository, or a local path",
        ),
        ('[classifier]\npath = "gold"\nrevision = "a"\n', r"a local path has no revision"),
        ('[classifier]\npath = "gold"\nformat = "{prompt}"\n', r"\{prompt\} and \{response\} once"),
        ('[classifier]\npath = "gold"\ntrust = true\n', r"unknown key 'classifier.trust'"),
    ],
)
def test_declarations(place: Path, tables: str, pattern: str) -> None:
    refused(place, pattern, tables=tables)
