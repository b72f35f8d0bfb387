"""What specifications have in common: data that is checked once and never changes.

Beside it the parts that several of them hold: an architecture, and supervised training.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Spec(BaseModel):
    """Common behavior of every specification: frozen, no unknown keys, finite numbers."""

    # Strict: a quoted number or a boolean is not a number.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    def to_json(self) -> dict[str, Any]:
        """The specification as plain JSON values, in a fixed order."""
        return self.model_dump(mode="json")


def absent(value: object) -> bool:
    """Whether a field that only some tasks have stands in no JSON."""
    return value is None


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
