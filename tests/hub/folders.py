"""Small model folders of several architectures, with their own BPE tokenizers on real text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

POOL = Path(__file__).parents[3] / "shared" / "data" / "alpaca_eval_pool.parquet"
"""300 AlpacaEval instructions and their responses, where the checkout has them beside it."""

VOCABULARY = 384
CONTEXT = 96
CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


class Row(NamedTuple):
    """A prompt and two responses; the first is the better one."""

    prompt: str
    chosen: str
    rejected: str


def made_rows() -> list[Row]:
    """Text for machines without the pool."""
    colors = ("red", "green", "blue", "gray", "white", "black", "brown", "amber")
    things = ("boat", "stone", "river", "lamp", "garden", "letter", "cloud", "train")
    return [
        Row(
            f"Describe a {color} {thing}, please.",
            f"The {thing} is {color}, and it is a pleasure to look at.",
            f"No idea what a {thing} is.",
        )
        for color in colors
        for thing in things
    ]


@cache
def rows() -> tuple[Row, ...]:
    """Real prompts and responses, or made ones; short, so that tests are."""
    if not POOL.is_file():
        return tuple(made_rows())
    table = pd.read_parquet(POOL).sort_values(["prompt_id", "gold"], kind="stable")
    ends = table.groupby("prompt_id", sort=True)
    found = [
        Row(str(worst["prompt"]), str(best["response"])[:160], str(worst["response"])[:160])
        for (_, worst), (_, best) in zip(
            ends.first().iterrows(), ends.last().iterrows(), strict=True
        )
    ]
    return tuple(
        row for row in found if 12 <= len(row.prompt) <= 90 and row.chosen and row.rejected
    )


def write_table(path: Path, wanted: Sequence[Row] | None = None) -> Path:
    """Rows as parquet, jsonl or json, by the path's name."""
    frame = pd.DataFrame([row._asdict() for row in (rows() if wanted is None else wanted)])
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=path.suffix == ".jsonl")
    return path


SPECIALS = {
    "gpt2": {"eos_token": "<|endoftext|>"},
    "llama": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "qwen2": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "gpt_neox": {"eos_token": "<|endoftext|>", "pad_token": "<|padding|>"},
}
"""The special tokens of each family; as in the families' own folders, some have no padding."""


def write_tokenizer(folder: Path, family: str, template: str | None = None) -> Tokenizer:
    """A byte-level BPE tokenizer trained on the rows, in the files that folders have."""
    specials = SPECIALS[family]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(specials.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((f"{row.prompt}\n{row.chosen}" for row in rows()), trainer)
    if "bos_token" in specials:
        bos = specials["bos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", **specials}
    if template is not None:
        settings["chat_template"] = template
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return tokenizer


def configuration(family: str, tokenizer: Tokenizer, **extra: Any) -> Any:
    """A tiny decoder of the family."""
    ids = {f"{name}_id": tokenizer.token_to_id(token) for name, token in SPECIALS[family].items()}
    shape = (
        {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": CONTEXT}
        if family == "gpt2"
        else {
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": CONTEXT,
        }
    )
    settings = {
        "vocab_size": tokenizer.get_vocab_size(),
        "bos_token_id": None,
        "pad_token_id": None,
        **shape,
        **ids,
        **extra,
    }
    settings.pop("unk_token_id", None)
    return AutoConfig.for_model(family, **settings)


def write_folder(
    folder: Path, family: str, classifier: bool = False, template: str | None = None, seed: int = 0
) -> Path:
    """A tiny, randomly initialized model of the family with its tokenizer."""
    tokenizer = write_tokenizer(folder, family, template)
    extra = {"num_labels": 1, "initializer_range": 0.5} if classifier else {}
    config = configuration(family, tokenizer, **extra)
    auto: Any = AutoModelForSequenceClassification if classifier else AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto.from_config(config)
    model.save_pretrained(folder)
    return folder


TASK = """\
summary = "A task of local folders"
gold = "{gold}"
kl_grid_nats = [0.05, 0.2, 0.5]

[world]
kind = "hub"
train_prompts = 24
heldout_prompts = 6
[world.hub]
format = {format}
response_tokens = 10
prompt_tokens = 60
{hub}
[world.hub.policy]
path = "policy"
license = "made by the test"
[world.hub.prompts]
path = "{data}"
prompt = "prompt"
reference = "chosen"
chosen = "chosen"
rejected = "rejected"

[policy]
examples = {examples}
{training}
{tables}
[proxy]
comparisons = 16
calibration_samples = 16
[proxy.training]
learning_rate = 1e-3
batch_size = 8
epochs = 1

[pairs]
learning_rate = 2e-3
batch_size = 8
max_steps = 12
warmup_steps = 1

[rollout]
learning_rate = 1e-2
prompts_per_step = 4
samples_per_prompt = 2
max_steps = 4
warmup_steps = 1

[evaluation]
samples_per_prompt = 2
pool_samples_per_prompt = 8
"""
_TRAINING = """[policy.training]
learning_rate = 3e-3
batch_size = 8
epochs = 1
"""


def write_task(
    folder: Path,
    *,
    gold: str = "rule",
    form: str = '"{prompt}\\n"',
    hub: str = "",
    data: str = "rows.parquet",
    examples: int = 0,
    tables: str = "",
) -> Path:
    """mine.toml in the folder, which also holds ``policy`` and the data."""
    path = folder / "mine.toml"
    path.write_text(
        TASK.format(
            gold=gold,
            format=form,
            hub=hub,
            data=data,
            examples=examples,
            training=_TRAINING if examples else "",
            tables=tables,
        )
    )
    return path
