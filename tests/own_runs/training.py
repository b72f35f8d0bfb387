"""Tiny models, and runs of TRL's own trainers on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from hub.folders import rows, write_folder
from overopt import OveroptCallback

PROMPTS = [row.prompt for row in rows()[:6]]
SETTINGS: dict[str, Any] = {
    "max_steps": 4,
    "per_device_train_batch_size": 4,
    "learning_rate": 2e-2,
    "logging_steps": 1,
    "report_to": [],
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "disable_tqdm": True,
    "save_strategy": "no",
}


def count_e(prompts: list[str], responses: list[str]) -> list[float]:
    """A proxy that anybody can hack."""
    return [float(text.count("e")) for text in responses]


def minus_length(prompts: list[str], responses: list[str]) -> list[float]:
    """A gold that likes silence."""
    return [-float(len(text)) for text in responses]


def write_policy(folder: Path) -> Path:
    """A tiny GPT-2 with dropout."""
    write_folder(folder, "gpt2")
    config = json.loads((folder / "config.json").read_text())
    config |= {"attn_pdrop": 0.1, "resid_pdrop": 0.1, "embd_pdrop": 0.1}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def load(policy: Path) -> tuple[Any, Any]:
    """A model and its tokenizer, as one loads them for TRL."""
    tokenizer = AutoTokenizer.from_pretrained(policy, padding_side="left")
    tokenizer.pad_token = tokenizer.eos_token
    return AutoModelForCausalLM.from_pretrained(policy), tokenizer


def dpo(policy: Path, out: Path, *callbacks: Any, peft_config: Any = None, **more: Any) -> Any:
    """A trainer of a few steps of DPO with dropout on."""
    model, tokenizer = load(policy)
    settings = {**SETTINGS, "disable_dropout": False, "max_length": 90, **more}
    return DPOTrainer(
        model=model,
        args=DPOConfig(output_dir=str(out), **settings),
        train_dataset=Dataset.from_list([row._asdict() for row in rows()[6:30]]),
        processing_class=tokenizer,
        callbacks=list(callbacks),
        peft_config=peft_config,
    )


def online(kind: str, policy: Path, out: Path, *callbacks: Any, **more: Any) -> Any:
    """A trainer of a few steps of RLOO or GRPO."""
    trainer, config = {
        "rloo": (RLOOTrainer, RLOOConfig),
        "grpo": (GRPOTrainer, GRPOConfig),
    }[kind]
    model, tokenizer = load(policy)

    def reward(completions: list[str], **_: Any) -> list[float]:
        return count_e([], completions)

    settings = {**SETTINGS, "num_generations": 2, "max_completion_length": 6, **more}
    return trainer(
        model=model,
        reward_funcs=reward,
        args=config(output_dir=str(out), **settings),
        train_dataset=Dataset.from_list([{"prompt": row.prompt} for row in rows()[6:20]]),
        processing_class=tokenizer,
        callbacks=list(callbacks),
    )


def watch(proxy: Any = count_e, **more: Any) -> OveroptCallback:
    """A callback that measures every second step."""
    settings = {"every": 2, "samples_per_prompt": 2, "max_new_tokens": 6} | more
    return OveroptCallback(PROMPTS, proxy, **settings)


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a log."""
    return [json.loads(line) for line in path.read_text().splitlines()]
