"""TRL's own trainers on a policy of twelve words, to hold our losses against theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedModel
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from overopt.models.folders import build_tokenizer, save_model
from overopt.models.starts.scratch import build_policy
from overopt.spec.training import ArchitectureSpec
from overopt.worlds.tokens import SPECIALS

WORDS = ("red", "big", "cat", "dog", "sat", "ran", "the", "on")
VOCABULARY = (*SPECIALS, *WORDS)
CONTEXT_TOKENS = 16
MAX_NEW_TOKENS = 6
ON_THE_CPU: dict[str, Any] = {
    "use_cpu": True,
    "bf16": False,
    "activation_checkpointing": False,
    "report_to": "none",
    "disable_tqdm": True,
    "save_strategy": "no",
    "logging_strategy": "no",
}


def policy(seed: int) -> PreTrainedModel:
    """A policy whose random weights are large enough to have opinions."""
    architecture = ArchitectureSpec(layers=1, width=16, heads=2)
    model = build_policy(architecture, len(VOCABULARY), CONTEXT_TOKENS, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.1, generator=generator)
    return model


def dpo_trainer(
    folder: Path, model: PreTrainedModel, reference: PreTrainedModel, loss: str, beta: float
) -> Any:
    """TRL's DPO trainer; its data set is a formality, its loss takes any batch."""
    rows = Dataset.from_list([{"prompt": "the cat", "chosen": " sat", "rejected": " ran"}] * 2)
    arguments = DPOConfig(str(folder), loss_type=[loss], beta=beta, **ON_THE_CPU)
    return DPOTrainer(
        model,
        ref_model=reference,
        args=arguments,
        train_dataset=rows,
        processing_class=build_tokenizer(VOCABULARY, CONTEXT_TOKENS),
    )


def rloo_trainer(
    folder: Path,
    start: PreTrainedModel,
    reward: Callable[..., list[float]],
    prompts: list[str],
    beta: float,
    samples_per_prompt: int,
) -> Any:
    """TRL's RLOO trainer from a saved start, which is also its reference."""
    save_model(start, folder / "start", VOCABULARY)
    arguments = RLOOConfig(
        str(folder / "out"),
        beta=beta,
        num_generations=samples_per_prompt,
        per_device_train_batch_size=samples_per_prompt * len(prompts),
        max_completion_length=MAX_NEW_TOKENS,
        **ON_THE_CPU,
    )
    return RLOOTrainer(
        str(folder / "start"),
        reward_funcs=reward,
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
        processing_class=build_tokenizer(VOCABULARY, CONTEXT_TOKENS),
    )


def grpo_trainer(
    folder: Path,
    start: PreTrainedModel,
    reward: Callable[..., list[float]],
    prompts: list[str],
    samples_per_prompt: int,
    **options: Any,
) -> Any:
    """TRL's trainer of GRPO and its kin from a saved start, which is also its reference."""
    save_model(start, folder / "start", VOCABULARY)
    arguments = GRPOConfig(
        str(folder / "out"),
        num_generations=samples_per_prompt,
        per_device_train_batch_size=samples_per_prompt * len(prompts),
        max_completion_length=MAX_NEW_TOKENS,
        **options,
        **ON_THE_CPU,
    )
    return GRPOTrainer(
        str(folder / "start"),
        reward_funcs=reward,
        args=arguments,
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
        processing_class=build_tokenizer(VOCABULARY, CONTEXT_TOKENS),
    )


def token_logps(model: PreTrainedModel, ids_BL: Tensor, attention_BL: Tensor) -> Tensor:
    """Log-probabilities (B, L - 1) of every token but the first, from a plain log-softmax."""
    logits = model(input_ids=ids_BL, attention_mask=attention_BL).logits[:, :-1]
    logp_BLV = torch.log_softmax(logits.float(), -1)
    return logp_BLV.gather(-1, ids_BL[:, 1:, None]).squeeze(-1)
