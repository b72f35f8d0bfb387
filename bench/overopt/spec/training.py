"""Supervised training of one model, and the architecture of a small one."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from overopt.spec.frozen import Spec


class TrainingSpec(Spec):
    """Supervised training of one model by AdamW with linear warm-up and cosine decay."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    epochs: int = Field(gt=0)
    warmup_fraction: float = Field(0.05, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)


class ArchitectureSpec(Spec):
    """A small transformer trained from scratch; ``family`` names a transformers model type."""

    family: Literal["gpt2"] = "gpt2"
    layers: int = Field(gt=0)
    width: int = Field(gt=0)
    heads: int = Field(gt=0)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} must divide width = {self.width}")
        return self
