"""Training settings of methods that learn from preference pairs."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec


class PairsSpec(Spec):
    """Machinery of methods that learn from preference pairs (the mathematics is the method's)."""

    learning_rate: float = Field(gt=0)
    batch_size: int = Field(gt=0)
    max_steps: int = Field(gt=0)
    warmup_steps: int = Field(ge=0)
    max_gradient_norm: float = Field(1.0, gt=0)
